//! What survives a restart: everything.

use serde_json::json;

use crate::notifications::{Receiver, Reply};
use crate::world::World;

#[tokio::test]
async fn keys_clock_trades_and_faults_survive_a_restart() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    world.precreate("1002", None).await.done();
    world.pay("1001", "never").await;
    world.post("/sandbox/faults", json!({"operation": "query", "fault": "refuse", "count": 1})).await;
    world.advance(60_000).await;
    let (before, credentials) = (world.trade("1001").await, world.credentials.clone());

    let world = world.restarted().await;
    assert_eq!(world.clock.offset_ms(), 60_000);
    assert_eq!(world.credentials.app_private_key, credentials.app_private_key);
    assert_eq!(world.credentials.alipay_public_key, credentials.alipay_public_key);
    assert_eq!((&world.credentials.app_id, &world.credentials.seller_id), (&credentials.app_id, &credentials.seller_id));
    let after = world.trade("1001").await;
    for member in ["status", "trade_no", "paid_at", "notification", "deliveries"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    world.query("1002").await.assert_refused("ACQ.ACCESS_FORBIDDEN");
    world.query("1002").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    assert_eq!(world.pay("1002", "never").await["status"], "paid");
}

#[tokio::test]
async fn a_stop_leaves_the_file_of_the_state_alone() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    assert!(world.state_files().len() > 1, "while it runs, what was written lies beside the file");
    world.sandbox.close().await;
    assert_eq!(world.state_files(), ["sandbox.db"]);
    let world = world.restarted().await;
    assert_eq!(world.trade("1001").await["status"], "coded");
}

#[tokio::test]
async fn a_notification_that_waits_is_sent_after_a_restart() {
    let (world, mut receiver) = (World::start().await, Receiver::start(Reply::Success).await);
    world.precreate("1001", Some(&receiver.url)).await.done();
    world.pay("1001", "late:60000").await;
    let world = world.restarted().await;
    assert_eq!(world.sandbox.run_once(world.now()).await.unwrap(), 0);
    world.advance(60_000).await;
    assert_eq!(world.sandbox.run_once(world.now()).await.unwrap(), 1);
    assert!(world.read_notification(&receiver.next().await).1);
}
