//! A merchant who speaks WeChat Pay's APIv3.

use std::time::Duration;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderMap;
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer, Verifier};
use rsa::{RsaPrivateKey, RsaPublicKey};
use sandbox::{SandboxConfig, WechatCredentials};
use serde_json::{Value, json};
use x509_cert::Certificate;
use x509_cert::der::{DecodePem, Encode};

use crate::world::{World, json_of};

/// Bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| char::from(b"0123456789abcdef"[usize::from(half)])).collect()
}

/// An answer of APIv3.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Asserts a refusal, which is never signed.
    pub(crate) fn assert_refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.json()["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert!(self.headers.get("wechatpay-signature").is_none());
    }
}

/// A merchant who speaks APIv3.
pub(crate) struct Merchant {
    pub(crate) world: World,
    pub(crate) credentials: WechatCredentials,
}

impl Merchant {
    pub(crate) async fn start() -> Self {
        let world = World::start_with(|config| SandboxConfig { fault_hold: Duration::from_millis(50), ..config }).await;
        let credentials = world.sandbox.credentials().wechat;
        Self { world, credentials }
    }

    /// The header over a call, signed with the merchant's key.
    pub(crate) fn authorization(&self, method: &str, address: &str, body: &str, timestamp: i64) -> String {
        let key = SigningKey::<Sha256>::new(RsaPrivateKey::from_pkcs8_pem(&self.credentials.merchant_private_key).unwrap());
        let sign = STANDARD.encode(key.sign(format!("{method}\n{address}\n{timestamp}\nnonce\n{body}\n").as_bytes()).to_bytes());
        format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{}\",nonce_str=\"nonce\",signature=\"{sign}\",timestamp=\"{timestamp}\",serial_no=\"{}\"",
            self.credentials.mchid, self.credentials.merchant_serial
        )
    }

    pub(crate) async fn send(&self, method: &str, address: &str, body: &str, authorization: &str, serial: Option<&str>) -> Answered {
        let url = format!("{}{address}", self.credentials.base_url);
        let mut request = self.world.client.request(method.parse().unwrap(), url).header("authorization", authorization);
        request = request.header("accept", "application/json").header("user-agent", "test").header("content-type", "application/json");
        if let Some(serial) = serial {
            request = request.header("wechatpay-serial", serial);
        }
        let response = request.body(body.to_owned()).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answered { status, headers, text: response.text().await.unwrap() }
    }

    /// A signed call; what is answered well must be signed by the newest platform certificate, or by the public key.
    pub(crate) async fn call(&self, method: &str, address: &str, body: &Value) -> Answered {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let authorization = self.authorization(method, address, &body, self.world.now().timestamp());
        let answered = self.send(method, address, &body, &authorization, Some(&self.credentials.public_key_id)).await;
        if answered.status < 300 {
            assert_eq!(answered.headers["wechatpay-serial"], self.credentials.public_key_id);
            assert!(self.is_signed(&answered.headers, &answered.text), "{}", answered.text);
        }
        answered
    }

    /// Whether a message carries a signature by the key whose serial it names.
    pub(crate) fn is_signed(&self, headers: &HeaderMap, body: &str) -> bool {
        let text = |name: &str| headers[name].to_str().unwrap();
        let serial = text("wechatpay-serial");
        let now = self.world.sandbox.credentials().wechat;
        // A key that was changed meanwhile is still held.
        let credentials = if serial == self.credentials.public_key_id { &self.credentials } else { &now };
        let key = if serial == credentials.public_key_id {
            RsaPublicKey::from_public_key_pem(&credentials.public_key).unwrap()
        } else {
            let certificate = credentials.platform_certificates.iter().find(|certificate| certificate.serial == serial).unwrap();
            let certificate = Certificate::from_pem(&certificate.certificate).unwrap();
            let key = certificate.tbs_certificate.subject_public_key_info.to_der().unwrap();
            RsaPublicKey::from_public_key_der(&key).unwrap()
        };
        let signed = format!("{}\n{}\n{body}\n", text("wechatpay-timestamp"), text("wechatpay-nonce"));
        let signature = STANDARD.decode(text("wechatpay-signature")).unwrap_or_default();
        Signature::try_from(signature.as_slice())
            .is_ok_and(|signature| VerifyingKey::<Sha256>::new(key).verify(signed.as_bytes(), &signature).is_ok())
    }

    /// Opens an encrypted part with the merchant's key.
    pub(crate) fn open(&self, sealed: &Value) -> String {
        let text = |name: &str| sealed[name].as_str().unwrap();
        let cipher = Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(self.credentials.api_v3_key.as_bytes()));
        let ciphertext = STANDARD.decode(text("ciphertext")).unwrap();
        let payload = Payload { msg: &ciphertext, aad: text("associated_data").as_bytes() };
        String::from_utf8(cipher.decrypt(Nonce::from_slice(text("nonce").as_bytes()), payload).unwrap()).unwrap()
    }

    /// A notification's event and what it holds.
    pub(crate) fn read(&self, body: &str) -> (String, Value) {
        let envelope: Value = serde_json::from_str(body).unwrap();
        let resource = serde_json::from_str(&self.open(&envelope["resource"])).unwrap();
        (envelope["event_type"].as_str().unwrap().to_owned(), resource)
    }

    pub(crate) fn order(&self, out_trade_no: &str, notify_url: &str) -> Value {
        json!({
            "appid": self.credentials.appid,
            "mchid": self.credentials.mchid,
            "description": "编程课程",
            "out_trade_no": out_trade_no,
            "attach": "a b",
            "notify_url": notify_url,
            "amount": {"total": 19_900, "currency": "CNY"},
        })
    }

    pub(crate) async fn native(&self, out_trade_no: &str, notify_url: &str) -> String {
        let answered = self.call("POST", "/v3/pay/transactions/native", &self.order(out_trade_no, notify_url)).await;
        assert_eq!(answered.status, 200, "{}", answered.text);
        answered.json()["code_url"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn query(&self, out_trade_no: &str) -> Answered {
        let address = format!("/v3/pay/transactions/out-trade-no/{out_trade_no}?mchid={}", self.credentials.mchid);
        self.call("GET", &address, &Value::Null).await
    }

    pub(crate) async fn close(&self, out_trade_no: &str) -> Answered {
        let address = format!("/v3/pay/transactions/out-trade-no/{out_trade_no}/close");
        self.call("POST", &address, &json!({"mchid": self.credentials.mchid})).await
    }

    pub(crate) async fn refund(&self, request_no: &str, fen: i64, notify_url: &str) -> Answered {
        let body = json!({
            "out_trade_no": "100001",
            "out_refund_no": request_no,
            "notify_url": notify_url,
            "amount": {"refund": fen, "total": 19_900, "currency": "CNY"},
        });
        self.call("POST", "/v3/refund/domestic/refunds", &body).await
    }

    pub(crate) async fn refund_status(&self, request_no: &str) -> Value {
        self.call("GET", &format!("/v3/refund/domestic/refunds/{request_no}"), &Value::Null).await.json()["status"].clone()
    }

    pub(crate) async fn fault(&self, operation: &str, fault: &str) {
        let asked = json!({"operation": operation, "channel": "wechat_native", "fault": fault, "count": 1});
        json_of(self.world.post("/sandbox/faults", asked).await, 201).await;
    }

    /// Delivers what is due.
    pub(crate) async fn deliver(&self) -> usize {
        self.world.sandbox.run_once(self.world.now()).await.unwrap()
    }

    /// What a buyer sees who opens an address.
    pub(crate) async fn page(&self, address: &str) -> String {
        self.world.client.get(address).send().await.unwrap().text().await.unwrap()
    }
}
