use chassis::clock::Clock;
use chrono::TimeDelta;
use domain::pay_record::PayRecordStatus;
use domain::unknown_capture::{UnknownCapture, UnknownCaptureCommand};
use domain::{Decider, PayNo};
use gateway::{GatewayError, Operation, RefundFound, RefundState, Statement, StatementLine, StatementLineKind, TradeState};

use super::*;
use crate::refunds::RefundWish;
use crate::streams;
use crate::testing::*;

/// The day of all payments of these tests, in Beijing.
pub(super) const DAY: &str = "2026-07-20";

pub(super) fn fen(amount_minor: i64) -> Money {
    Money::new(amount_minor, domain::Currency::Cny).unwrap()
}

pub(super) fn line(out_trade_no: &(impl ToString + ?Sized), trade_no: &str, amount: i64) -> StatementLine {
    StatementLine {
        kind: StatementLineKind::Payment,
        out_trade_no: out_trade_no.to_string(),
        trade_no: trade_no.to_owned(),
        amount: fen(amount),
        fee_minor: 0,
        at: Some(paid_at()),
    }
}

pub(super) fn refund_line(refund_no: &(impl ToString + ?Sized), out_trade_no: PayNo, trade_no: &str, amount: i64) -> StatementLine {
    let kind = StatementLineKind::Refund { refund_no: refund_no.to_string(), channel_refund_no: None };
    StatementLine { kind, ..line(&out_trade_no, trade_no, amount) }
}

pub(super) fn operator() -> Caller {
    Caller::Operator("olga".to_owned())
}

impl World {
    /// The day after, on which its statement is there.
    pub(super) fn next_day(&self) {
        self.clock.advance(TimeDelta::days(1));
    }

    pub(super) async fn reconcile(&self, lines: Vec<StatementLine>) -> Reconciliation {
        let date: NaiveDate = DAY.parse().unwrap();
        self.channel.statements(Ok(Statement { date, lines }));
        self.commands.reconcile(&operator(), Channel::AlipayQr, date, CORRELATION).await.unwrap()
    }
}

pub(super) fn counts(result: &Reconciliation) -> (usize, usize, usize, Vec<DiscrepancyKind>) {
    (result.lines, result.matched, result.recorded, result.discrepancies.iter().map(|found| found.kind).collect())
}

#[tokio::test]
async fn a_day_that_matches_changes_nothing() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    world.sync(pay_no).await.unwrap();
    world.next_day();
    let head = world.head().await;
    let result = world.reconcile(vec![line(&pay_no, "trade-1", COURSE_PRICE)]).await;
    assert_eq!((counts(&result), world.head().await), ((1, 1, 0, vec![]), head));
}

#[tokio::test]
async fn a_payment_that_only_the_channel_has_is_asked_about_and_recorded() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.next_day();
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    let lines = vec![line(&pay_no, "trade-1", COURSE_PRICE)];
    assert_eq!(counts(&world.reconcile(lines.clone()).await), (1, 0, 1, vec![]));
    assert!(matches!(world.status(pay_no).await, PayRecordStatus::Confirmed | PayRecordStatus::Surplus));
    assert_eq!(counts(&world.reconcile(lines).await), (1, 1, 0, vec![]));
}

#[tokio::test]
async fn a_line_that_the_channel_does_not_confirm_proves_nothing() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.next_day();
    let awaiting = Ok(TradeState::AwaitingBuyer { trade_no: None });
    let answers = [(awaiting, 0), (Err(refused(Operation::Query)), 0), (Err(unknown(Operation::Query)), 1)];
    for (answer, unanswered) in answers {
        world.channel.queries(answer);
        let result = world.reconcile(vec![line(&pay_no, "trade-1", COURSE_PRICE)]).await;
        assert_eq!(counts(&result), (1, 0, 0, vec![DiscrepancyKind::ChannelOnly]));
        assert_eq!(result.unanswered, unanswered);
    }
    assert!(world.record(pay_no).await.captures.is_empty());
    let other_sum = DiscrepancyKind::AmountDiffers;
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    let result = world.reconcile(vec![line(&pay_no, "trade-1", COURSE_PRICE + 1)]).await;
    assert_eq!(counts(&result), (1, 0, 0, vec![other_sum]));
}

#[tokio::test]
async fn money_under_a_number_that_is_not_ours_goes_to_the_operators_once_the_channel_confirms_it() {
    let world = World::new().await;
    world.next_day();
    let lines = vec![line("SHOP-7", "trade-9", 100)];
    for (answer, unanswered) in [(Err(unknown(Operation::Query)), 1), (Ok(TradeState::NotFound), 0), (Err(refused(Operation::Query)), 0)] {
        world.channel.queries(answer);
        let result = world.reconcile(lines.clone()).await;
        assert_eq!((counts(&result), result.unanswered), ((1, 0, 0, vec![DiscrepancyKind::ChannelOnly]), unanswered));
        assert!(world.all("UnknownCaptureReceived").await.is_empty());
    }
    for _ in 0..2 {
        world.channel.queries(Ok(paid("trade-9", 100)));
        assert_eq!(counts(&world.reconcile(lines.clone()).await), (1, 0, 0, vec![DiscrepancyKind::ChannelOnly]));
        assert_eq!(world.all("UnknownCaptureReceived").await.len(), 1);
    }
}

#[tokio::test]
async fn what_goes_back_of_money_that_an_operator_assigned_is_recorded_on_its_order() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.next_day();
    let payment = || line("SHOP-7", "trade-9", COURSE_PRICE);
    let website = StatementLine { out_trade_no: "SHOP-7".to_owned(), ..refund_line("2026072000001", pay_no, "trade-9", 500) };
    world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    world.reconcile(vec![payment()]).await;
    let unassigned = world.reconcile(vec![payment(), website.clone()]).await;
    assert_eq!(counts(&unassigned), (2, 0, 0, vec![DiscrepancyKind::ChannelOnly; 2]));

    let (stream_id, context) = (streams::unknown_capture("alipay", "trade-9"), Context::of_channel("alipay", CORRELATION));
    let assign = UnknownCaptureCommand::Assign { pay_no, reason: "hers".to_owned(), command_key: None };
    let decide = |state: &UnknownCapture| UnknownCapture::decide(state, assign.clone());
    world.commands.unknown_captures.execute(&stream_id, &context, decide).await.unwrap();
    world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    world.commands.take_up_decision(&context, &stream_id).await.unwrap();

    let state = RefundState::Succeeded { refunded_at: Some(paid_at()) };
    world.channel.refund_finds(Ok(Some(RefundFound { amount: fen(500), state })));
    for (matched, recorded) in [(1, 1), (2, 0)] {
        assert_eq!(counts(&world.reconcile(vec![payment(), website.clone()]).await), (2, matched, recorded, vec![]));
    }
    let refunds = world.load(pay_no.order_id()).await.refunds;
    assert_eq!(refunds.iter().map(|refund| (refund.trade_no.as_str(), refund.amount)).collect::<Vec<_>>(), [("trade-9", fen(500))]);
}

#[tokio::test]
async fn what_only_the_log_has_is_told_with_its_numbers() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    world.sync(pay_no).await.unwrap();
    world.next_day();
    let result = world.reconcile(vec![]).await;
    let expected = Discrepancy {
        kind: DiscrepancyKind::OursOnly,
        movement: Movement::Payment,
        out_trade_no: pay_no.to_string(),
        trade_no: "trade-1".to_owned(),
        refund_no: None,
        amount: fen(COURSE_PRICE),
    };
    assert_eq!(result.discrepancies, [expected]);
    // The day before knows nothing of it.
    let date = "2026-07-19".parse().unwrap();
    world.channel.statements(Ok(Statement { date, lines: vec![] }));
    let before = world.commands.reconcile(&operator(), Channel::AlipayWap, date, CORRELATION).await.unwrap();
    assert_eq!(before.discrepancies, []);
}

#[tokio::test]
async fn refunds_are_matched_by_their_number_and_asked_about_where_the_log_has_no_outcome() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    world.sync(pay_no).await.unwrap();
    let wish = RefundWish { amount: fen(300), reason: "half".to_owned() };
    let refund = world.commands.request_refund(&operator(), pay_no.order_id(), wish, None, None, CORRELATION).await.unwrap();
    world.next_day();
    let payment = || line(&pay_no, "trade-1", COURSE_PRICE);
    let lines = |amount| vec![payment(), refund_line(&refund.refund_no, pay_no, "trade-1", amount)];
    assert_eq!(counts(&world.reconcile(lines(299)).await), (2, 1, 0, vec![DiscrepancyKind::AmountDiffers]));
    for (answer, unanswered) in [(Err(unknown(Operation::QueryRefund)), 1), (Ok(RefundState::Processing), 0)] {
        world.channel.refund_queries(answer);
        let result = world.reconcile(lines(300)).await;
        assert_eq!((counts(&result), result.unanswered), ((2, 1, 0, vec![DiscrepancyKind::ChannelOnly]), unanswered));
    }
    world.channel.refund_queries(Ok(RefundState::Succeeded { refunded_at: Some(paid_at()) }));
    assert_eq!(counts(&world.reconcile(lines(300)).await), (2, 1, 1, vec![]));
    assert_eq!(counts(&world.reconcile(lines(300)).await), (2, 2, 0, vec![]));
    let ours_only = world.reconcile(vec![payment()]).await.discrepancies;
    assert_eq!((ours_only.len(), ours_only[0].movement, ours_only[0].amount), (1, Movement::Refund, fen(300)));
}

#[tokio::test]
async fn a_refund_made_on_the_channel_s_website_is_observed_once_the_channel_confirms_it() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    world.sync(pay_no).await.unwrap();
    world.next_day();
    let lines = || vec![line(&pay_no, "trade-1", COURSE_PRICE), refund_line("2026072000001", pay_no, "trade-1", 500)];
    let found = |amount, state| world.channel.refund_finds(Ok(Some(RefundFound { amount: fen(amount), state })));
    found(500, RefundState::Processing);
    assert_eq!(counts(&world.reconcile(lines()).await), (2, 1, 0, vec![DiscrepancyKind::ChannelOnly]));
    found(499, back());
    assert_eq!(counts(&world.reconcile(lines()).await), (2, 1, 0, vec![DiscrepancyKind::ChannelOnly]), "another sum");
    found(500, back());
    assert_eq!(counts(&world.reconcile(lines()).await), (2, 1, 1, vec![]));
    assert_eq!(world.all("RefundObserved").await.len(), 1);
    let head = world.head().await;
    assert_eq!((counts(&world.reconcile(lines()).await), world.head().await), ((2, 2, 0, vec![]), head));
    // The same sum once more under another number is another refund.
    found(500, back());
    let more = [lines(), vec![refund_line("2026072000002", pay_no, "trade-1", 500)]].concat();
    assert_eq!(counts(&world.reconcile(more).await), (3, 2, 1, vec![]));
    assert_eq!(world.all("RefundObserved").await.len(), 2);
}

pub(super) fn back() -> RefundState {
    RefundState::Succeeded { refunded_at: Some(paid_at()) }
}

#[tokio::test]
async fn a_refund_that_was_seen_without_its_number_is_the_one_of_the_statement() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    world.sync(pay_no).await.unwrap();
    let context = Context::of_caller(&operator(), CORRELATION);
    world.commands.observe_refunds(&context, pay_no, "trade-1", fen(500)).await.unwrap();
    world.next_day();
    let line = |number: &str| refund_line(number, pay_no, "trade-1", 500);
    let lines = || vec![self::line(&pay_no, "trade-1", COURSE_PRICE), line("2026072000001")];
    assert_eq!(counts(&world.reconcile(lines()).await), (2, 2, 0, vec![]), "of that sum there is one");
    world.channel.refund_finds(Ok(Some(RefundFound { amount: fen(500), state: back() })));
    assert_eq!(counts(&world.reconcile(lines()).await), (2, 2, 0, vec![]));
    // From then on it has its number, and stands for no other.
    world.channel.refund_finds(Ok(None));
    let more = [lines(), vec![line("2026072000002")]].concat();
    assert_eq!(counts(&world.reconcile(more).await), (3, 2, 0, vec![DiscrepancyKind::ChannelOnly]));
    assert_eq!(world.all("RefundObserved").await.len(), 1);
}

#[tokio::test]
async fn a_refund_that_an_operator_made_by_hand_is_not_counted_twice() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    world.sync(pay_no).await.unwrap();
    let wish = RefundWish { amount: fen(300), reason: "half".to_owned() };
    let refund = world.commands.request_refund(&operator(), pay_no.order_id(), wish, None, None, CORRELATION).await.unwrap();
    let context = Context::of_caller(&operator(), CORRELATION);
    world.channel.refunds(Ok(RefundState::NeedsOperator { code: "NOTENOUGH".to_owned() }));
    world.commands.drive_refund(&context, refund.refund_no).await.unwrap();
    world.commands.observe_refunds(&context, pay_no, "trade-1", fen(300)).await.unwrap();
    assert_eq!((world.all("RefundSucceeded").await.len(), world.all("RefundObserved").await.len()), (1, 0));
    world.next_day();
    let lines = || vec![line(&pay_no, "trade-1", COURSE_PRICE), refund_line("2026072000001", pay_no, "trade-1", 300)];
    world.channel.refund_finds(Ok(Some(RefundFound { amount: fen(300), state: back() })));
    assert_eq!(counts(&world.reconcile(lines()).await), (2, 2, 0, vec![]), "and the log has nothing more than the channel");
    assert_eq!((world.all("RefundSucceeded").await.len(), world.all("RefundObserved").await.len()), (1, 0));
}

#[tokio::test]
async fn only_days_that_are_over_and_channels_that_have_statements_are_reconciled() {
    let world = World::new().await;
    let reconcile = |channel, date: &str| {
        let (commands, date) = (world.commands.clone(), date.parse().unwrap());
        async move { commands.reconcile(&operator(), channel, date, CORRELATION).await }
    };
    assert_eq!(world.clock.now().date_naive().to_string(), DAY);
    assert!(matches!(reconcile(Channel::AlipayQr, DAY).await, Err(CommandFailure::Invalid { field: "date", .. })));
    assert!(matches!(reconcile(Channel::CashOnDelivery, "2026-07-19").await, Err(CommandFailure::ChannelNotConfigured)));
    assert!(matches!(reconcile(Channel::WechatNativeV2, "2026-07-19").await, Err(CommandFailure::ChannelNotConfigured)));
    world.channel.statements(Err(unknown(Operation::DownloadStatement)));
    assert!(matches!(reconcile(Channel::AlipayQr, "2026-07-19").await, Err(CommandFailure::ChannelUnavailable)));
    let code = "BILL_NOT_EXIST".to_owned();
    world.channel.statements(Err(GatewayError::Refused { channel: Channel::AlipayQr, operation: Operation::DownloadStatement, code }));
    assert!(matches!(reconcile(Channel::AlipayQr, "2026-07-19").await, Err(CommandFailure::ChannelRefused { .. })));
}
