use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;

use super::super::tests::{PLATFORM_SERIAL, PLATFORM2_SERIAL, key_text, now};
use super::*;
use crate::rsa::der;

fn merchant() -> MerchantKey {
    MerchantKey::read(&key_text("wechat_mch_private_pkcs8.pem")).unwrap()
}

fn made(size: KeySize) -> (String, String) {
    let pair = KeyPair::generate(size).unwrap();
    let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    (STANDARD.encode(private.as_ref()), STANDARD.encode(public.as_ref()))
}

#[test]
fn a_private_key_is_read_in_every_form() {
    let pkcs8 = merchant();
    let pkcs1 = MerchantKey::read(&key_text("wechat_mch_private_pkcs1.pem")).unwrap();
    let bare: String = key_text("wechat_mch_private_pkcs8.pem").lines().filter(|line| !line.starts_with('-')).collect();
    let bare = MerchantKey::read(&bare).unwrap();
    let signed = [&pkcs8, &pkcs1, &bare].map(|key| key.sign(b"x").unwrap());
    assert!(signed.iter().all(|signature| *signature == signed[0]));
}

#[test]
fn what_is_no_private_key_is_refused_with_its_reason() {
    let refused = |text: &str| MerchantKey::read(text).err().unwrap();
    assert_eq!(refused(" \n"), KeyError::Missing);
    for text in ["x", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
        assert_eq!(refused(text), KeyError::Unreadable, "{text}");
    }
    assert_eq!(refused(&key_text("wechat_mch_public.pem")), KeyError::Unreadable);
    assert_eq!(refused(&key_text("wechat_mch_cert.pem")), KeyError::Unreadable);
    assert_eq!(refused(&made(KeySize::Rsa3072).0), KeyError::WrongSize);
}

#[test]
fn what_is_no_key_of_wechat_pay_s_is_refused_with_its_reason() {
    let refused = |text: &str| PlatformKey::read(text, &merchant()).err().unwrap();
    assert_eq!(refused(""), KeyError::Missing);
    assert_eq!(refused("x"), KeyError::Unreadable);
    assert_eq!(refused(&key_text("wechat_pubkey_private_pkcs8.pem")), KeyError::Unreadable);
    assert_eq!(refused(&key_text("wechat_mch_public.pem")), KeyError::MerchantKey);
    assert!(PlatformKey::read(&key_text("wechat_pubkey_public.pem"), &merchant()).is_ok());
    let own = Certificate::read(&key_text("wechat_mch_cert.pem")).unwrap();
    assert_eq!(PlatformKey::of_certificate(&own, &merchant()).err(), Some(KeyError::MerchantKey));
}

#[test]
fn a_certificate_counts_between_its_dates() {
    let certificate = Certificate::read(&key_text("wechat_platform_cert.pem")).unwrap();
    assert_eq!(certificate.serial, PLATFORM_SERIAL);
    assert_eq!(certificate.check_time(now()), Ok(()));
    assert_eq!(certificate.check_time("2026-11-21T02:17:33Z".parse().unwrap()), Err(KeyError::NotYetValid));
    assert_eq!(certificate.check_time("2026-11-21T02:17:34Z".parse().unwrap()), Ok(()));
    assert_eq!(certificate.check_time("2046-11-16T02:17:34Z".parse().unwrap()), Ok(()));
    assert_eq!(certificate.check_time("2046-11-16T02:17:35Z".parse().unwrap()), Err(KeyError::Expired));
}

#[test]
fn a_certificate_is_of_its_issuer_and_of_its_key_alone() {
    let read = |file: &str| Certificate::read(&key_text(file)).unwrap();
    let (one, other) = (read("wechat_platform_cert.pem"), read("wechat_platform2_cert.pem"));
    assert_eq!(other.serial, PLATFORM2_SERIAL);
    assert_eq!(one.check_issuer(&one), Ok(()));
    assert_eq!(one.check_issuer(&other), Err(KeyError::OtherIssuer));
    assert_eq!(one.check_pair(&merchant()), Err(KeyError::NotThePair));
    assert_eq!(read("wechat_mch_cert.pem").check_pair(&merchant()), Ok(()));
}

#[test]
fn a_changed_certificate_is_not_its_issuer_s() {
    let bytes = der(&key_text("wechat_platform_cert.pem")).unwrap();
    let authority = Certificate::read(&key_text("wechat_platform_cert.pem")).unwrap();
    // The last bytes are the signature; those before are what is signed.
    for place in [200, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        if let Ok(certificate) = Certificate::read(&STANDARD.encode(&changed)) {
            assert_eq!(certificate.check_issuer(&authority), Err(KeyError::OtherIssuer), "{place}");
        }
    }
}

#[test]
fn what_is_no_certificate_is_refused() {
    let refused = |text: &str| Certificate::read(text).err().unwrap();
    assert_eq!(refused(""), KeyError::Missing);
    assert_eq!(refused("x"), KeyError::Unreadable);
    assert_eq!(refused(&key_text("wechat_pubkey_public.pem")), KeyError::Unreadable);
    let bytes = der(&key_text("wechat_platform_cert.pem")).unwrap();
    for length in [0, 1, 10, 100, bytes.len() - 1] {
        let text = STANDARD.encode(&bytes[..length]);
        assert!(matches!(refused(&text), KeyError::Unreadable | KeyError::Missing), "{length}");
    }
}

#[test]
fn keys_are_chosen_by_their_serial_and_dropped_when_their_time_is_over() {
    let key = PlatformKey::read(&key_text("wechat_pubkey_public.pem"), &merchant()).unwrap();
    let certificate = Certificate::read(&key_text("wechat_platform_cert.pem")).unwrap();
    let certified = PlatformKey::of_certificate(&certificate, &merchant()).unwrap();
    let mut keys = PlatformKeys::default();
    keys.insert("PUB_KEY_ID_1".to_owned(), key);
    keys.insert(PLATFORM_SERIAL.to_owned(), certified.clone());
    keys.insert("ENDS".to_owned(), certified.until(now()));
    assert_eq!(keys.expiries().len(), 2);
    keys.drop_expired(now());
    assert!(keys.get("ENDS").is_some());
    keys.drop_expired(now() + chrono::TimeDelta::seconds(1));
    assert!(keys.get("ENDS").is_none() && keys.get("PUB_KEY_ID_1").is_some() && keys.get("pub_key_id_1").is_none());
    let serial = PLATFORM_SERIAL.to_owned();
    assert_eq!(keys.expiries(), [KeyExpiry { serial, expires_at: certificate.not_after }]);
}

#[test]
fn what_is_not_encrypted_for_us_is_not_decrypted() {
    for text in ["", "x", "AAAA", &STANDARD.encode([7; 256]), &STANDARD.encode([7; 255]), &STANDARD.encode([0; 256])] {
        assert!(merchant().decrypt(text).is_none(), "{text}");
    }
}
