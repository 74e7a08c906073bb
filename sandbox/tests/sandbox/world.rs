//! A running sandbox with a merchant who speaks to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chassis::clock::{Clock, SystemClock};
use chrono::{DateTime, Utc};
use database::{Area, Database, DatabaseUrl, PoolOptions};
use reqwest::{Client, Response};
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer, Verifier};
use rsa::{RsaPrivateKey, RsaPublicKey};
use sandbox::{AlipayCredentials, Sandbox, SandboxConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

/// The most that a test waits for something that happens by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) base: String,
    pub(crate) client: Client,
    pub(crate) credentials: AlipayCredentials,
    database: Database,
    config: SandboxConfig,
    folder: TempDir,
}

/// An answer of the gateway.
pub(crate) struct Answer {
    pub(crate) body: String,
    pub(crate) node_name: String,
    pub(crate) node: Value,
    /// Whether the body carries a signature of Alipay's over the node's exact text.
    pub(crate) is_signed: bool,
}

impl Answer {
    pub(crate) fn sub_code(&self) -> &str {
        self.node["sub_code"].as_str().unwrap_or_default()
    }

    /// The node of a call that was done.
    pub(crate) fn done(&self) -> &Value {
        assert!(self.is_signed && self.node["code"] == "10000", "{}", self.body);
        &self.node
    }

    /// Asserts a signed business refusal.
    pub(crate) fn assert_refused(&self, sub_code: &str) {
        assert!(self.is_signed && self.node["code"] == "40004", "{}", self.body);
        assert_eq!(self.sub_code(), sub_code);
    }
}

/// A state file with an account, made once, since making keys takes long.
async fn template() -> &'static Path {
    static TEMPLATE: OnceCell<(TempDir, PathBuf)> = OnceCell::const_new();
    let (_, path) = TEMPLATE
        .get_or_init(|| async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("template.db");
            let database = open_database(&path).await;
            Sandbox::open(SandboxConfig::new("http://x"), database.clone(), Arc::default()).await.unwrap();
            database.close().await;
            (folder, path)
        })
        .await;
    path
}

async fn open_database(path: &Path) -> Database {
    Database::open(&DatabaseUrl::sqlite(path), Area::Sandbox, &PoolOptions::default()).await.unwrap()
}

fn serve(listener: TcpListener, sandbox: &Arc<Sandbox>) {
    let router = sandbox.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(|config| config).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(SandboxConfig) -> SandboxConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(template().await, folder.path().join("sandbox.db")).unwrap();
        Self::open(folder, change).await
    }

    async fn open(folder: TempDir, change: impl FnOnce(SandboxConfig) -> SandboxConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let config = change(SandboxConfig::new(base.clone()));
        let (clock, database) = (Arc::new(SystemClock::default()), open_database(&folder.path().join("sandbox.db")).await);
        let sandbox = Sandbox::open(config.clone(), database.clone(), clock.clone()).await.unwrap();
        serve(listener, &sandbox);
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let credentials = sandbox.credentials().alipay;
        Self { sandbox, clock, base, client, credentials, database, config, folder }
    }

    /// The same state in a new sandbox at a new address.
    pub(crate) async fn restarted(self) -> Self {
        let config = self.config.clone();
        Self::open(self.folder, |fresh| SandboxConfig { public_url: fresh.public_url, ..config }).await
    }

    /// Takes the state away from the sandbox, as a disk that fails would.
    pub(crate) async fn lose_state(&self) {
        self.database.close().await;
    }

    /// The names of the files of the state.
    pub(crate) fn state_files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.base)).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        let request = self.client.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        request.body(body.to_string()).send().await.unwrap()
    }

    pub(crate) async fn trade(&self, out_trade_no: &str) -> Value {
        json_of(self.get(&format!("/sandbox/trades/{out_trade_no}")).await, 200).await
    }

    pub(crate) async fn pay(&self, out_trade_no: &str, notify: &str) -> Value {
        json_of(self.post(&format!("/sandbox/trades/{out_trade_no}/pay"), json!({"notify": notify})).await, 200).await
    }

    /// Moves the clock of sandbox and test.
    pub(crate) async fn advance(&self, milliseconds: i64) -> Value {
        json_of(self.post("/sandbox/clock", json!({"advance_ms": milliseconds})).await, 200).await
    }

    /// Precreates with a subject and an amount of 199.00.
    pub(crate) async fn precreate(&self, out_trade_no: &str, notify_url: Option<&str>) -> Answer {
        let content = json!({
            "out_trade_no": out_trade_no,
            "total_amount": "199.00",
            "subject": "编程课程",
            "product_code": self.credentials.product_code,
        });
        self.call("alipay.trade.precreate", &content, notify_url).await
    }

    pub(crate) async fn query(&self, out_trade_no: &str) -> Answer {
        self.call("alipay.trade.query", &json!({"out_trade_no": out_trade_no}), None).await
    }

    pub(crate) async fn close(&self, out_trade_no: &str) -> Answer {
        self.call("alipay.trade.close", &json!({"out_trade_no": out_trade_no}), None).await
    }

    /// Gives an amount in yuan back under a number.
    pub(crate) async fn refund(&self, out_trade_no: &str, request_no: &str, yuan: &str) -> Answer {
        let content = json!({"out_trade_no": out_trade_no, "refund_amount": yuan, "out_request_no": request_no, "refund_reason": "退"});
        self.call("alipay.trade.refund", &content, None).await
    }

    pub(crate) async fn query_refund(&self, out_trade_no: &str, request_no: &str) -> Answer {
        let content = json!({"out_trade_no": out_trade_no, "out_request_no": request_no, "query_options": ["gmt_refund_pay"]});
        self.call("alipay.trade.fastpay.refund.query", &content, None).await
    }

    pub(crate) async fn call(&self, method: &str, content: &Value, notify_url: Option<&str>) -> Answer {
        self.try_call(method, content, notify_url).await.unwrap()
    }

    pub(crate) async fn try_call(&self, method: &str, content: &Value, notify_url: Option<&str>) -> reqwest::Result<Answer> {
        let members = self.members(method, content, notify_url);
        let response = self.client.post(&self.credentials.gateway_url).header("content-type", FORM).body(form(&members)).send().await?;
        assert_eq!(response.status(), 200);
        Ok(self.read(response.text().await?))
    }

    /// The members of a signed call, sorted.
    pub(crate) fn members(&self, method: &str, content: &Value, notify_url: Option<&str>) -> Vec<(String, String)> {
        self.members_with(method, content, notify_url, None)
    }

    /// The members of a signed form for a browser, sorted.
    pub(crate) fn members_with(
        &self,
        method: &str,
        content: &Value,
        notify_url: Option<&str>,
        return_url: Option<&str>,
    ) -> Vec<(String, String)> {
        let content = content.to_string();
        let mut members =
            vec![("app_id", self.credentials.app_id.as_str()), ("biz_content", &content), ("charset", "utf-8"), ("method", method)];
        members.extend(notify_url.map(|url| ("notify_url", url)));
        members.extend(return_url.map(|url| ("return_url", url)));
        members.extend([("sign_type", "RSA2"), ("timestamp", "2026-03-05 14:08:09"), ("version", "1.0")]);
        self.signed(members.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The members with their signature.
    pub(crate) fn signed(&self, mut members: Vec<(String, String)>) -> Vec<(String, String)> {
        members.sort();
        let text = canonical(&members);
        let key = SigningKey::<Sha256>::new(RsaPrivateKey::from_pkcs8_pem(&self.credentials.app_private_key).unwrap());
        members.push(("sign".to_owned(), STANDARD.encode(key.sign(text.as_bytes()).to_bytes())));
        members
    }

    /// Reads an answer: one node, then the signature over its text as it stands.
    pub(crate) fn read(&self, body: String) -> Answer {
        let value: Value = serde_json::from_str(&body).unwrap();
        let node_name = value.as_object().unwrap().keys().find(|name| name.ends_with("_response")).unwrap().clone();
        let before = format!("{{\"{node_name}\":");
        let is_signed = value["sign"].as_str().is_some_and(|sign| {
            let serial = value["alipay_cert_sn"].as_str().map_or_else(String::new, |serial| format!(",\"alipay_cert_sn\":\"{serial}\""));
            let text = body.strip_prefix(&before).unwrap().strip_suffix(&format!("{serial},\"sign\":\"{sign}\"}}")).unwrap();
            self.is_alipays(text, sign)
        });
        Answer { node: value[&node_name].clone(), node_name, is_signed, body }
    }

    /// Whether Alipay signed a text.
    pub(crate) fn is_alipays(&self, text: &str, sign: &str) -> bool {
        let key = VerifyingKey::<Sha256>::new(RsaPublicKey::from_public_key_pem(&self.credentials.alipay_public_key).unwrap());
        let signature = STANDARD.decode(sign).unwrap();
        key.verify(text.as_bytes(), &Signature::try_from(signature.as_slice()).unwrap()).is_ok()
    }

    /// Reads a notification's form and says whether Alipay signed it.
    pub(crate) fn read_notification(&self, body: &str) -> (Value, bool) {
        let members: Vec<(String, String)> = body.split('&').map(member).collect();
        let sign = members.iter().find(|(name, _)| name == "sign").unwrap().1.clone();
        let mut signed: Vec<_> = members.iter().filter(|(name, _)| name != "sign" && name != "sign_type").cloned().collect();
        signed.sort();
        let is_signed = self.is_alipays(&canonical(&signed), &sign);
        (members.into_iter().map(|(name, value)| (name, Value::String(value))).collect(), is_signed)
    }
}

/// Sorted members as they are signed.
fn canonical(members: &[(String, String)]) -> String {
    members.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

pub(crate) const FORM: &str = "application/x-www-form-urlencoded;charset=utf-8";

/// Members as a form, every byte escaped that might need it.
pub(crate) fn form(members: &[(String, String)]) -> String {
    let escape = |text: &str| text.bytes().fold(String::new(), |escaped, byte| format!("{escaped}%{byte:02x}"));
    members.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
}

fn member(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap();
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => u8::from_str_radix(str::from_utf8(&[rest.next().unwrap(), rest.next().unwrap()]).unwrap(), 16).unwrap(),
            other => other,
        });
    }
    (name.to_owned(), String::from_utf8(bytes).unwrap())
}

pub(crate) async fn json_of(response: Response, status: u16) -> Value {
    let (found, text) = (response.status().as_u16(), response.text().await.unwrap());
    assert_eq!(found, status, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Asserts a problem document and answers it.
pub(crate) async fn problem_of(response: Response, status: u16, code: &str) -> Value {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let document = json_of(response, status).await;
    assert_eq!((&document["code"], &document["status"]), (&json!(code), &json!(status)));
    document
}
