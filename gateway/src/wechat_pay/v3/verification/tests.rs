use proptest::prelude::*;

use super::super::tests::{PLATFORM_SERIAL, PUBLIC_KEY_ID, config, key_text, now, settings, signed, signed_by};
use super::*;
use crate::wechat_pay::v3::keys::{MerchantKey, PlatformKey};

const BODY: &[u8] = br#"{"code_url":"weixin://wxpay/bizpayurl?pr=p4lpSuKzz"}"#;

type Headers = Vec<(String, Vec<u8>)>;

fn keys() -> PlatformKeys {
    config(&settings()).platform_keys
}

fn verify(headers: &Headers, body: &[u8], at: DateTime<Utc>) -> Result<(), Unverified> {
    SignedHeaders::read(headers)?.verify(body, &keys(), at)
}

fn with(change: impl FnOnce(&mut Headers)) -> Result<(), Unverified> {
    let mut headers = signed(BODY, now());
    change(&mut headers);
    verify(&headers, BODY, now())
}

fn set(headers: &mut Headers, name: &str, value: &[u8]) {
    let header = headers.iter_mut().find(|(header, _)| header == name).unwrap();
    header.1 = value.to_vec();
}

#[test]
fn what_wechat_pay_signed_is_believed_under_either_kind_of_key() {
    assert_eq!(with(|_| {}), Ok(()));
    let headers = signed_by("wechat_platform_private_pkcs8.pem", PLATFORM_SERIAL, BODY, now());
    assert_eq!(verify(&headers, BODY, now()), Ok(()));
}

#[test]
fn each_missing_header_is_missing() {
    for name in ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-signature", "wechatpay-serial"] {
        assert_eq!(with(|headers| headers.retain(|(header, _)| header != name)), Err(Unverified::MissingHeader), "{name}");
        assert_eq!(with(|headers| set(headers, name, b"")), Err(Unverified::MissingHeader), "{name}");
    }
    assert_eq!(verify(&Vec::new(), BODY, now()), Err(Unverified::MissingHeader));
    // Also beside one that cannot be read.
    let both = with(|headers| {
        set(headers, "wechatpay-serial", b"\xff");
        headers.retain(|(header, _)| header != "wechatpay-signature");
    });
    assert_eq!(both, Err(Unverified::MissingHeader));
    // The algorithm need not be named.
    assert_eq!(with(|headers| headers.retain(|(header, _)| header != "wechatpay-signature-type")), Ok(()));
}

#[test]
fn a_header_that_stands_twice_is_refused() {
    for name in ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-signature", "wechatpay-serial", "wechatpay-signature-type"] {
        let twice = |headers: &mut Headers| {
            let value = headers.iter().find(|(header, _)| header == name).unwrap().1.clone();
            headers.push((name.to_uppercase(), value));
        };
        assert_eq!(with(twice), Err(Unverified::BadHeader), "{name}");
    }
}

#[test]
fn a_header_that_holds_something_else_is_refused() {
    for (name, value) in [
        ("wechatpay-timestamp", b"1772690912.0".as_slice()),
        ("wechatpay-timestamp", b"-1"),
        ("wechatpay-timestamp", b"+1796104112"),
        ("wechatpay-timestamp", b"99999999999999999999"),
        ("wechatpay-timestamp", "１".as_bytes()),
        ("wechatpay-nonce", b"a\nb"),
        ("wechatpay-nonce", b"a b"),
        ("wechatpay-nonce", b"\xff"),
        ("wechatpay-nonce", &[b'a'; 129]),
        ("wechatpay-serial", b"PUB KEY"),
        ("wechatpay-serial", b"../../etc"),
        ("wechatpay-serial", &[b'A'; 2049]),
        ("wechatpay-signature", &[b'A'; 2049]),
        ("wechatpay-signature-type", &[b'A'; 2049]),
    ] {
        assert_eq!(with(|headers| set(headers, name, value)), Err(Unverified::BadHeader), "{name} {value:?}");
    }
}

#[test]
fn a_lower_algorithm_is_refused_before_anything_is_verified() {
    for algorithm in ["WECHATPAY2-SM2-WITH-SM3", "MD5", "wechatpay2-sha256-rsa2048", "WECHATPAY2-SHA1-RSA2048"] {
        assert_eq!(with(|headers| set(headers, "wechatpay-signature-type", algorithm.as_bytes())), Err(Unverified::OtherAlgorithm));
    }
}

#[test]
fn five_minutes_are_fresh_in_both_directions() {
    for (seconds, expected) in [(300, Ok(())), (-300, Ok(())), (301, Err(Unverified::ClockSkew)), (-301, Err(Unverified::ClockSkew))] {
        let headers = signed(BODY, now() - TimeDelta::seconds(seconds));
        assert_eq!(verify(&headers, BODY, now()), expected, "{seconds}");
    }
    // Whatever the signature is worth.
    let stale = with(|headers| {
        set(headers, "wechatpay-timestamp", b"0");
        set(headers, "wechatpay-serial", b"UNKNOWN");
    });
    assert_eq!(stale, Err(Unverified::ClockSkew));
    assert_eq!(with(|headers| set(headers, "wechatpay-timestamp", b"9999999999999999")), Err(Unverified::ClockSkew));
}

#[test]
fn only_the_named_key_counts() {
    assert_eq!(with(|headers| set(headers, "wechatpay-serial", b"PUB_KEY_ID_00")), Err(Unverified::UnknownSerial));
    assert_eq!(with(|headers| set(headers, "wechatpay-serial", PLATFORM_SERIAL.as_bytes())), Err(Unverified::BadSignature));
    let lower = PUBLIC_KEY_ID.to_ascii_lowercase();
    assert_eq!(with(|headers| set(headers, "wechatpay-serial", lower.as_bytes())), Err(Unverified::UnknownSerial));
    for other in ["wechat_mch_private_pkcs8.pem", "wechat_other_private_pkcs8.pem", "wechat_platform_private_pkcs8.pem"] {
        let headers = signed_by(other, PUBLIC_KEY_ID, BODY, now());
        assert_eq!(verify(&headers, BODY, now()), Err(Unverified::BadSignature), "{other}");
    }
}

#[test]
fn a_certificate_whose_time_is_over_is_refused_for_that() {
    let merchant = MerchantKey::read(&key_text("wechat_mch_private_pkcs8.pem")).unwrap();
    let key = PlatformKey::read(&key_text("wechat_pubkey_public.pem"), &merchant).unwrap();
    let mut keys = PlatformKeys::default();
    keys.insert(PUBLIC_KEY_ID.to_owned(), key.until(now()));
    let headers = signed(BODY, now());
    let verify = |at| SignedHeaders::read(&headers).unwrap().verify(BODY, &keys, at);
    assert_eq!(verify(now()), Ok(()));
    assert_eq!(verify(now() + TimeDelta::seconds(1)), Err(Unverified::ExpiredKey));
}

#[test]
fn a_test_of_wechat_pay_s_fails_and_is_known_for_what_it_is() {
    let probe = |headers: &mut Headers| {
        let mut signature = headers.iter().find(|(header, _)| header == "wechatpay-signature").unwrap().1.clone();
        signature[..PROBE.len()].copy_from_slice(PROBE);
        set(headers, "wechatpay-signature", &signature);
    };
    assert_eq!(with(probe), Err(Unverified::Probe));
    // A serial that nobody knows is said first.
    let unknown = with(|headers| {
        probe(headers);
        set(headers, "wechatpay-serial", b"PUB_KEY_ID_00");
    });
    assert_eq!(unknown, Err(Unverified::UnknownSerial));
}

#[test]
fn serials_of_certificates_are_told_from_ids_of_public_keys() {
    assert!(is_certificate_serial(PLATFORM_SERIAL));
    for other in [PUBLIC_KEY_ID, "", "5157F09EFDC096DE15EBE81A47057A7232F1B8EG", &"A".repeat(65)] {
        assert!(!is_certificate_serial(other), "{other}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_changed_byte_of_the_body_is_noticed(place in 0..BODY.len(), change in 1_u8..) {
        let mut body = BODY.to_vec();
        body[place] ^= change;
        prop_assert_eq!(verify(&signed(BODY, now()), &body, now()), Err(Unverified::BadSignature));
    }

    #[test]
    fn a_body_that_is_cut_or_longer_is_noticed(length in 0..BODY.len(), more in prop::collection::vec(any::<u8>(), 1..8)) {
        let headers = signed(BODY, now());
        prop_assert_eq!(verify(&headers, &BODY[..length], now()), Err(Unverified::BadSignature));
        prop_assert_eq!(verify(&headers, &[BODY, &more].concat(), now()), Err(Unverified::BadSignature));
    }

    #[test]
    fn no_headers_make_it_panic_or_believe(
        headers in prop::collection::vec(("(?i)wechatpay-(serial|nonce|signature|timestamp|signature-type)", prop::collection::vec(any::<u8>(), 0..400)), 0..8),
        body in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        prop_assert!(verify(&headers, &body, now()).is_err());
    }

    #[test]
    fn no_value_of_one_header_makes_it_panic_or_believe(
        name in prop::sample::select(vec!["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-signature", "wechatpay-serial"]),
        value in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        prop_assert!(with(|headers| set(headers, name, &value)).is_err());
    }
}
