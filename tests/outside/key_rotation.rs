//! Keys and certificates change under load, at both channels and with two processes: no genuine notification is refused, and
//! no payment is lost. First by files and a rolling restart, then by certificates that are fetched while everything runs.

mod load;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use futures_util::future::join_all;
use serde_json::{Value, json};

use self::load::{Load, PATIENCE, text};
use super::harness::audit::{count, types};
use super::harness::fleet::replace;
use super::harness::journey::create_business_order;
use super::harness::poll::within;
use super::harness::postgres::Database;
use super::harness::random::unique;
use super::harness::{Config, Paystream, StoreKind, run, workspace};

const WITHOUT_SANDBOX: &[&str] = &["serve", "--roles", "command-api,query-api,projections,process-managers"];
const ONLY_SANDBOX: &[&str] = &["serve", "--roles", "sandbox"];

const V3_KEY_AFTERWARDS: &str = "0123456789abcdefghijklmnopqrstuv";

/// Two processes on one database that know the channels as a merchant does: by files. The channels are a sandbox's.
struct Merchant {
    sandbox: Paystream,
    processes: Vec<Paystream>,
    folder: tempfile::TempDir,
    #[expect(dead_code, reason = "it is dropped after the processes, and never read")]
    database: Database,
}

impl Merchant {
    /// Starts all; `configure` writes the files and says what the configuration file holds.
    async fn start(name: &str, configure: impl FnOnce(&Files<'_>, &Value) -> Members) -> Self {
        let sandbox = Paystream::start(&format!("{name}-sandbox"), Config::in_roles(ONLY_SANDBOX)).await;
        let (folder, database) = (workspace::temporary("channel-keys"), Database::new().await);
        let held = sandbox.api().get("/sandbox/credentials").send().await.expect(200).json();
        let members = configure(&Files(folder.path()), &held);
        let prepare = |number: usize| {
            let mut config = Config { store: StoreKind::Embedded, has_broker: false, ..Config::in_roles(WITHOUT_SANDBOX) }
                .with("PAYSTREAM_PUBLIC_URL", "{base}")
                .with("PAYSTREAM_TOKEN_KEY_FILE", folder.path().join("token.pem").to_str().unwrap())
                .with("PAYSTREAM_SEAL_KEYS_FILE", folder.path().join("seal.keys").to_str().unwrap());
            for variable in ["PAYSTREAM_EVENT_STORE", "PAYSTREAM_VIEWS", "PAYSTREAM_STATE"] {
                config = config.with(variable, &database.url);
            }
            Paystream::prepare(&format!("{name}-{number}"), config, None)
        };
        let mut merchant = Self { processes: (1..=2).map(prepare).collect(), sandbox, folder, database };
        merchant.configure(&members);
        merchant.processes.iter_mut().for_each(Paystream::launch);
        join_all(merchant.processes.iter_mut().map(Paystream::until_ready)).await;
        merchant
    }

    fn files(&self) -> Files<'_> {
        Files(self.folder.path())
    }

    /// Lays the configuration before each process; it counts from its next start.
    fn configure(&self, members: &Members) {
        let text = members.iter().map(|(name, value)| format!("{name} = {value:?}\n")).collect::<Vec<_>>().concat();
        for process in &self.processes {
            std::fs::write(process.data_folder().parent().unwrap().join("paystream.toml"), &text).unwrap();
        }
    }

    /// One process after the other is stopped, as an operator does it, and started again.
    async fn restart_rolling(&mut self) {
        for process in &mut self.processes {
            process.terminate().await;
            process.launch();
            process.until_ready().await;
        }
    }

    /// Does something with the keys of a channel, at the channel.
    async fn at(&self, wallet: &str, what: &str, body: Value) -> Value {
        self.sandbox.api().post(&format!("/sandbox/{wallet}/{what}"), &body).send().await.expect(200).json()
    }
}

/// What a configuration file holds.
type Members = BTreeMap<&'static str, String>;

/// A folder of keys.
struct Files<'a>(&'a Path);

impl Files<'_> {
    /// Writes a file and answers its path.
    fn write(&self, name: &str, text: &str) -> String {
        replace(&self.0.join(name), text);
        self.path(name)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

/// What does not change.
fn ids(held: &Value) -> Members {
    let (alipay, wechat) = (&held["alipay"], &held["wechat"]);
    BTreeMap::from([
        ("alipay_app_id", text(alipay, "app_id").to_owned()),
        ("alipay_seller_id", text(alipay, "seller_id").to_owned()),
        ("alipay_gateway_url", text(alipay, "gateway_url").to_owned()),
        ("wechat_mchid", text(wechat, "mchid").to_owned()),
        ("wechat_appid", text(wechat, "appid").to_owned()),
        ("wechat_base_url", text(wechat, "base_url").to_owned()),
    ])
}

/// The members that name the merchant's key, certificate and API v3 key at WeChat Pay, in files marked with `mark`.
fn wechat_merchant(files: &Files<'_>, wechat: &Value, mark: &str) -> Members {
    BTreeMap::from([
        ("wechat_merchant_serial", text(wechat, "merchant_serial").to_owned()),
        ("wechat_merchant_private_key_file", files.write(&format!("merchant-{mark}.key"), text(wechat, "merchant_private_key"))),
        ("wechat_merchant_certificate_file", files.write(&format!("merchant-{mark}.crt"), text(wechat, "merchant_certificate"))),
        ("wechat_api_v3_key_file", files.write(&format!("v3-{mark}"), text(wechat, "api_v3_key"))),
    ])
}

/// Each order was confirmed once, and nothing that came was refused.
async fn assert_books(merchant: &Merchant, orders: &[String]) {
    let auditor = merchant.processes[1].auditor();
    for order_id in orders {
        let events = auditor.stream(&format!("order-{order_id}")).await;
        assert_eq!((count(&events, "PaymentConfirmed"), count(&events, "SurplusPaymentReceived")), (1, 0), "{:?}", types(&events));
    }
    let operator = merchant.processes[0].as_role("olivia", "operator");
    for verdict in ["bad_signature", "unknown_serial", "undecryptable"] {
        let refused = operator.get(&format!("/api/v1/notices?verdict={verdict}")).send().await.expect(200).json();
        assert_eq!(refused["items"], json!([]), "{verdict}");
    }
    workspace::print_result(&format!("key rotation: {} orders were paid while keys changed", orders.len()));
}

/// Public keys at both channels: announced there, laid beside the old ones, used, and the old ones taken away.
#[test]
fn keys_in_files_change_by_rolling_restarts_and_no_notification_is_refused() {
    run(async {
        let mut merchant = Merchant::start("rotation-files", |files, held| {
            let (alipay, wechat) = (&held["alipay"], &held["wechat"]);
            let mut members = ids(held);
            members.extend(wechat_merchant(files, wechat, "old"));
            members.insert("alipay_app_private_key_file", files.write("app-old.pem", text(alipay, "app_private_key")));
            members.insert("alipay_public_key_files", files.write("alipay-old.pem", text(alipay, "alipay_public_key")));
            let public_key = files.write("wechat-old.pem", text(wechat, "public_key"));
            members.insert("wechat_public_key_files", format!("{}={public_key}", text(wechat, "public_key_id")));
            members
        })
        .await;
        let held = merchant.sandbox.api().get("/sandbox/credentials").send().await.expect(200).json();
        let load = Load::begin(&merchant);
        load.until_all_is_new().await;

        // The channels make new keys and tell of them; the merchant makes new ones and hands them in.
        let alipay = merchant.at("alipay", "keys/rotate", json!({"key": "alipay_key", "use": "later"})).await;
        let application = merchant.at("alipay", "keys/rotate", json!({"key": "application_key"})).await;
        let wechat = merchant.at("wechat", "keys/rotate", json!({"key": "public_key", "use": "later"})).await;
        let own = merchant.at("wechat", "keys/rotate", json!({"key": "merchant_certificate"})).await;

        // Everybody knows old and new, and signs with what is new.
        let files = merchant.files();
        let mut members = ids(&held);
        members.extend(wechat_merchant(&files, &own["wechat"], "new"));
        let (v3_old, v3_new) = (files.path("v3-old"), files.write("v3-afterwards", V3_KEY_AFTERWARDS));
        members.insert("wechat_api_v3_key_file", format!("{v3_old},{v3_new}"));
        members.insert("alipay_app_private_key_file", files.write("app-new.pem", text(&application["alipay"], "app_private_key")));
        let alipay_new = files.write("alipay-new.pem", text(&alipay, "public_key"));
        members.insert("alipay_public_key_files", format!("{},{alipay_new}", files.path("alipay-old.pem")));
        let public_key = format!("{}={}", text(&wechat, "serial"), files.write("wechat-new.pem", text(&wechat, "published")));
        let old_key = format!("{}={}", text(&held["wechat"], "public_key_id"), files.path("wechat-old.pem"));
        members.insert("wechat_public_key_files", format!("{old_key},{public_key}"));
        merchant.configure(&members);
        merchant.restart_rolling().await;
        load.until_all_is_new().await;

        // The channels use what is new.
        merchant.at("alipay", "keys/use", json!({"serial": alipay["serial"]})).await;
        merchant.at("wechat", "keys/use", json!({"serial": wechat["serial"]})).await;
        merchant.at("wechat", "keys/rotate", json!({"key": "api_v3_key", "value": V3_KEY_AFTERWARDS})).await;
        load.until_all_is_new().await;

        // The old ones go, here and there.
        members.insert("wechat_api_v3_key_file", v3_new);
        members.insert("alipay_public_key_files", alipay_new);
        members.insert("wechat_public_key_files", public_key);
        merchant.configure(&members);
        merchant.restart_rolling().await;
        let old = &held["alipay"]["certificates"];
        merchant.at("alipay", "keys/retire", json!({"serial": old["alipay_cert_sn"]})).await;
        merchant.at("alipay", "keys/retire", json!({"serial": old["app_cert_sn"]})).await;
        merchant.at("wechat", "keys/retire", json!({"serial": held["wechat"]["public_key_id"]})).await;
        merchant.at("wechat", "keys/retire", json!({"serial": held["wechat"]["merchant_serial"]})).await;
        load.until_all_is_new().await;
        assert_books(&merchant, &load.end().await).await;
    });
}

/// The configuration of a merchant with certificates at both channels, those of WeChat Pay fetched.
fn certified(files: &Files<'_>, held: &Value) -> Members {
    let (alipay, wechat) = (&held["alipay"], &held["wechat"]);
    let certificates = &alipay["certificates"];
    let mut members = ids(held);
    members.extend(wechat_merchant(files, wechat, "only"));
    members.insert("wechat_fetch_certificates", "on".to_owned());
    members.insert("alipay_app_private_key_file", files.write("app.pem", text(alipay, "app_private_key")));
    members.insert("alipay_app_cert_file", files.write("app.crt", text(certificates, "app_certificate")));
    members.insert("alipay_cert_files", files.write("alipay.crt", text(certificates, "alipay_certificate")));
    members.insert("alipay_root_cert_file", files.write("root.crt", text(certificates, "root_certificate")));
    members
}

impl Merchant {
    async fn with_certificates(name: &str) -> Self {
        let merchant = Self::start(name, certified).await;
        merchant.at("alipay", "settings", json!({"names_certificates": true})).await;
        merchant.at("wechat", "settings", json!({"notifications_signed_by": "platform_certificate"})).await;
        merchant
    }

    /// The serials of the certificates that the channels sign under.
    async fn used(&self) -> (Value, Value) {
        let held = self.sandbox.api().get("/sandbox/credentials").send().await.expect(200).json();
        let platform = held["wechat"]["platform_certificates"].as_array().unwrap().last().unwrap()["serial"].clone();
        (held["alipay"]["certificates"]["alipay_cert_sn"].clone(), platform)
    }

    /// Both channels sign under certificates that nobody has heard of.
    async fn surprise(&self) {
        self.at("alipay", "keys/rotate", json!({"key": "alipay_key"})).await;
        self.at("wechat", "keys/rotate", json!({"key": "platform_certificate"})).await;
    }
}

/// Certificates that are used without a word, and the ones before them retired: nothing is restarted or configured.
#[test]
fn certificates_that_nobody_has_configured_are_fetched_and_no_notification_is_refused() {
    run(async {
        let merchant = Merchant::with_certificates("rotation-fetched").await;
        let load = Load::begin(&merchant);
        load.until_all_is_new().await;
        for _ in 0..2 {
            let (alipay, wechat) = merchant.used().await;
            merchant.surprise().await;
            load.until_all_is_new().await;
            merchant.at("alipay", "keys/retire", json!({"serial": alipay})).await;
            merchant.at("wechat", "keys/retire", json!({"serial": wechat})).await;
            load.until_all_is_new().await;
        }
        let (alipay, wechat) = merchant.used().await;
        assert_books(&merchant, &load.end().await).await;
        for process in &merchant.processes {
            for serial in [alipay.as_str().unwrap(), wechat.as_str().unwrap()] {
                within(PATIENCE, "the end of each certificate is shown", async || {
                    let metrics = process.api().get("/metrics").send().await.expect(200).text();
                    let is_shown = |line: &str| line.starts_with("paystream_certificate_expires_in_seconds{") && line.contains(serial);
                    if metrics.lines().any(is_shown) { Ok(()) } else { Err(serial.to_owned()) }
                })
                .await;
            }
        }
    });
}

/// Whoever sends notifications under made-up certificates keeps nobody from learning of the real ones.
#[test]
fn made_up_certificates_keep_no_real_one_from_being_fetched() {
    run(async {
        let merchant = Merchant::with_certificates("rotation-made-up").await;
        let load = Load::begin(&merchant);
        load.until_all_is_new().await;
        load.end().await;
        for digit in ["a", "b", "c"] {
            for process in &merchant.processes {
                let form = format!("notify_type=trade_status_sync&sign=AAAA&alipay_cert_sn={}", digit.repeat(32));
                assert_eq!(process.api().notify(form).await.text(), "fail");
                let call = process.api().post_bytes("/notify/wechat/v3", "application/json", "{}");
                let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs().to_string();
                let serial = digit.repeat(40);
                let headers = [
                    ("wechatpay-timestamp", now.as_str()),
                    ("wechatpay-nonce", "n"),
                    ("wechatpay-signature", "AAAA"),
                    ("wechatpay-serial", &serial),
                ];
                let refused = headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send().await;
                assert_eq!(refused.status, 500, "{refused}");
            }
        }
        merchant.surprise().await;
        // Answers to our own calls are under the new certificates, and have them fetched whoever else has asked in vain.
        for process in &merchant.processes {
            for channel in ["alipay_qr", "wechat_native"] {
                let order = create_business_order(&process.service(), "member-1", &unique("seat")).await.expect(201);
                let path = format!("/api/v1/orders/{}/pay-records", order.field("order_id"));
                process.buyer("member-1").post(&path, &json!({ "channel": channel })).send().await.expect(201);
            }
        }
        let load = Load::begin(&merchant);
        load.until_all_is_new().await;
        load.end().await;
    });
}
