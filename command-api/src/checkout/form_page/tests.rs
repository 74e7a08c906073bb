use super::*;

fn form() -> PaymentForm {
    PaymentForm {
        action: "https://openapi.alipay.example/gateway.do?app_id=1&sign=a%2Bb".to_owned(),
        fields: vec![("biz_content".to_owned(), r#"{"subject":"<b>'{{back}}' & more"}"#.to_owned())],
    }
}

#[test]
fn what_is_signed_stands_in_the_form_as_it_is_and_nothing_of_it_is_markup() {
    let html = html(Language::En, &form(), "/checkout/token");
    assert!(html.contains(
        r#"<form method="post" action="https://openapi.alipay.example/gateway.do?app_id=1&amp;sign=a%2Bb" accept-charset="utf-8">"#
    ));
    let field =
        r#"<input type="hidden" name="biz_content" value="{&quot;subject&quot;:&quot;&lt;b&gt;&#39;{{back}}&#39; &amp; more&quot;}">"#;
    assert!(html.contains(field), "{html}");
    assert!(html.contains(r#"<button type="submit">"#) && html.contains(r#"<a href="/checkout/token">"#));
    assert_eq!(html.matches("{{").count(), 1, "only the order's own words: {html}");
}

#[test]
fn both_languages_say_what_happens() {
    assert!(html(Language::Zh, &form(), "/c").contains(r#"<html lang="zh">"#));
    assert_ne!(html(Language::Zh, &form(), "/c"), html(Language::En, &form(), "/c"));
}

#[test]
fn the_page_may_run_its_own_script_alone_and_post_to_the_channel_alone() {
    let response = show(Language::En, &form(), "/c").unwrap();
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    let directive = |name: &str| policy.split("; ").find_map(|directive| directive.strip_prefix(&format!("{name} "))).unwrap();
    assert_eq!(directive("default-src"), "'none'");
    // The hash of the script as `openssl dgst -sha256 -binary | base64` gives it.
    assert_eq!(directive("script-src"), "'sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE='");
    assert_eq!(directive("form-action"), "https://openapi.alipay.example https://*.alipay.example");
    assert_eq!(directive("frame-ancestors"), "'none'");
    let (html, style) = (html(Language::En, &form(), "/c"), hash_of(STYLE));
    assert_eq!(directive("style-src"), style);
    assert!(html.contains(&format!("<style>{STYLE}</style>")) && html.contains(&format!("<script>{SCRIPT}</script>")));
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
}

#[test]
fn a_form_stays_at_its_origin_and_on_secure_sister_hosts() {
    let cases = [
        ("http://127.0.0.1:8080/sandbox/alipay/gateway.do?x=1", Some("http://127.0.0.1:8080")),
        ("https://127.0.0.1/gateway.do", Some("https://127.0.0.1")),
        ("https://[::1]:8443/gateway.do", Some("https://[::1]:8443")),
        ("http://openapi.alipay.example/gateway.do", Some("http://openapi.alipay.example")),
        ("https://alipay.example/gateway.do", Some("https://alipay.example")),
        (
            "https://openapi-sandbox.dl.alipay.example/gateway.do",
            Some("https://openapi-sandbox.dl.alipay.example https://*.dl.alipay.example"),
        ),
        ("/gateway.do", None),
        ("javascript:alert(1)", None),
    ];
    for (action, expected) in cases {
        assert_eq!(targets(action).as_deref(), expected, "{action}");
    }
    let nowhere = PaymentForm { action: "/gateway.do".to_owned(), fields: vec![] };
    assert!(show(Language::En, &nowhere, "/c").is_err());
}
