use std::collections::BTreeSet;

use axum::body::Body;
use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::page::CONTENT_POLICY;

mod html;

const HOSTILE: &str = "/checkout/\"><script>alert(1)</script>";
const OUTCOMES: [Outcome<'_>; 6] = [
    Outcome::AlreadyPaid,
    Outcome::Expired { checkout_path: "/checkout/t" },
    Outcome::Closed,
    Outcome::Unknown,
    Outcome::NoSuchPage,
    Outcome::Unavailable,
];
const ROUTED: [&str; 4] = ["/", "/guide/7231", "/courses", "/docs"];

struct Answer {
    name: String,
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

async fn read(name: String, response: Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    Answer { name, status, headers, body: String::from_utf8(bytes.to_vec()).unwrap() }
}

async fn get_as(path: &str, language: &str, demo: DemoAccounts) -> Answer {
    let request = Request::get(path).header(ACCEPT_LANGUAGE, language).body(Body::empty()).unwrap();
    let response = router::<()>(demo).with_state(()).oneshot(request).await.unwrap();
    read(format!("{path} {language}"), response).await
}

/// The pages whose address is somebody's secret, in one language.
fn secret_pages(language: Language) -> Vec<(String, Response)> {
    let mut pages = vec![
        ("checkout".to_owned(), checkout_shell(language)),
        ("return".to_owned(), return_shell(language, "/checkout/t")),
        ("return, hostile".to_owned(), return_shell(language, HOSTILE)),
        ("expired, hostile".to_owned(), outcome_page(language, Outcome::Expired { checkout_path: HOSTILE })),
    ];
    pages.extend(OUTCOMES.map(|outcome| (format!("{outcome:?}"), outcome_page(language, outcome))));
    pages
}

/// Every page there is, in both languages.
async fn all_pages() -> Vec<Answer> {
    let mut answers = Vec::new();
    for language in [Language::En, Language::Zh] {
        for path in ROUTED {
            for demo in [DemoAccounts::Offered, DemoAccounts::Absent] {
                answers.push(get_as(path, language.tag(), demo).await);
            }
        }
        for (name, response) in secret_pages(language) {
            answers.push(read(format!("{name} {}", language.tag()), response).await);
        }
    }
    answers
}

#[tokio::test]
async fn every_page_is_html_in_the_language_that_was_asked_for_under_the_strict_policy() {
    for Answer { name, headers, body, .. } in all_pages().await {
        let language = name.rsplit(' ').next().unwrap();
        assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8", "{name}");
        assert_eq!(headers[CONTENT_LANGUAGE], language, "{name}");
        assert_eq!(headers[VARY], "Accept-Language", "{name}");
        assert_eq!(headers[CONTENT_SECURITY_POLICY], CONTENT_POLICY, "{name}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{name}");
        assert!(body.contains(&format!("<html lang=\"{language}\">")), "{name}");
    }
    assert_eq!(
        CONTENT_POLICY,
        "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    );
}

#[tokio::test]
async fn a_page_with_a_secret_address_is_neither_kept_nor_found() {
    for (name, response) in secret_pages(Language::En) {
        let answer = read(name, response).await;
        assert_eq!(answer.headers[CACHE_CONTROL], "no-store", "{}", answer.name);
        assert_eq!(answer.headers["x-robots-tag"], "noindex", "{}", answer.name);
    }
    for path in ROUTED {
        assert_eq!(get_as(path, "en", DemoAccounts::Absent).await.headers[CACHE_CONTROL], "no-cache", "{path}");
    }
}

#[tokio::test]
async fn small_pages_answer_the_status_of_what_they_say() {
    let gone = [StatusCode::GONE; 2];
    let absent = [StatusCode::NOT_FOUND; 2];
    let wanted = [StatusCode::OK].into_iter().chain(gone).chain(absent).chain([StatusCode::SERVICE_UNAVAILABLE]);
    for (outcome, status) in OUTCOMES.into_iter().zip(wanted) {
        assert_eq!(outcome_page(Language::En, outcome).status(), status, "{outcome:?}");
    }
    assert_eq!(checkout_shell(Language::Zh).status(), StatusCode::OK);
    assert_eq!(return_shell(Language::Zh, "/checkout/t").status(), StatusCode::OK);
}

#[tokio::test]
async fn an_expired_code_can_be_renewed_and_a_paid_one_cannot() {
    let expired = read(String::new(), outcome_page(Language::En, OUTCOMES[1])).await.body;
    assert!(expired.contains("data-renew=\"/checkout/t/renew\"") && expired.contains("data-testid=\"renew\""));
    for outcome in [Outcome::AlreadyPaid, Outcome::Closed, Outcome::Unknown, Outcome::NoSuchPage, Outcome::Unavailable] {
        assert!(!read(String::new(), outcome_page(Language::En, outcome)).await.body.contains("data-renew"), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_path_with_markup_in_it_stays_a_path() {
    for response in [return_shell(Language::En, HOSTILE), outcome_page(Language::En, Outcome::Expired { checkout_path: HOSTILE })] {
        let body = read(String::new(), response).await.body;
        assert!(!body.contains("alert(1)</script>") && body.contains("&quot;&gt;&lt;script&gt;"), "{body}");
    }
}

#[tokio::test]
async fn every_page_is_well_formed() {
    for page in all_pages().await {
        if let Err(fault) = html::check(&page.body) {
            panic!("{}: {fault}", page.name);
        }
    }
}

#[tokio::test]
async fn nothing_stands_inside_a_page_that_the_policy_forbids_and_nothing_comes_from_elsewhere() {
    for page in all_pages().await {
        for tag in html::tags(&page.body) {
            for (attribute, value) in &tag.attributes {
                assert!(attribute != "style" && !attribute.starts_with("on"), "{}: {attribute} in {}", page.name, tag.name);
                if ["src", "href", "action"].contains(&attribute.as_str()) {
                    assert!(value.starts_with('/') && !value.starts_with("//") || value.starts_with('#'), "{}: {value}", page.name);
                }
            }
            assert!(tag.name != "style" && tag.name != "iframe", "{}", page.name);
            assert!(tag.name != "script" || tag.has("src"), "{}: a script stands in the page", page.name);
        }
    }
}

#[tokio::test]
async fn every_address_that_a_page_loads_is_served_for_ever() {
    let mut addresses = BTreeSet::new();
    for page in all_pages().await {
        let tags = html::tags(&page.body);
        let loads = tags.iter().flat_map(|tag| [tag.value("src"), tag.value("href")]).flatten();
        addresses.extend(loads.filter(|address| address.starts_with("/assets/")).map(str::to_owned));
    }
    assert!(addresses.len() > 20, "{addresses:?}");
    for address in addresses {
        let answer = get_as(&address, "en", DemoAccounts::Absent).await;
        assert_eq!(answer.status, StatusCode::OK, "{address}");
        assert!(answer.headers[CACHE_CONTROL].to_str().unwrap().contains("immutable"), "{address}");
    }
}

#[tokio::test]
async fn the_texts_of_a_page_are_in_it_before_any_module_runs() {
    for page in all_pages().await {
        let language = if page.name.ends_with("zh") { Language::Zh } else { Language::En };
        for tag in html::tags(&page.body) {
            for (attribute, told) in [("data-i18n-label", "aria-label"), ("data-i18n-alt", "alt")] {
                if let Some(key) = tag.value(attribute) {
                    assert_eq!(tag.value(told), Some(text::words(key, language)), "{}: {key}", page.name);
                }
            }
            if let Some(key) = tag.value("data-i18n") {
                assert_ne!(text::words(key, language), key, "{}: no text {key}", page.name);
                let words = render::escaped(text::words(key, language));
                assert!(page.body.contains(&format!(">{words}</{}>", tag.name)), "{}: {key}", page.name);
            }
        }
    }
}

#[tokio::test]
async fn fields_have_labels_and_pictures_have_words() {
    for page in all_pages().await {
        let tags = html::tags(&page.body);
        for tag in &tags {
            match tag.name.as_str() {
                "input" => assert_eq!(tag.parent.as_deref(), Some("label"), "{}: {:?}", page.name, tag.value("id")),
                "img" => assert!(tag.value("alt").is_some_and(|alt| !alt.is_empty()), "{}", page.name),
                "svg" => assert_eq!(tag.value("aria-hidden"), Some("true"), "{}", page.name),
                "button" => assert!(tag.has("type"), "{}: a button without a type submits", page.name),
                _ => {}
            }
        }
        assert_eq!(tags.iter().filter(|tag| tag.name == "h1").count(), 1, "{}", page.name);
        assert_eq!(tags.iter().filter(|tag| tag.name == "main").count(), 1, "{}", page.name);
        assert!(tags.iter().any(|tag| tag.value("data-testid") == Some("lang-toggle")), "{}", page.name);
    }
}

#[tokio::test]
async fn demo_accounts_are_offered_only_where_they_exist() {
    for path in ["/", "/guide/1", "/courses"] {
        let offered = get_as(path, "en", DemoAccounts::Offered).await.body;
        assert!(offered.contains("data-testid=\"sign-in-alice\"") && offered.contains("data-testid=\"sign-in-bob\""), "{path}");
        let absent = get_as(path, "en", DemoAccounts::Absent).await.body;
        assert!(!absent.contains("demo-password") && absent.contains("data-testid=\"sign-in-submit\""), "{path}");
    }
}

#[tokio::test]
async fn the_page_that_one_is_on_is_marked_in_the_navigation() {
    for (path, name) in [("/", "shop"), ("/courses", "courses"), ("/docs", "docs")] {
        let body = get_as(path, "en", DemoAccounts::Absent).await.body;
        let marked: Vec<_> = html::tags(&body).into_iter().filter(|tag| tag.has("aria-current") && tag.has("data-nav")).collect();
        assert_eq!(marked.len(), 1, "{path}");
        assert_eq!(marked[0].value("data-nav"), Some(name));
    }
}

#[tokio::test]
async fn every_key_that_a_module_says_has_a_text() {
    for name in assets::modules_of("shop.js")
        .into_iter()
        .chain(["guide.js", "courses.js", "checkout.js", "return.js", "outcome.js", "docs.js"].into_iter().flat_map(assets::modules_of))
        .filter(|name| *name != "texts.js")
    {
        let module = get_as(&format!("/assets/{name}"), "en", DemoAccounts::Absent).await.body;
        for literal in module.split('"').skip(1).step_by(2) {
            let is_key = literal.split_once('.').is_some_and(|(chapter, rest)| {
                !rest.is_empty()
                    && ["frame", "shop", "courses", "guide", "checkout", "return", "outcome", "docs", "problem", "sign_in", "wallet"]
                        .contains(&chapter)
                    && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'.')
                    && !["js", "css"].contains(&rest)
            });
            assert!(!is_key || text::words(literal, Language::En) != literal, "{name} says {literal}");
        }
    }
}

#[tokio::test]
async fn every_view_of_the_checkout_has_its_words() {
    const PANELS: [&str; 9] = ["paid", "partially_refunded", "refunded", "expired", "time_up", "closing", "cancelled", "unknown", "gone"];
    const CODES: [&str; 5] = ["pay", "none", "preparing", "code_over", "code_failed"];
    let has = |key: String| assert_ne!(text::words(&key, Language::Zh), key);
    for view in PANELS {
        has(format!("checkout.state.{view}"));
        has(format!("checkout.{view}.title"));
        has(format!("checkout.{view}.words"));
    }
    for view in CODES {
        has(format!("checkout.state.{view}"));
        has(format!("checkout.code.{view}"));
    }
    for channel in ["alipay_qr", "alipay_page"] {
        has(format!("checkout.channel.{channel}"));
    }
    has("checkout.code.page".to_owned());
    for outcome in ["open", "paid", "partially_refunded", "refunded", "cancelled", "expired"] {
        has(format!("return.{outcome}.title"));
        has(format!("return.{outcome}.words"));
    }
    for outcome in OUTCOMES {
        let body = read(String::new(), outcome_page(Language::En, outcome)).await.body;
        assert!(!body.contains(">outcome."), "{outcome:?}");
    }
    for connection in ["reconnecting", "asking", "offline"] {
        has(format!("checkout.connection.{connection}"));
    }
}
