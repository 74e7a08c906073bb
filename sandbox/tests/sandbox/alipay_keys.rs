//! Alipay's keys: announced, used, downloaded as certificates, and retired while everything runs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::notifications::{Receiver, Reply};
use crate::world::{World, json_of, problem_of};

async fn control(world: &World, what: &str, body: Value) -> Value {
    json_of(world.post(&format!("/sandbox/alipay/{what}"), body).await, 200).await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_new_key_is_announced_then_used_and_the_old_one_retired() {
    let mut world = World::start().await;
    let old = world.credentials.clone();
    let announced = control(&world, "keys/rotate", json!({"key": "alipay_key", "use": "later"})).await;
    assert_eq!(announced["alipay"]["alipay_public_key"], old.alipay_public_key);
    world.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    let used = control(&world, "keys/use", json!({"serial": announced["serial"]})).await;
    assert_eq!(used["alipay"]["alipay_public_key"], announced["public_key"]);
    assert!(!world.query("1001").await.is_signed, "it is signed with the new key");
    world.credentials = world.sandbox.credentials().alipay;
    world.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    control(&world, "keys/retire", json!({"serial": old.certificates.alipay_cert_sn})).await;
    let last = json!({"serial": announced["serial"]});
    problem_of(world.post("/sandbox/alipay/keys/retire", last).await, 422, "invalid").await;
    problem_of(world.post("/sandbox/alipay/keys/use", json!({"serial": "none"})).await, 422, "invalid").await;
    let kept = world.restarted().await;
    kept.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    assert_eq!(json!(kept.credentials.alipay_public_key), announced["public_key"]);
}

#[tokio::test]
async fn an_old_key_of_the_application_is_good_until_it_is_retired() {
    let mut world = World::start().await;
    let old = world.credentials.clone();
    control(&world, "keys/rotate", json!({"key": "application_key"})).await;
    world.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    world.credentials = world.sandbox.credentials().alipay;
    assert_ne!(world.credentials.app_private_key, old.app_private_key);
    world.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    control(&world, "keys/retire", json!({"serial": old.certificates.app_cert_sn})).await;
    world.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    world.credentials = old;
    assert_eq!(world.query("1001").await.sub_code(), "isv.invalid-signature");
    let later = json!({"key": "application_key", "use": "later"});
    problem_of(world.post("/sandbox/alipay/keys/rotate", later).await, 422, "invalid").await;
}

#[tokio::test]
async fn a_certificate_is_downloaded_by_its_serial() {
    let world = World::start().await;
    let new = control(&world, "keys/rotate", json!({"key": "alipay_key", "use": "later", "life_days": 10})).await;
    let files = &world.credentials.certificates;
    for (serial, certificate) in
        [(files.alipay_cert_sn.clone(), &files.alipay_certificate), (text(&new["serial"]), &text(&new["certificate"]))]
    {
        let answer = world.call("alipay.open.app.alipaycert.download", &json!({"alipay_cert_sn": serial}), None).await;
        let content = STANDARD.decode(answer.done()["alipay_cert_content"].as_str().unwrap()).unwrap();
        assert_eq!(String::from_utf8(content).unwrap(), *certificate);
    }
    let answer = world.call("alipay.open.app.alipaycert.download", &json!({"alipay_cert_sn": "00"}), None).await;
    answer.assert_refused("ACQ.INVALID_PARAMETER");
}

#[tokio::test]
async fn a_notification_names_its_certificate_where_that_is_set() {
    let (world, mut receiver) = (World::start().await, Receiver::start(Reply::Success).await);
    for (number, names) in [("1001", false), ("1002", true)] {
        control(&world, "settings", json!({"names_certificates": names})).await;
        world.precreate(number, Some(&receiver.url)).await.done();
        world.pay(number, "once").await;
        world.sandbox.run_once(world.now()).await.unwrap();
        let (members, is_alipays) = world.read_notification(&receiver.next().await);
        assert!(is_alipays);
        let named = members.get("alipay_cert_sn").cloned();
        assert_eq!(named, names.then(|| json!(world.credentials.certificates.alipay_cert_sn)));
    }
}
