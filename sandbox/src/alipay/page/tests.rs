use super::*;
use crate::alipay::account::tests::account;
use crate::trade::tests::{at, coded, number};

fn paid(return_url: Option<&str>) -> Trade {
    let trade = Trade { return_url: return_url.map(str::to_owned), ..coded() };
    trade.paid(at(5), number, trade.amount).unwrap()
}

fn address(return_url: Option<&str>) -> Option<String> {
    return_address(&account(), &paid(return_url), at(6)).unwrap()
}

#[test]
fn a_return_keeps_what_the_merchants_address_had() {
    for (return_url, expected) in [
        ("http://127.0.0.1/r", "http://127.0.0.1/r?app_id="),
        ("http://127.0.0.1/r?", "http://127.0.0.1/r?app_id="),
        ("http://127.0.0.1/r?a=1&b=%20", "http://127.0.0.1/r?a=1&b=%20&app_id="),
    ] {
        assert!(address(Some(return_url)).unwrap().starts_with(expected), "{return_url}");
    }
    let with_fragment = address(Some("http://127.0.0.1/r#top")).unwrap();
    assert!(with_fragment.contains("r?app_id=") && with_fragment.ends_with("#top"), "{with_fragment}");
}

#[test]
fn a_return_is_signed_as_a_notification_is() {
    let back = address(Some("http://127.0.0.1/r")).unwrap();
    let mut members = Members::new();
    form::read_into(&mut members, back.split_once('?').unwrap().1.as_bytes()).unwrap();
    let key = rsa::signature::Keypair::verifying_key(&account().platform_key);
    assert!(signature::verify(&key, &signature::canonical_notification(&members), &members["sign"]));
    assert!(!signature::verify(&key, &signature::canonical_request(&members), &members["sign"]));
    assert_eq!(members["timestamp"], b"2026-03-05 14:08:15");
}

#[test]
fn without_an_address_there_is_no_return() {
    assert_eq!((address(None), address(Some("nowhere"))), (None, None));
}
