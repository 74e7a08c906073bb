//! What the doctor says of WeChat Pay, both protocols.

use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use serde_json::{Value, json};

use super::{Patient, SHARED, chmod, free_port, run};

/// WeChat Pay, live, as the sandbox is one: with its merchant's keys in files, by these members of its credentials.
fn live(held: &Value) -> Patient {
    let text = |name: &str| held[name].as_str().unwrap();
    let patient = Patient::new();
    for (file, member) in [
        ("v3.key", "api_v3_key"),
        ("v2.key", "api_v2_key"),
        ("merchant.pem", "merchant_private_key"),
        ("merchant.crt", "merchant_certificate"),
        ("wechat.pem", "public_key"),
    ] {
        write(&patient, file, text(member));
    }
    patient
        .with("PAYSTREAM_WECHAT_MCHID", text("mchid"))
        .with("PAYSTREAM_WECHAT_APPID", text("appid"))
        .with("PAYSTREAM_WECHAT_BASE_URL", text("base_url"))
        .with("PAYSTREAM_WECHAT_API_V3_KEY_FILE", "v3.key")
        .with("PAYSTREAM_WECHAT_MERCHANT_SERIAL", text("merchant_serial"))
        .with("PAYSTREAM_WECHAT_MERCHANT_PRIVATE_KEY_FILE", "merchant.pem")
        .with("PAYSTREAM_WECHAT_PUBLIC_KEY_FILES", &format!("{}=wechat.pem", text("public_key_id")))
        .with("PAYSTREAM_WECHAT_FETCH_CERTIFICATES", "on")
        .with("PAYSTREAM_PUBLIC_URL", "https://pay.example.com")
}

fn certified(patient: Patient) -> Patient {
    patient.with("PAYSTREAM_WECHAT_MERCHANT_CERTIFICATE_FILE", "merchant.crt")
}

fn with_v2(patient: Patient) -> Patient {
    patient.with("PAYSTREAM_WECHAT_V2_API_KEY_FILES", "v2.key").with("PAYSTREAM_WECHAT_V2_SERVER_IP", "127.0.0.1")
}

fn write(patient: &Patient, file: &str, text: &str) {
    let path = patient.folder.path().join(file);
    std::fs::write(&path, text).unwrap();
    chmod(&path, 0o600);
}

async fn held() -> Value {
    SHARED.get().await.api().get("/sandbox/credentials").send().await.expect(200).json()["wechat"].clone()
}

#[test]
fn a_good_configuration_of_wechat_pay_has_nothing_wrong() {
    run(async {
        let held = held().await;
        with_v2(certified(live(&held))).assert_well();
        let bare = live(&held);
        bare.assert_well();
        assert!(bare.seen().1.contains("PAYSTREAM_WECHAT_MERCHANT_CERTIFICATE_FILE"), "its end is not watched");
        // Several API v3 keys, while one follows another.
        let both = live(&held).with("PAYSTREAM_WECHAT_API_V3_KEY_FILE", "next.key,v3.key");
        write(&both, "next.key", "0123456789abcdef0123456789abcdef");
        both.assert_well();
    });
}

#[test]
fn keys_of_wechat_pay_that_do_not_match_are_named() {
    run(async {
        let held = held().await;
        let mut random = rsa::rand_core::OsRng;
        let other = rsa::RsaPrivateKey::new(&mut random, 2048).unwrap();
        let (private, public) =
            (other.to_pkcs8_pem(LineEnding::LF).unwrap(), other.to_public_key().to_public_key_pem(LineEnding::LF).unwrap());
        let changed = |patient: Patient, file: &str, text: &str| {
            write(&patient, file, text);
            patient
        };
        let key = "PAYSTREAM_WECHAT_MERCHANT_PRIVATE_KEY_FILE";
        changed(live(&held), "merchant.pem", &private).assert_wrong(key, &["SIGN_ERROR"]);
        live(&held).with("PAYSTREAM_WECHAT_MERCHANT_SERIAL", "0123456789ABCDEF").assert_wrong(key, &["SIGN_ERROR"]);
        let certificate = "PAYSTREAM_WECHAT_MERCHANT_CERTIFICATE_FILE";
        changed(certified(live(&held)), "merchant.pem", &private).assert_wrong(certificate, &["its key is not the one"]);
        let other_serial = certified(live(&held)).with("PAYSTREAM_WECHAT_MERCHANT_SERIAL", "0123456789ABCDEF");
        other_serial.assert_wrong(certificate, &["another serial number"]);
        let v3_key = "PAYSTREAM_WECHAT_API_V3_KEY_FILE";
        changed(live(&held), "v3.key", "0123456789abcdef0123456789abcdef").assert_wrong(v3_key, &["cannot be decrypted"]);
        changed(live(&held), "v3.key", "0123456789abcdef").assert_wrong(v3_key, &["32 letters and digits"]);
        changed(live(&held), "wechat.pem", &public).assert_wrong("PAYSTREAM_WECHAT_PUBLIC_KEY_FILES", &["not proven"]);
        let authority = live(&held).with("PAYSTREAM_WECHAT_PLATFORM_AUTHORITY_FILE", "merchant.crt");
        authority.assert_wrong("PAYSTREAM_WECHAT_PLATFORM_AUTHORITY_FILE", &["not issued by this authority"]);
        let v2_key = changed(with_v2(live(&held)), "v2.key", "0123456789abcdef0123456789abcdef");
        v2_key.assert_wrong("PAYSTREAM_WECHAT_V2_API_KEY_FILES", &["refuses"]);
        let nowhere = with_v2(live(&held)).with("PAYSTREAM_WECHAT_BASE_URL", &format!("http://127.0.0.1:{}", free_port()));
        nowhere.assert_wrong("PAYSTREAM_WECHAT_BASE_URL", &["does not answer"]);
    });
}

#[test]
fn a_certificate_that_soon_ends_is_told_of_and_one_that_is_not_configured_too() {
    run(async {
        let server = SHARED.get().await;
        let (old, api) = (held().await, server.api());
        let wish = json!({"key": "merchant_certificate", "life_days": 10});
        let changed = api.post("/sandbox/wechat/keys/rotate", &wish).send().await.expect(200).json();
        let ending = certified(live(&changed["wechat"]));
        ending.assert_well();
        let said = ending.seen().1;
        let is_told =
            |line: &str| line.starts_with("note") && line.contains(changed["serial"].as_str().unwrap()) && line.contains("ends on");
        assert!(said.lines().any(is_told), "{said}");
        // Without fetching, a certificate that WeChat Pay signs with must be laid down by hand.
        let by_hand = live(&old).with("PAYSTREAM_WECHAT_FETCH_CERTIFICATES", "off");
        by_hand.assert_well();
        let said = by_hand.seen().1;
        let is_told = |line: &str| line.starts_with("note") && line.contains("PAYSTREAM_WECHAT_PLATFORM_CERTIFICATE_FILES");
        assert!(said.lines().any(is_told), "{said}");
    });
}
