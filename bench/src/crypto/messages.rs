//! What is signed, verified and decrypted: a merchant of each protocol with throwaway keys, and genuine messages for it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chassis::clock::{Clock, SystemClock};
use domain::{Channel, Currency, Money};
use gateway::alipay::{AlipayConfig, AlipayGateway, AlipaySettings, PAGE_PRODUCT_CODE};
use gateway::wechat_pay::{v2, v3};
use gateway::{FormRequest, Gateway, RawNotification};
use md5::{Digest as _, Md5};
use serde_json::json;

use super::Operation;
use crate::trouble::{Doing, Trouble};

const NUMBER: &str = "723100000000000101";
const PREPAY_ID: &str = "wx201410272009395522657a690389285100";
const NONCE: &str = "c5ac7061fccab6bf3e254dcf98995b8c";
/// Of both protocols of WeChat Pay: 32 letters and digits.
const API_KEY: &str = "0123456789abcdef0123456789abcdef";
const APP_ID: &str = "wx0123456789abcdef";
const MCH_ID: &str = "1900000109";
const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_0100000000000000000000000000000001";

/// A key pair with its texts, as settings take them.
struct Pair {
    key: KeyPair,
    private: String,
    public: String,
}

impl Pair {
    fn make() -> Result<Self, Trouble> {
        let pair = KeyPair::generate(KeySize::Rsa2048).doing("make an RSA key")?;
        let private: Pkcs8V1Der<'_> = pair.as_der().doing("write an RSA key")?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().doing("write an RSA key")?;
        let (private, public) = (STANDARD.encode(private.as_ref()), STANDARD.encode(public.as_ref()));
        Ok(Self { key: pair, private, public })
    }

    fn sign(&self, message: &[u8]) -> Result<String, Trouble> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).doing("sign")?;
        Ok(STANDARD.encode(signature))
    }
}

/// All that is measured, the bare algorithms first.
pub(super) fn operations() -> Result<Vec<Operation>, Trouble> {
    let (own, theirs) = (Pair::make()?, Pair::make()?);
    let mut operations = Vec::from(bare(&own)?);
    operations.extend(alipay(&own, &theirs)?);
    operations.extend(wechat_v3(&own, &theirs)?);
    for (digest, sign, read) in [
        ("MD5", "v2: sign a page's parameters, MD5", "v2: read a notification, MD5"),
        ("HMAC-SHA256", "v2: sign a page's parameters, HMAC", "v2: read a notification, HMAC"),
    ] {
        operations.extend(wechat_v2(digest, sign, read)?);
    }
    Ok(operations)
}

fn operation(name: &'static str, work: &'static str, once: impl Fn() -> Result<(), Trouble> + Send + Sync + 'static) -> Operation {
    Operation { name, work, once: Box::new(once) }
}

/// The algorithms alone, with the library and the parameters of the gateway, on messages as long as real ones.
fn bare(own: &Pair) -> Result<[Operation; 3], Trouble> {
    let message = vec![0x61; 700];
    let signature = STANDARD.decode(own.sign(&message)?).doing("read a signature")?;
    let public = STANDARD.decode(&own.public).doing("read a key")?;
    let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public).doing("read a key")?;
    let private = STANDARD.decode(&own.private).doing("read a key")?;
    let pair = KeyPair::from_pkcs8(&private).doing("read a key")?;
    let sealed = seal(&message)?;
    let key = aead()?;
    let (signed, verified) = (message.clone(), message);
    Ok([
        operation("RSA alone: sign 700 bytes", "RSA-2048 sign", move || {
            let mut signature = [0; 256];
            pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &signed, &mut signature).doing("sign")
        }),
        operation("RSA alone: verify 700 bytes", "RSA-2048 verify", move || public.verify_sig(&verified, &signature).doing("verify")),
        operation("resource alone: open 700 bytes", "AES-256-GCM", move || {
            let mut bytes = STANDARD.decode(&sealed).doing("read a resource")?;
            let nonce = Nonce::try_assume_unique_for_key(&NONCE.as_bytes()[..12]).doing("read a nonce")?;
            key.open_in_place(nonce, Aad::from(b"transaction"), &mut bytes).doing("open a resource").map(drop)
        }),
    ])
}

fn aead() -> Result<LessSafeKey, Trouble> {
    UnboundKey::new(&AES_256_GCM, API_KEY.as_bytes()).map(LessSafeKey::new).doing("make a key")
}

fn seal(text: &[u8]) -> Result<String, Trouble> {
    let mut bytes = text.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(&NONCE.as_bytes()[..12]).doing("make a nonce")?;
    aead()?.seal_in_place_append_tag(nonce, Aad::from(b"transaction"), &mut bytes).doing("seal a resource")?;
    Ok(STANDARD.encode(bytes))
}

fn price() -> Result<Money, Trouble> {
    Money::new(19_900, Currency::Cny).doing("make an amount")
}

fn alipay(own: &Pair, theirs: &Pair) -> Result<[Operation; 2], Trouble> {
    let settings = AlipaySettings {
        gateway_url: "http://127.0.0.1:9/gateway.do".to_owned(),
        app_id: "2026000000000001".to_owned(),
        seller_id: "2088000000000001".to_owned(),
        app_private_key: own.private.clone().into(),
        alipay_public_keys: vec![theirs.public.clone()],
        certificates: None,
        product_code: "FACE_TO_FACE_PAYMENT".to_owned(),
        timeout_ms: None,
    };
    let config = AlipayConfig::new(&settings).doing("configure Alipay")?;
    let gateway = Arc::new(AlipayGateway::new(config, Arc::new(SystemClock::default())).doing("prepare Alipay")?);
    let request = FormRequest {
        out_trade_no: NUMBER.to_owned(),
        amount: price()?,
        subject: "课程商城 Rust 系统编程".to_owned(),
        product_code: PAGE_PRODUCT_CODE.to_owned(),
        time_expire: SystemClock::default().now(),
        notify_url: "https://pay.example.com/notify/alipay".to_owned(),
        return_url: "https://pay.example.com/return/abc".to_owned(),
    };
    let notice = alipay_notice(theirs)?;
    let signing = Arc::clone(&gateway);
    Ok([
        operation("Alipay: sign a form", "RSA-2048 sign", move || signing.form(&request).doing("sign a form").map(drop)),
        operation("Alipay: read a notification", "RSA-2048 verify", move || read(gateway.as_ref(), &notice)),
    ])
}

fn read(gateway: &impl Gateway, notice: &RawNotification) -> Result<(), Trouble> {
    let read = gateway.read_notification(notice, SystemClock::default().now());
    read.map(drop).map_err(|refusal| Trouble::new(format!("a genuine notification is refused: {refusal:?}")))
}

fn alipay_notice(theirs: &Pair) -> Result<RawNotification, Trouble> {
    let mut members = BTreeMap::from([
        ("app_id", "2026000000000001"),
        ("auth_app_id", "2026000000000001"),
        ("buyer_id", "2088600000000001"),
        ("buyer_logon_id", "san***@example.com"),
        ("buyer_pay_amount", "199.00"),
        ("charset", "utf-8"),
        ("fund_bill_list", r#"[{"amount":"199.00","fundChannel":"ALIPAYACCOUNT"}]"#),
        ("gmt_create", "2026-03-05 14:08:00"),
        ("gmt_payment", "2026-03-05 14:08:09"),
        ("invoice_amount", "199.00"),
        ("notify_id", "2026030500222140809000000000000001"),
        ("notify_time", "2026-03-05 14:08:10"),
        ("notify_type", "trade_status_sync"),
        ("out_trade_no", NUMBER),
        ("receipt_amount", "199.00"),
        ("seller_id", "2088000000000001"),
        ("subject", "课程商城 Rust 系统编程"),
        ("total_amount", "199.00"),
        ("trade_no", "2026030522001477031400012341"),
        ("trade_status", "TRADE_SUCCESS"),
        ("version", "1.0"),
    ]);
    let text = members.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let sign = theirs.sign(text.as_bytes())?;
    members.extend([("sign", sign.as_str()), ("sign_type", "RSA2")]);
    let escaped = |text: &str| {
        text.bytes().fold(String::new(), |mut escaped, byte| {
            // Writing to a String cannot fail.
            let _ = if byte.is_ascii_alphanumeric() { write!(escaped, "{}", char::from(byte)) } else { write!(escaped, "%{byte:02X}") };
            escaped
        })
    };
    let body = members.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&");
    Ok(RawNotification { headers: Vec::new(), body: body.into_bytes() })
}

fn wechat_v3(own: &Pair, theirs: &Pair) -> Result<[Operation; 3], Trouble> {
    let settings = v3::WechatPaySettings {
        base_url: "http://127.0.0.1:9".to_owned(),
        mchid: MCH_ID.to_owned(),
        appid: APP_ID.to_owned(),
        app_appid: None,
        mini_program_appid: None,
        api_v3_key: API_KEY.to_owned().into(),
        other_api_v3_keys: Vec::new(),
        merchant_serial: "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB".to_owned(),
        merchant_private_key: own.private.clone().into(),
        merchant_certificate: None,
        public_keys: BTreeMap::from([(PUBLIC_KEY_ID.to_owned(), theirs.public.clone())]),
        platform_certificates: Vec::new(),
        platform_authority: None,
        fetch_platform_certificates: false,
        timeout_ms: None,
    };
    let clock = Arc::new(SystemClock::default());
    let config = v3::WechatPayConfig::new(&settings, clock.now()).doing("configure WeChat Pay")?;
    let gateway = Arc::new(v3::WechatPayGateway::jsapi(Arc::new(v3::WechatPayClient::new(config, clock).doing("prepare WeChat Pay")?)));
    let notice = v3_notice(theirs)?;
    let forged = RawNotification { body: [notice.body.as_slice(), b" "].concat(), ..notice.clone() };
    let (signing, refusing) = (Arc::clone(&gateway), Arc::clone(&gateway));
    Ok([
        operation("v3: sign a page's parameters", "RSA-2048 sign", move || {
            let now = SystemClock::default().now();
            signing.client_parameters(Channel::WechatJsapi, PREPAY_ID, now, NONCE).doing("sign parameters").map(drop)
        }),
        operation("v3: read a notification", "RSA-2048 verify, AES-256-GCM", move || read(gateway.as_ref(), &notice)),
        operation("v3: refuse a forged notification", "RSA-2048 verify", move || {
            match refusing.read_notification(&forged, SystemClock::default().now()) {
                Err(_) => Ok(()),
                Ok(_) => Err(Trouble::new("a forged notification is taken")),
            }
        }),
    ])
}

fn v3_notice(theirs: &Pair) -> Result<RawNotification, Trouble> {
    let content = json!({
        "appid": APP_ID, "mchid": MCH_ID, "out_trade_no": NUMBER, "transaction_id": "4200002345202603051234567890",
        "trade_type": "JSAPI", "trade_state": "SUCCESS", "trade_state_desc": "支付成功", "bank_type": "OTHERS", "attach": "",
        "success_time": "2026-03-05T14:08:31+08:00", "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        "amount": {"total": 19900, "payer_total": 19900, "currency": "CNY", "payer_currency": "CNY"},
    });
    let body = json!({
        "id": "EV-2026030514083200001", "create_time": "2026-03-05T14:08:32+08:00", "resource_type": "encrypt-resource",
        "event_type": "TRANSACTION.SUCCESS", "summary": "支付成功",
        "resource": {
            "original_type": "transaction", "algorithm": "AEAD_AES_256_GCM", "ciphertext": seal(content.to_string().as_bytes())?,
            "associated_data": "transaction", "nonce": &NONCE[..12],
        },
    })
    .to_string();
    // Fresh for five minutes, which the benchmark does not take.
    let timestamp = SystemClock::default().now().timestamp().to_string();
    let signature = theirs.sign(format!("{timestamp}\n{NONCE}\n{body}\n").as_bytes())?;
    let headers = [
        ("wechatpay-timestamp", timestamp),
        ("wechatpay-nonce", NONCE.to_owned()),
        ("wechatpay-signature", signature),
        ("wechatpay-serial", PUBLIC_KEY_ID.to_owned()),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.into_bytes())).to_vec();
    Ok(RawNotification { headers, body: body.into_bytes() })
}

fn wechat_v2(digest: &'static str, sign: &'static str, reads: &'static str) -> Result<[Operation; 2], Trouble> {
    let settings = v2::WechatPayV2Settings {
        base_url: "http://127.0.0.1:9".to_owned(),
        app_id: APP_ID.to_owned(),
        mobile_app_id: None,
        mch_id: MCH_ID.to_owned(),
        api_keys: vec![API_KEY.to_owned().into()],
        sign_type: digest.to_owned(),
        client_certificate: None,
        client_key: None,
        server_ip: "127.0.0.1".to_owned(),
        wap_url: None,
        wap_name: None,
        timeout_ms: None,
    };
    let config = v2::WechatPayV2Config::new(&settings).doing("configure WeChat Pay v2")?;
    let merchant = Arc::new(v2::WechatPayV2::new(config, Arc::new(SystemClock::default())).doing("prepare WeChat Pay v2")?);
    let gateway = Arc::new(merchant.gateway(Channel::WechatJsapiV2).ok_or_else(|| Trouble::new("no page inside WeChat"))?);
    let signing = Arc::clone(&gateway);
    let notice = v2_notice(digest);
    Ok([
        operation(sign, digest, move || {
            let now = SystemClock::default().now();
            signing.client_parameters(Channel::WechatJsapiV2, PREPAY_ID, now, NONCE).doing("sign parameters").map(drop)
        }),
        operation(reads, digest, move || read(gateway.as_ref(), &notice)),
    ])
}

fn v2_notice(digest: &str) -> RawNotification {
    let mut members = BTreeMap::from([
        ("appid", APP_ID.to_owned()),
        ("bank_type", "OTHERS".to_owned()),
        ("cash_fee", "19900".to_owned()),
        ("fee_type", "CNY".to_owned()),
        ("is_subscribe", "N".to_owned()),
        ("mch_id", MCH_ID.to_owned()),
        ("nonce_str", NONCE.to_owned()),
        ("openid", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned()),
        ("out_trade_no", NUMBER.to_owned()),
        ("result_code", "SUCCESS".to_owned()),
        ("return_code", "SUCCESS".to_owned()),
        ("time_end", "20260305140831".to_owned()),
        ("total_fee", "19900".to_owned()),
        ("trade_type", "JSAPI".to_owned()),
        ("transaction_id", "4200002345202603051234567890".to_owned()),
    ]);
    let text = members.iter().map(|(name, value)| format!("{name}={value}&")).collect::<Vec<_>>().concat();
    let text = format!("{text}key={API_KEY}");
    let sign: Vec<u8> = match digest {
        "MD5" => Md5::digest(&text).to_vec(),
        _ => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, API_KEY.as_bytes()), text.as_bytes()).as_ref().to_vec(),
    };
    members.insert("sign", sign.iter().fold(String::new(), |text, byte| text + &format!("{byte:02X}")));
    let inside = members.iter().map(|(name, value)| format!("<{name}><![CDATA[{value}]]></{name}>")).collect::<Vec<_>>().concat();
    RawNotification { headers: Vec::new(), body: format!("<xml>{inside}</xml>").into_bytes() }
}
