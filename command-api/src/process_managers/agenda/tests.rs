use domain::Decider;
use domain::pay_record::ClosingProof;

use super::*;
use crate::testing::*;

const PATIENCE: AttemptPatience = AttemptPatience(TimeDelta::seconds(30));

/// Seconds after an arbitrary moment.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap()
}

#[test]
fn a_channel_is_asked_by_the_ladder() {
    let mut rungs = vec![];
    let mut after = at(0);
    while after < at(3 * 3600) {
        after = next_rung(at(0), after);
        rungs.push((after - at(0)).num_seconds());
    }
    let minutes = (1..=10).map(|minute| minute * 60);
    let tens = (2..=6).map(|ten| ten * 600);
    let expected: Vec<i64> = [10, 30].into_iter().chain(minutes).chain(tens).chain([7200, 10_800]).collect();
    assert_eq!(rungs, expected);
    assert_eq!(next_rung(at(0), at(-5)), at(10), "a clock that goes back asks no sooner");
}

/// An order with one code, made at the world's start; and the plan for it after some seconds.
struct Stage {
    world: World,
    pay_no: PayNo,
    asked: Asked,
}

impl Stage {
    async fn new() -> Self {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let touched_at = world.commands.now();
        Self { world, pay_no, asked: Asked { touched_at, last_at: None, is_touched: true } }
    }

    fn start(&self) -> DateTime<Utc> {
        self.asked.touched_at
    }

    fn after(&self, seconds: i64) -> DateTime<Utc> {
        self.start() + TimeDelta::seconds(seconds)
    }

    async fn plan(&self, seconds: i64) -> Agenda {
        agenda(&self.world.load(self.pay_no.order_id()).await, self.asked, PATIENCE, self.after(seconds))
    }

    /// The plan after `seconds` where a channel was asked after `asked` seconds.
    async fn plan_asked(&self, asked: i64, seconds: i64) -> Agenda {
        let asked = Asked { last_at: Some(self.after(asked)), is_touched: false, ..self.asked };
        agenda(&self.world.load(self.pay_no.order_id()).await, asked, PATIENCE, self.after(seconds))
    }

    async fn expires_at(&self) -> DateTime<Utc> {
        self.world.load(self.pay_no.order_id()).await.created.unwrap().expires_at
    }

    async fn decide(&self, command: domain::order::OrderCommand) {
        let stream_id = crate::streams::order(self.pay_no.order_id());
        let context = crate::handler::Context::of_caller(&alice(), CORRELATION);
        self.world.commands.orders.execute(&stream_id, &context, |order| Order::decide(order, command.clone())).await.unwrap();
    }
}

#[tokio::test]
async fn a_pending_attempt_is_asked_about_at_each_rung_once() {
    let stage = Stage::new().await;
    let ask = vec![Task::Ask(stage.pay_no)];
    let none = stage.plan(9).await;
    assert_eq!((none.tasks, none.next_at), (vec![], Some(stage.after(10))));
    let due = stage.plan(10).await;
    assert_eq!((due.tasks, due.next_at), (ask.clone(), Some(stage.after(30))));
    assert_eq!(stage.plan_asked(10, 29).await.tasks, vec![]);
    assert_eq!(stage.plan_asked(10, 30).await.tasks, ask);
    // What was missed while nothing ran is made up for by one question.
    assert_eq!(stage.plan_asked(10, 1000).await.tasks, ask);
    assert_eq!(stage.plan_asked(1000, 1001).await.tasks, vec![]);
}

#[tokio::test]
async fn an_order_expires_when_its_time_is_over() {
    let world = World::new().await;
    let order = world.load(world.order().await).await;
    let (now, expires_at) = (world.commands.now(), order.created.as_ref().unwrap().expires_at);
    let asked = Asked { touched_at: now, last_at: None, is_touched: true };
    let before = agenda(&order, asked, PATIENCE, expires_at - TimeDelta::microseconds(1));
    assert_eq!((before.tasks, before.next_at), (vec![], Some(expires_at)));
    assert_eq!(agenda(&order, asked, PATIENCE, expires_at).tasks, [Task::Expire]);
}

#[tokio::test]
async fn a_closing_attempt_is_closed_at_once_and_again_when_ignorance_is_proof() {
    let stage = Stage::new().await;
    stage.decide(domain::order::OrderCommand::Expire { now: stage.expires_at().await }).await;
    let close = vec![Task::Close(stage.pay_no)];
    assert_eq!(stage.plan(0).await.tasks, close);
    assert_eq!(stage.plan_asked(0, 5).await.tasks, vec![]);
    let until = stage.world.record(stage.pay_no).await.begins_until().unwrap();
    let grace = until + PayRecord::ABSENCE_GRACE;
    let seconds = (grace - stage.start()).num_seconds();
    assert_eq!(stage.plan_asked(seconds - 2, seconds + 1).await.tasks, close);
    let late = until + Order::UNPROVEN_AFTER;
    let seconds = (late - stage.start()).num_seconds() + 1;
    assert_eq!(stage.plan_asked(0, seconds).await.tasks, [Task::Close(stage.pay_no), Task::StopWaiting]);
}

#[tokio::test]
async fn a_cancels_own_request_is_left_alone_for_a_moment() {
    let stage = Stage::new().await;
    stage.decide(domain::order::OrderCommand::Cancel { reason: None }).await;
    assert_eq!(stage.plan(2).await.tasks, vec![]);
    assert_eq!(stage.plan(3).await.tasks, [Task::Close(stage.pay_no)]);
}

#[tokio::test]
async fn an_attempt_that_ended_without_proof_is_asked_about_twice_more() {
    let stage = Stage::new().await;
    stage.decide(domain::order::OrderCommand::Expire { now: stage.expires_at().await }).await;
    let waited = stage.world.record(stage.pay_no).await.begins_until().unwrap() + Order::UNPROVEN_AFTER;
    stage.decide(domain::order::OrderCommand::StopWaiting { now: waited }).await;
    let seconds = |at: DateTime<Utc>| (at - stage.start()).num_seconds();
    let (first, second) = (seconds(waited + TimeDelta::minutes(10)) + 1, seconds(waited + TimeDelta::hours(24)) + 1);
    assert_eq!(stage.plan_asked(seconds(waited), first - 5).await.tasks, vec![]);
    assert_eq!(stage.plan_asked(seconds(waited), first).await.tasks, [Task::Ask(stage.pay_no)]);
    let between = stage.plan_asked(first, second - 5).await;
    assert_eq!((between.tasks, between.next_at), (vec![], Some(waited + TimeDelta::hours(24))));
    assert_eq!(stage.plan_asked(first, second).await.tasks, [Task::Ask(stage.pay_no)]);
    assert_eq!(stage.plan_asked(second, second + 999_999).await, Agenda::default());
}

#[tokio::test]
async fn nothing_is_left_of_an_order_that_is_paid_or_has_ended() {
    let stage = Stage::new().await;
    stage.world.pay(stage.pay_no).await;
    // What it holds is brought to where it is, which does nothing where it is there.
    assert_eq!(stage.plan(1_000_000).await, Agenda { tasks: vec![Task::Held], next_at: None });
    let stage = Stage::new().await;
    stage.decide(domain::order::OrderCommand::Cancel { reason: None }).await;
    stage.decide(domain::order::OrderCommand::ClosePayRecord { pay_no: stage.pay_no, proof: ClosingProof::ChannelClosed }).await;
    assert_eq!(stage.plan(1_000_000).await, Agenda::default());
}

#[tokio::test]
async fn an_order_that_was_never_made_is_given_up_and_lets_its_stock_go() {
    let stage = Stage::new().await;
    let look = |order: &Order| agenda(order, stage.asked, PATIENCE, stage.start());
    assert_eq!(look(&Order::default()), Agenda { tasks: vec![Task::Abandon, Task::Held], next_at: None });
    let given_up = Order { status: OrderStatus::Abandoned, ..Order::default() };
    assert_eq!(look(&given_up), Agenda { tasks: vec![Task::Held], next_at: None });
}

#[tokio::test]
async fn an_attempt_without_an_outcome_is_taken_up_when_its_own_process_had_its_time() {
    let world = World::new().await;
    let pay_no = world.preparing().await;
    let order = world.load(pay_no.order_id()).await;
    let issued_at = order.pay_record(pay_no).unwrap().issued.as_ref().unwrap().issued_at;
    let asked = Asked { touched_at: issued_at, last_at: None, is_touched: true };
    let plan = |seconds| agenda(&order, asked, PATIENCE, issued_at + TimeDelta::seconds(seconds));
    assert_eq!((plan(29).tasks, plan(29).next_at), (vec![], Some(issued_at + TimeDelta::seconds(30))));
    assert_eq!(plan(30).tasks, [Task::TakeUp(pay_no)]);
    let again = Asked { last_at: Some(issued_at + TimeDelta::seconds(30)), ..asked };
    let plan = |seconds| agenda(&order, again, PATIENCE, issued_at + TimeDelta::seconds(seconds));
    assert_eq!((plan(39).tasks, plan(40).tasks), (vec![], vec![Task::TakeUp(pay_no)]), "by the ladder from then on");
}

#[tokio::test]
async fn refunds_of_one_payment_are_made_one_after_the_other() {
    let stage = Stage::new().await;
    stage.world.pay(stage.pay_no).await;
    for amount in [100, 200] {
        let amount = domain::Money::new(amount, domain::Currency::Cny).unwrap();
        let command = domain::order::RefundCommand::Request { amount, reason: "ill".to_owned(), now: stage.start() };
        stage.decide(domain::order::OrderCommand::Refund(command)).await;
    }
    let numbers: Vec<RefundNo> = stage.world.load(stage.pay_no.order_id()).await.refunds.iter().map(|refund| refund.refund_no).collect();
    let first = stage.plan(0).await;
    assert_eq!((first.tasks, first.next_at), (vec![Task::Refund(numbers[0]), Task::Held], Some(stage.after(10))));
    assert_eq!(stage.plan_asked(0, 9).await.tasks, [Task::Held], "asked already, and the ladder's first rung is not there yet");
    assert_eq!(stage.plan_asked(0, 10).await.tasks, [Task::Refund(numbers[0]), Task::Held]);
}

#[tokio::test]
async fn the_next_refund_of_a_payment_is_made_a_little_later() {
    let stage = Stage::new().await;
    stage.world.pay(stage.pay_no).await;
    let request = |amount| domain::order::RefundCommand::Request {
        amount: domain::Money::new(amount, domain::Currency::Cny).unwrap(),
        reason: "ill".to_owned(),
        now: stage.start(),
    };
    stage.decide(domain::order::OrderCommand::Refund(request(100))).await;
    stage.decide(domain::order::OrderCommand::Refund(request(200))).await;
    let order = stage.world.load(stage.pay_no.order_id()).await;
    let (first, second) = (order.refunds[0].refund_no, order.refunds[1].refund_no);
    let outcome = domain::order::RefundOutcome::Succeeded { refunded_at: None };
    let record = domain::order::RefundCommand::Record { refund_no: first, retries: 0, outcome, now: stage.start() };
    stage.decide(domain::order::OrderCommand::Refund(record)).await;
    let order = stage.world.load(stage.pay_no.order_id()).await;
    let touched = Asked { last_at: Some(stage.start()), ..stage.asked };
    let soon = agenda(&order, touched, PATIENCE, stage.after(3));
    assert_eq!((soon.tasks, soon.next_at), (vec![Task::Held], Some(stage.after(4))));
    assert_eq!(agenda(&order, touched, PATIENCE, stage.after(4)).tasks, [Task::Refund(second), Task::Held]);
}

#[tokio::test]
async fn a_record_that_other_money_paid_is_asked_about_while_its_own_code_can_be_paid() {
    let stage = Stage::new().await;
    let owed = stage.world.record(stage.pay_no).await.issued.unwrap().amount;
    let capture = |learned_by| domain::pay_record::Capture {
        trade_no: "foreign".to_owned(),
        amount: owed,
        paid_at: None,
        paid_at_offset: None,
        received_at: stage.start(),
        learned_by,
    };
    let assigned = domain::pay_record::CaptureSource::Assigned;
    stage.decide(domain::order::OrderCommand::RecordCapture { pay_no: stage.pay_no, capture: capture(assigned) }).await;
    assert_eq!(stage.world.status(stage.pay_no).await, PayRecordStatus::Confirmed);
    let ask = Task::Ask(stage.pay_no);
    assert!(stage.plan(10).await.tasks.contains(&ask));
    let over = (stage.expires_at().await - stage.start()).num_seconds() + 300;
    let code_over = CODE_LIFE.num_seconds() + 300;
    assert!(code_over + 60 < over && stage.plan_asked(code_over + 1, code_over + 700).await.tasks.contains(&ask), "scanned in time");
    assert!(stage.plan_asked(60, over + 1).await.tasks.contains(&ask), "once more when nobody can begin to pay it");
    let done = stage.plan_asked(over + 1, over + 120).await;
    assert!(!done.tasks.contains(&ask));

    let own = Stage::new().await;
    own.world.pay(own.pay_no).await;
    assert!(!own.plan(10).await.tasks.contains(&Task::Ask(own.pay_no)), "money of its own needs no question");
}
