use super::*;
use crate::alipay::account::tests::account;

type Edit<'a> = &'a dyn Fn(&mut Members);

fn put(members: &mut Members, name: &str, value: &str) {
    members.insert(name.to_owned(), value.as_bytes().to_vec());
}

/// A good call, changed by `before` and then signed, and changed by `after` once it is signed.
fn call(account: &Account, before: Edit<'_>, after: Edit<'_>) -> Members {
    let mut members = Members::new();
    for (name, value) in [
        ("app_id", account.app_id.as_str()),
        ("method", "alipay.trade.query"),
        ("format", "JSON"),
        ("charset", "utf-8"),
        ("sign_type", "RSA2"),
        ("timestamp", "2026-03-05 14:08:09"),
        ("version", "1.0"),
        ("biz_content", r#"{"out_trade_no":"1"}"#),
    ] {
        put(&mut members, name, value);
    }
    before(&mut members);
    let sign = signature::sign(&account.app_key, &signature::canonical_request(&members)).unwrap();
    put(&mut members, "sign", &sign);
    after(&mut members);
    members
}

fn form(members: &Members) -> String {
    form::write(members.iter().map(|(name, value)| (name.as_str(), value.as_slice())))
}

fn unchanged(_: &mut Members) {}

fn turned(account: &Account, before: Edit<'_>, after: Edit<'_>) -> &'static str {
    read(account, b"", form(&call(account, before, after)).as_bytes()).unwrap_err().1.sub_code
}

#[test]
fn members_are_read_from_the_query_and_from_the_body() {
    let account = account();
    let members = call(&account, &|members| put(members, "notify_url", "http://127.0.0.1/n?a=1&b=2"), &unchanged);
    let (in_body, in_query): (Members, Members) = members.clone().into_iter().partition(|(name, _)| name == "biz_content");
    for (query, body) in [(form(&in_query), form(&in_body)), (form(&members), String::new()), (String::new(), form(&members))] {
        let call = read(&account, query.as_bytes(), body.as_bytes()).unwrap();
        assert_eq!((call.method, call.charset), (Method::Query, Charset::Utf8));
        assert_eq!(call.notify_url.as_deref(), Some("http://127.0.0.1/n?a=1&b=2"));
        assert_eq!(call.biz_content, r#"{"out_trade_no":"1"}"#);
    }
}

#[test]
fn a_call_in_gbk_is_verified_on_its_bytes_and_read_as_text() {
    let account = account();
    let content = "{\"subject\":\"编程课程\"}";
    let members = call(
        &account,
        &|members| {
            put(members, "charset", "GBK");
            members.insert("biz_content".to_owned(), Charset::Gbk.encode(content));
        },
        &unchanged,
    );
    let call = read(&account, b"", form(&members).as_bytes()).unwrap();
    assert_eq!((call.charset, call.biz_content.as_str()), (Charset::Gbk, content));
}

#[test]
fn each_missing_member_is_named() {
    let account = account();
    for (member, expected) in [
        ("method", "isv.missing-method"),
        ("app_id", "isv.missing-app-id"),
        ("sign_type", "isv.missing-signature-type"),
        ("charset", "isv.missing-charset"),
        ("timestamp", "isv.missing-timestamp"),
        ("version", "isv.missing-version"),
        ("biz_content", "isv.missing-biz-content"),
    ] {
        assert_eq!(
            turned(
                &account,
                &|members| {
                    members.remove(member);
                },
                &unchanged
            ),
            expected
        );
        assert_eq!(turned(&account, &|members| put(members, member, " "), &unchanged), expected);
    }
    assert_eq!(
        turned(&account, &unchanged, &|members| {
            members.remove("sign");
        }),
        "isv.missing-signature"
    );
}

#[test]
fn each_wrong_member_is_named() {
    let account = account();
    for (member, value, expected) in [
        ("app_id", "2021000000000000", "isv.invalid-app-id"),
        ("method", "alipay.trade.pay", "isv.invalid-method"),
        ("sign_type", "RSA", "isv.invalid-signature-type"),
        ("charset", "latin1", "isv.invalid-charset"),
        ("timestamp", "2026-03-05T14:08:09Z", "isv.invalid-timestamp"),
        ("version", "2.0", "isv.invalid-version"),
        ("format", "XML", "isv.invalid-format"),
        ("encrypt_type", "AES", "isv.invalid-encrypt-type"),
    ] {
        assert_eq!(turned(&account, &|members| put(members, member, value), &unchanged), expected, "{member}");
    }
}

#[test]
fn bytes_of_another_character_set_than_named_are_refused() {
    let account = account();
    let gbk = |members: &mut Members| {
        members.insert("biz_content".to_owned(), Charset::Gbk.encode("{\"subject\":\"书\"}"));
    };
    assert_eq!(turned(&account, &gbk, &unchanged), "isv.invalid-charset");
}

#[test]
fn anything_changed_after_signing_is_refused() {
    let account = account();
    for after in [
        &(|members: &mut Members| put(members, "biz_content", "{}")) as Edit<'_>,
        &|members| put(members, "notify_url", "http://127.0.0.1/"),
        &|members| {
            members.remove("format");
        },
        &|members| put(members, "sign", "AAAA"),
    ] {
        assert_eq!(turned(&account, &unchanged, after), "isv.invalid-signature");
    }
    let with_another_key = |members: &mut Members| {
        let sign = signature::sign(&account.platform_key, &signature::canonical_request(members)).unwrap();
        put(members, "sign", &sign);
    };
    assert_eq!(turned(&account, &unchanged, &with_another_key), "isv.invalid-signature");
}

#[test]
fn empty_members_are_neither_signed_nor_read() {
    let account = account();
    let members = call(&account, &unchanged, &|members| put(members, "notify_url", ""));
    assert_eq!(read(&account, b"", form(&members).as_bytes()).unwrap().notify_url, None);
}

#[test]
fn a_form_that_cannot_be_read_or_contradicts_itself_is_refused() {
    let account = account();
    let good = form(&call(&account, &unchanged, &unchanged));
    for (query, body) in [("", "a=%zz"), ("%zz", good.as_str()), ("version=2.0", good.as_str()), ("", "")] {
        let (method, turned) = read(&account, query.as_bytes(), body.as_bytes()).unwrap_err();
        assert_eq!(method, None);
        let expected = if body.is_empty() { "isv.missing-method" } else { "isv.invalid-parameter" };
        assert_eq!(turned.sub_code, expected);
    }
    assert!(read(&account, b"version=1.0", good.as_bytes()).is_ok());
}

#[test]
fn the_application_is_checked_before_the_signature() {
    let account = account();
    let after = |members: &mut Members| {
        put(members, "app_id", "1");
        put(members, "sign", "AAAA");
    };
    let members = call(&account, &unchanged, &after);
    let (method, turned) = read(&account, b"", form(&members).as_bytes()).unwrap_err();
    assert_eq!((method, turned.sub_code, turned.code), (Some(Method::Query), "isv.invalid-app-id", "40002"));
}
