//! The proof in small: fewer events, on both stores.

use super::*;

/// The proof on this ground.
async fn prove_in_small(ground: Ground<'_>, store: Store, nats_folder: &std::path::Path) {
    let nats = NatsServer::start(nats_folder, false).await.unwrap();
    let (folder, output) = (None, PathBuf::new());
    let options = Options { events: 6_000, store, orders_per_second: 20, seconds_before: 1, folder, output };
    let proof = prove(&nats, ground, &options).await.unwrap();
    assert_eq!(proof.events_before, 6_000);
    assert!(proof.events_in_all > proof.events_before, "nobody bought meanwhile: {proof:?}");
    nats.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_consumer_reads_all_in_order_and_the_others_go_on_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    prove_in_small(Ground::Sqlite(folder.path()), Store::Sqlite, folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_consumer_reads_all_in_order_and_the_others_go_on_on_postgres() {
    let folder = tempfile::tempdir().unwrap();
    let server = PostgresServer::start(folder.path()).await.unwrap();
    prove_in_small(Ground::Postgres(&server), Store::Postgres, folder.path()).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_event_that_is_not_the_next_of_its_order_is_refused() {
    use followers::ConsumerEffect;

    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::Sqlite(folder.path());
    let log = Log::open(ground.database("log").await.unwrap()).await.unwrap();
    Story::new(log.store()).unwrap().tell(0..1).await.unwrap();
    let events = log.reader().read_all(Position::START, 100).await.unwrap();
    let of_order: Vec<_> = events.iter().filter(|event| event.stream_id.as_str().starts_with("order-")).collect();
    let tables = place::open(&ground.database("witness").await.unwrap(), Area::Views, &[]).await.unwrap();
    let witness = Witness::new(tables).await.unwrap();
    let mut counts = witness.load(&of_order).await.unwrap();
    assert!(witness.apply(&mut counts, of_order[1]).is_err(), "the first is missing");
    witness.apply(&mut counts, of_order[0]).unwrap();
    assert!(witness.apply(&mut counts, of_order[0]).is_err(), "it comes twice");
    witness.apply(&mut counts, of_order[1]).unwrap();
    witness.close().await;
    log.shutdown().await;
}
