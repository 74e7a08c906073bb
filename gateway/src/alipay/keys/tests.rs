use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use proptest::prelude::*;

use super::*;
use crate::alipay::tests::key_text;

impl AlipayKeys {
    /// Whether plain public keys verify a signature; they have no dates.
    fn believes(&self, message: &[u8], sign: &[u8]) -> bool {
        self.verify(message, sign, None, DateTime::UNIX_EPOCH).is_ok()
    }
}

fn application() -> ApplicationKey {
    ApplicationKey::read(&key_text("alipay_app_private_pkcs8.pem")).unwrap()
}

fn alipay(texts: &[String]) -> Result<AlipayKeys, (usize, KeyError)> {
    AlipayKeys::read(texts.iter().map(String::as_str), &application())
}

fn refused(text: &str) -> KeyError {
    ApplicationKey::read(text).err().unwrap()
}

/// A signature by Alipay's side.
fn sign(file: &str, message: &[u8]) -> String {
    ApplicationKey::read(&key_text(file)).unwrap().sign(message).unwrap()
}

#[test]
fn the_structure_decides_and_not_the_label() {
    let pkcs1 = key_text("alipay_app_private_pkcs1.pem").replace("RSA PRIVATE KEY", "PRIVATE KEY");
    let pkcs8 = key_text("alipay_app_private_pkcs8.pem").replace("PRIVATE KEY", "RSA PRIVATE KEY");
    let expected = application().sign(b"x").unwrap();
    for text in [pkcs1, pkcs8] {
        assert_eq!(ApplicationKey::read(&text).unwrap().sign(b"x").unwrap(), expected);
    }
}

#[test]
fn a_missing_or_unreadable_private_key_is_refused() {
    assert_eq!((refused(""), refused(" \n")), (KeyError::Missing, KeyError::Missing));
    let pem = key_text("alipay_app_private_pkcs8.pem");
    let truncated = pem.get(..pem.len() / 2).unwrap();
    let bare = key_text("alipay_app_private_pkcs8.b64");
    let bare = bare.trim();
    let short = bare.get(..bare.len() - 4).unwrap();
    let public = key_text("alipay_app_public.pem");
    let armour_only = "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----";
    for text in ["hunter2", truncated, short, public.as_str(), armour_only, "-----BEGIN ", "-----BEGIN X-----", "AAAA", "书"] {
        assert_eq!(refused(text), KeyError::Unreadable, "{text:.20}");
    }
}

#[test]
fn a_private_key_of_another_size_is_refused() {
    let large = RsaKeyPair::generate(KeySize::Rsa3072).unwrap();
    let der: Pkcs8V1Der<'_> = large.as_der().unwrap();
    assert_eq!(refused(&STANDARD.encode(der.as_ref())), KeyError::WrongSize);
}

#[test]
fn an_alipay_key_is_read_as_pem_and_as_base64() {
    let pem = key_text("alipay_platform_public.pem");
    let bare = key_text("alipay_platform_public.b64");
    let wrapped = bare.trim().as_bytes().chunks(50).map(|line| str::from_utf8(line).unwrap()).collect::<Vec<_>>().join(" \r\n\t");
    let sign = sign("alipay_platform_private_pkcs8.pem", b"message");
    for text in [pem, bare, wrapped] {
        let keys = alipay(&[text]).unwrap();
        assert!(keys.believes(b"message", sign.as_bytes()));
        assert!(!keys.believes(b"massage", sign.as_bytes()));
    }
}

#[test]
fn the_place_of_a_bad_alipay_key_is_named() {
    let good = key_text("alipay_platform_public.pem");
    assert_eq!(alipay(&[]).err(), Some((0, KeyError::Missing)));
    assert_eq!(alipay(&[String::new()]).err(), Some((0, KeyError::Missing)));
    assert_eq!(alipay(&[good.clone(), "x".to_owned()]).err(), Some((1, KeyError::Unreadable)));
    assert_eq!(alipay(&[key_text("alipay_platform_cert.crt")]).err(), Some((0, KeyError::Unreadable)));
    assert_eq!(alipay(&[good, key_text("alipay_app_public.b64")]).err(), Some((1, KeyError::ApplicationKey)));
}

#[test]
fn a_small_alipay_key_is_refused() {
    // A public key of 1024 bits; nobody kept its private half.
    let small = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ";
    assert!(alipay(&[small.to_owned()]).is_err());
    let der = small_public_key();
    assert!(matches!(alipay(&[STANDARD.encode(der)]).err(), Some((0, KeyError::WrongSize | KeyError::Unreadable))));
}

/// The structure of a public key with a modulus of 1024 bits and the exponent 65537.
fn small_public_key() -> Vec<u8> {
    let mut der = vec![0x30, 0x81, 0x9f, 0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0, 3, 0x81, 0x8d, 0];
    der.extend([0x30, 0x81, 0x89, 2, 0x81, 0x81, 0]);
    der.extend([0xc5; 128]);
    der.extend([2, 3, 1, 0, 1]);
    der
}

#[test]
fn any_of_several_keys_verifies() {
    let (old, new) = (key_text("alipay_platform_public.pem"), key_text("alipay_other_public.pem"));
    let both = alipay(&[old.clone(), new]).unwrap();
    let by_old = sign("alipay_platform_private_pkcs8.pem", b"m");
    let by_new = sign("alipay_other_private_pkcs8.pem", b"m");
    let by_us = sign("alipay_app_private_pkcs8.pem", b"m");
    assert_eq!(both.count(), 2);
    assert!(both.believes(b"m", by_old.as_bytes()) && both.believes(b"m", by_new.as_bytes()));
    assert!(!both.believes(b"m", by_us.as_bytes()));
    assert!(!alipay(&[old]).unwrap().believes(b"m", by_new.as_bytes()));
}

#[test]
fn a_signature_that_is_not_strict_base64_is_refused() {
    let keys = alipay(&[key_text("alipay_platform_public.pem")]).unwrap();
    let sign = sign("alipay_platform_private_pkcs8.pem", b"m");
    assert!(keys.believes(b"m", sign.as_bytes()));
    let url_safe = sign.replace('+', "-").replace('/', "_");
    let too_long = "A".repeat(4 * SIGNATURE_LIMIT);
    for bad in ["", " ", "not base64!", &*format!("{sign}\n"), &*format!(" {sign}"), sign.trim_end_matches('='), &*url_safe, &*too_long] {
        assert!(!keys.believes(b"m", bad.as_bytes()), "{bad}");
    }
}

#[test]
fn no_error_shows_the_key() {
    let text = key_text("alipay_app_private_pkcs8.b64");
    let cut = text.get(1..).unwrap();
    let error = refused(cut);
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(cut.get(..16).unwrap()), "{shown}");
}

#[test]
fn alipays_key_may_be_larger_than_the_applications() {
    let large = RsaKeyPair::generate(KeySize::Rsa3072).unwrap();
    let public: PublicKeyX509Der<'_> = large.public_key().as_der().unwrap();
    let mut signature = vec![0; large.public_modulus_len()];
    large.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), b"m", &mut signature).unwrap();
    let keys = alipay(&[STANDARD.encode(public.as_ref())]).unwrap();
    assert!(keys.believes(b"m", STANDARD.encode(signature).as_bytes()));
}

proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(text in "(-----BEGIN )?[ -~\n]{0,80}(-----END)?", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let application = application();
        let base64 = STANDARD.encode(&bytes);
        for text in [text.as_str(), base64.as_str()] {
            prop_assert!(ApplicationKey::read(text).is_err());
            prop_assert!(AlipayKeys::read([text], &application).is_err());
        }
        let keys = alipay(&[key_text("alipay_platform_public.pem")]).unwrap();
        prop_assert!(!keys.believes(&bytes, text.as_bytes()));
        prop_assert!(!keys.believes(&bytes, &bytes));
    }
}
