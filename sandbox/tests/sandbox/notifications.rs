//! Notifications as a merchant receives them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use sandbox::SandboxConfig;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, oneshot};

use crate::world::{PATIENCE, World};

/// What a merchant's side answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    Success,
    Status(u16),
    Text(&'static str),
    Redirect,
    Never,
}

/// A merchant's side that keeps what it gets.
pub(crate) struct Receiver {
    pub(crate) url: String,
    reply: Arc<Mutex<Reply>>,
    got: UnboundedReceiver<(String, String)>,
    headers: Arc<Mutex<Vec<HeaderMap>>>,
}

#[derive(Clone)]
struct Listening {
    reply: Arc<Mutex<Reply>>,
    got: UnboundedSender<(String, String)>,
    headers: Arc<Mutex<Vec<HeaderMap>>>,
}

async fn receive(State(listening): State<Listening>, headers: HeaderMap, body: String) -> Response {
    listening.headers.lock().await.push(headers.clone());
    listening.got.send((headers["content-type"].to_str().unwrap().to_owned(), body)).unwrap();
    let reply = *listening.reply.lock().await;
    match reply {
        Reply::Success => "success".into_response(),
        Reply::Status(status) => (StatusCode::from_u16(status).unwrap(), "success").into_response(),
        Reply::Text(text) => text.into_response(),
        Reply::Redirect => Redirect::temporary("/success").into_response(),
        Reply::Never => std::future::pending().await,
    }
}

impl Receiver {
    pub(crate) async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/notify", listener.local_addr().unwrap());
        let (sender, got) = unbounded_channel();
        let reply = Arc::new(Mutex::new(reply));
        let headers = Arc::default();
        let listening = Listening { reply: reply.clone(), got: sender, headers: Arc::clone(&headers) };
        let router = Router::new().route("/notify", post(receive)).route("/success", post(async || "success")).with_state(listening);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, reply, got, headers }
    }

    /// The headers of every message so far.
    pub(crate) async fn headers(&self) -> Vec<HeaderMap> {
        self.headers.lock().await.clone()
    }

    pub(crate) async fn answer(&self, reply: Reply) {
        *self.reply.lock().await = reply;
    }

    /// The next message, which must come by itself.
    pub(crate) async fn next(&mut self) -> String {
        tokio::time::timeout(PATIENCE, self.got.recv()).await.expect("a notification comes").unwrap().1
    }

    /// What has come and was not looked at yet.
    pub(crate) fn arrived(&mut self) -> Vec<(String, String)> {
        std::iter::from_fn(|| self.got.try_recv().ok()).collect()
    }
}

async fn run_once(world: &World) -> usize {
    world.sandbox.run_once(world.now()).await.unwrap()
}

#[tokio::test]
async fn a_payment_is_told_once_with_a_signature_that_verifies() {
    let (world, mut receiver) = (World::start().await, Receiver::start(Reply::Success).await);
    world.precreate("1001", Some(&receiver.url)).await.done();
    let paid = world.pay("1001", "once").await;
    assert_eq!((paid["deliveries"][0]["status"].as_str(), run_once(&world).await), (Some("pending"), 1));
    let arrived = receiver.arrived();
    let (content_type, body) = &arrived[0];
    assert_eq!((arrived.len(), content_type.as_str()), (1, "application/x-www-form-urlencoded; charset=utf-8"));
    let (members, is_alipays) = world.read_notification(body);
    assert!(is_alipays);
    for (name, expected) in [
        ("out_trade_no", "1001"),
        ("total_amount", "199.00"),
        ("trade_status", "TRADE_SUCCESS"),
        ("app_id", &world.credentials.app_id),
        ("seller_id", &world.credentials.seller_id),
        ("subject", "编程课程"),
    ] {
        assert_eq!(members[name], expected, "{name}");
    }
    let trade = world.trade("1001").await;
    assert_eq!((&trade["notification"], &trade["trade_no"]), (&json!(body), &members["trade_no"]));
    assert_eq!(trade["deliveries"][0]["status"], "delivered");
    world.advance(86_400_000).await;
    assert_eq!(run_once(&world).await, 0);
}

#[tokio::test]
async fn anything_but_the_word_success_is_answered_by_repeating() {
    let replies = [
        Reply::Status(500),
        Reply::Status(201),
        Reply::Text("success\n"),
        Reply::Text("\"success\""),
        Reply::Text("SUCCESS"),
        Reply::Text("succes"),
        Reply::Redirect,
    ];
    let (world, mut receiver) = (World::start().await, Receiver::start(Reply::Success).await);
    for (number, reply) in (1001..).zip(replies) {
        let number = number.to_string();
        receiver.answer(reply).await;
        world.precreate(&number, Some(&receiver.url)).await.done();
        world.pay(&number, "once").await;
        assert_eq!((run_once(&world).await, receiver.arrived().len()), (1, 1), "{reply:?}");
        let delivery = world.trade(&number).await["deliveries"][0].clone();
        assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("pending"), &json!(1)), "{reply:?}");
    }
}

#[tokio::test]
async fn the_ladder_follows_the_clock_and_repeats_the_same_message() {
    let (world, mut receiver) = (World::start().await, Receiver::start(Reply::Status(500)).await);
    world.precreate("1001", Some(&receiver.url)).await.done();
    world.pay("1001", "once").await;
    assert_eq!(run_once(&world).await, 1);
    let first = receiver.arrived().remove(0);
    for minutes in [4, 10, 10, 60, 120, 360, 900] {
        world.advance(minutes * 60_000 - 30_000).await;
        assert_eq!(run_once(&world).await, 0, "{minutes}");
        world.advance(30_000).await;
        assert_eq!(run_once(&world).await, 1, "{minutes}");
        assert_eq!(receiver.arrived(), std::slice::from_ref(&first));
    }
    let delivery = world.trade("1001").await["deliveries"][0].clone();
    assert_eq!(
        (&delivery["status"], &delivery["attempts"], &delivery["last_outcome"]),
        (&json!("given_up"), &json!(8), &json!("HTTP 500"))
    );
    world.advance(86_400_000).await;
    assert_eq!(run_once(&world).await, 0);
}

#[tokio::test]
async fn a_late_success_ends_the_ladder() {
    let (world, mut receiver) = (World::start().await, Receiver::start(Reply::Text("fail")).await);
    world.precreate("1001", Some(&receiver.url)).await.done();
    world.pay("1001", "once").await;
    run_once(&world).await;
    receiver.answer(Reply::Success).await;
    world.advance(4 * 60_000).await;
    assert_eq!((run_once(&world).await, receiver.arrived().len()), (1, 2));
    assert_eq!(world.trade("1001").await["deliveries"][0]["status"], "delivered");
}

#[tokio::test]
async fn a_notification_that_is_lost_is_still_shown() {
    let (world, mut receiver) = (World::start().await, Receiver::start(Reply::Success).await);
    world.precreate("1001", Some(&receiver.url)).await.done();
    let paid = world.pay("1001", "never").await;
    assert_eq!(paid["deliveries"][0]["status"], "withheld");
    assert!(world.read_notification(paid["notification"].as_str().unwrap()).1);
    world.advance(86_400_000).await;
    assert_eq!((run_once(&world).await, receiver.arrived().len()), (0, 0));
}

#[tokio::test]
async fn a_merchant_who_named_no_place_is_not_told() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    assert_eq!(world.pay("1001", "once").await["deliveries"][0]["status"], "withheld");
    assert_eq!(run_once(&world).await, 0);
}

#[tokio::test]
async fn a_doubled_notification_comes_twice_with_one_id() {
    let (world, mut receiver) = (World::start().await, Receiver::start(Reply::Success).await);
    world.precreate("1001", Some(&receiver.url)).await.done();
    world.pay("1001", "twice").await;
    assert_eq!(run_once(&world).await, 1);
    let arrived = receiver.arrived();
    assert_eq!((arrived.len(), &arrived[0]), (2, &arrived[1]));
    assert_eq!(world.trade("1001").await["deliveries"][0]["status"], "delivered");
}

#[tokio::test]
async fn a_late_notification_waits_by_the_sandboxs_clock() {
    let (world, mut receiver) = (World::start().await, Receiver::start(Reply::Success).await);
    world.precreate("1001", Some(&receiver.url)).await.done();
    assert_eq!(world.pay("1001", "late:3600000").await["status"], "paid");
    assert_eq!((run_once(&world).await, receiver.arrived().len()), (0, 0));
    world.advance(3_600_000).await;
    assert_eq!((run_once(&world).await, receiver.arrived().len()), (1, 1));
}

#[tokio::test]
async fn a_forged_notice_comes_once_and_leaves_the_trade_unpaid() {
    let (world, mut receiver) = (World::start().await, Receiver::start(Reply::Text("fail")).await);
    world.precreate("1001", Some(&receiver.url)).await.done();
    let trade = world.pay("1001", "forged").await;
    assert_eq!((&trade["status"], &trade["notification"]), (&json!("coded"), &json!(null)));
    assert_eq!((&trade["deliveries"][0]["genuine"], run_once(&world).await), (&json!(false), 1));
    let (members, is_alipays) = world.read_notification(&receiver.arrived()[0].1);
    assert!(!is_alipays);
    assert_eq!((&members["trade_status"], &members["total_amount"]), (&json!("TRADE_SUCCESS"), &json!("199.00")));
    world.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    assert_eq!(world.trade("1001").await["deliveries"][0]["status"], "given_up");
    assert_eq!(world.pay("1001", "once").await["status"], "paid");
}

#[tokio::test]
async fn a_wrong_amount_is_paid_signed_and_answered() {
    let (world, mut receiver) = (World::start().await, Receiver::start(Reply::Success).await);
    world.precreate("1001", Some(&receiver.url)).await.done();
    let trade = world.pay("1001", "wrong_amount").await;
    assert_eq!((&trade["amount"], &trade["paid_amount"]), (&json!(19_900), &json!(19_901)));
    run_once(&world).await;
    let (members, is_alipays) = world.read_notification(&receiver.arrived()[0].1);
    assert!(is_alipays);
    assert_eq!(members["total_amount"], "199.01");
    assert_eq!(world.query("1001").await.done()["total_amount"], "199.01");
}

#[tokio::test]
async fn an_unreachable_merchant_is_tried_again() {
    let world = World::start().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/notify", closed.local_addr().unwrap());
    drop(closed);
    world.precreate("1001", Some(&url)).await.done();
    world.pay("1001", "once").await;
    assert_eq!(run_once(&world).await, 1);
    let delivery = world.trade("1001").await["deliveries"][0].clone();
    assert_eq!(delivery["status"], "pending");
    assert!(delivery["last_outcome"].as_str().unwrap().starts_with("no connection"), "{delivery}");
}

/// Runs the loop beside a test and ends it with the test.
fn run(world: &World) -> oneshot::Sender<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    let sandbox = world.sandbox.clone();
    tokio::spawn(async move { sandbox.run(async move { drop(stopped.await) }).await });
    stop
}

#[tokio::test]
async fn the_loop_delivers_by_itself_and_follows_the_clock() {
    let (world, mut receiver) = (World::start().await, Receiver::start(Reply::Status(500)).await);
    let _stop = run(&world);
    world.precreate("1001", Some(&receiver.url)).await.done();
    world.pay("1001", "once").await;
    let first = receiver.next().await;
    world.advance(4 * 60_000).await;
    assert_eq!(receiver.next().await, first);
}

#[tokio::test]
async fn a_scaled_ladder_runs_through_by_itself() {
    let scaled = |config| SandboxConfig { notify_scale: "0.000001".parse().unwrap(), ..config };
    let (world, mut receiver) = (World::start_with(scaled).await, Receiver::start(Reply::Text("fail")).await);
    let _stop = run(&world);
    world.precreate("1001", Some(&receiver.url)).await.done();
    world.pay("1001", "once").await;
    for _ in 0..8 {
        receiver.next().await;
    }
    assert_eq!(receiver.arrived().len(), 0);
}

#[tokio::test]
async fn a_merchant_who_never_answers_holds_up_nobody_else() {
    let (world, mut slow, mut quick) = (World::start().await, Receiver::start(Reply::Never).await, Receiver::start(Reply::Success).await);
    let _stop = run(&world);
    for (number, url) in [("1001", &slow.url), ("1002", &quick.url)] {
        world.precreate(number, Some(url)).await.done();
        world.pay(number, "once").await;
    }
    slow.next().await;
    let limit = Duration::from_secs(4);
    tokio::time::timeout(limit, quick.next()).await.expect("the quick merchant is told before the slow one times out");
}

#[tokio::test]
async fn more_payments_than_there_is_room_for_are_all_told() {
    let (world, mut receiver) = (World::start().await, Receiver::start(Reply::Success).await);
    for number in 1001..1101 {
        let number = number.to_string();
        world.precreate(&number, Some(&receiver.url)).await.done();
        world.pay(&number, "once").await;
    }
    let _stop = run(&world);
    let mut told = std::collections::HashSet::new();
    for _ in 0..100 {
        told.insert(world.read_notification(&receiver.next().await).0["out_trade_no"].to_string());
    }
    assert_eq!(told.len(), 100);
}

#[tokio::test]
async fn the_loop_ends_when_it_is_told_to() {
    let world = World::start().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let sandbox = world.sandbox.clone();
    let running = tokio::spawn(async move { sandbox.run(async move { drop(stopped.await) }).await });
    stop.send(()).unwrap();
    tokio::time::timeout(PATIENCE, running).await.expect("the loop ends").unwrap();
}
