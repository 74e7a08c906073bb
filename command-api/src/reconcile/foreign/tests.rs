use chrono::TimeDelta;
use domain::PayNo;
use domain::order::RefundStatus;
use gateway::{GatewayError, Operation, RefundFound, RefundState, StatementLine};

use crate::handler::Context;
use crate::reconcile::tests::{back, counts, fen, line, operator, refund_line};
use crate::reconcile::{DiscrepancyKind, Reconciliation};
use crate::refunds::{OperatorChoice, RefundWish};
use crate::testing::*;

const CHANNEL_ONLY: DiscrepancyKind = DiscrepancyKind::ChannelOnly;

/// A payment that is on the log, on the day after it.
struct Paid {
    world: World,
    pay_no: PayNo,
}

impl Paid {
    async fn new() -> Self {
        let world = World::new().await;
        let pay_no = world.pending().await;
        world.pay(pay_no).await;
        Self { world, pay_no }
    }

    /// The channel has told that so much went back in all.
    async fn told_in_all(&self, total: i64) {
        let context = Context::of_caller(&operator(), CORRELATION);
        self.world.commands.observe_refunds(&context, self.pay_no, "trade-1", fen(total)).await.unwrap();
    }

    /// A refund of ours that the channel does not make, and that an operator has made by hand.
    async fn made_by_hand(&self, amount: i64) {
        let (commands, context) = (&self.world.commands, Context::of_caller(&operator(), CORRELATION));
        let wish = RefundWish { amount: fen(amount), reason: "half".to_owned() };
        let refund = commands.request_refund(&operator(), self.pay_no.order_id(), wish, None, None, CORRELATION).await.unwrap();
        self.world.channel.refunds(Ok(RefundState::NeedsOperator { code: "NOTENOUGH".to_owned() }));
        commands.drive_refund(&context, refund.refund_no).await.unwrap();
        let (choice, reason) = (OperatorChoice::Settle, "on the website".to_owned());
        commands.choose_refund(&operator(), refund.refund_no, choice, reason, None, CORRELATION).await.unwrap();
    }

    fn lines(&self, refunds: &[(&str, i64)]) -> Vec<StatementLine> {
        let refund = |(number, amount): &(&str, i64)| refund_line(*number, self.pay_no, "trade-1", *amount);
        [line(&self.pay_no, "trade-1", COURSE_PRICE)].into_iter().chain(refunds.iter().map(refund)).collect()
    }

    /// The next day's comparison, where the channel answers about each refund so.
    async fn reconcile(&self, refunds: &[(&str, i64)], answers: Vec<Result<Option<i64>, GatewayError>>) -> Reconciliation {
        for answer in answers {
            let found = |amount| RefundFound { amount: fen(amount), state: back() };
            self.world.channel.refund_finds(answer.map(|amount| amount.map(found)));
        }
        self.world.reconcile(self.lines(refunds)).await
    }

    /// What went back by the log.
    async fn back(&self) -> i64 {
        self.world.load(self.pay_no.order_id()).await.refunded_of(self.pay_no, "trade-1")
    }
}

fn timed_out<T>() -> Result<T, GatewayError> {
    Err(unknown(Operation::QueryRefund))
}

#[tokio::test]
async fn a_running_total_of_several_refunds_is_not_counted_again_line_by_line() {
    let paid = Paid::new().await;
    paid.told_in_all(800).await;
    paid.world.next_day();
    let refunds = [("website-1", 500), ("website-2", 300)];
    let first = paid.reconcile(&refunds, vec![Ok(Some(500)), Ok(Some(300))]).await;
    assert_eq!((counts(&first), paid.back().await), ((3, 3, 0, vec![]), 800));
    // Both numbers are kept: the next comparison asks nobody, and another refund is known to be one.
    let head = paid.world.head().await;
    assert_eq!((counts(&paid.reconcile(&refunds, vec![]).await), paid.world.head().await), ((3, 3, 0, vec![]), head));
    let more = [("website-1", 500), ("website-2", 300), ("website-3", 200)];
    assert_eq!(counts(&paid.reconcile(&more, vec![Ok(Some(200))]).await), (4, 3, 1, vec![]));
    assert_eq!(paid.back().await, 1_000);
    // One of the two alone is not all of it.
    let alone = paid.reconcile(&[("website-1", 500), ("website-3", 200)], vec![]).await;
    assert_eq!(counts(&alone), (3, 2, 0, vec![DiscrepancyKind::AmountDiffers]));
}

#[tokio::test]
async fn nothing_is_recorded_beside_a_running_total_that_may_have_counted_it() {
    let paid = Paid::new().await;
    paid.told_in_all(800).await;
    paid.world.next_day();
    // The other one stands in another day's statement.
    let result = paid.reconcile(&[("website-1", 500)], vec![Ok(Some(500))]).await;
    assert_eq!((counts(&result).3, paid.back().await), (vec![CHANNEL_ONLY, DiscrepancyKind::OursOnly], 800));
    // All of it, and one that is not answered for: nobody can tell yet.
    let result = paid.reconcile(&[("website-1", 500), ("website-2", 300)], vec![Ok(Some(500)), timed_out()]).await;
    assert_eq!((counts(&result), result.unanswered, paid.back().await), ((3, 1, 0, vec![CHANNEL_ONLY; 2]), 1, 800));
    // What the channel does not confirm may be the same in sum, which proves no more.
    let result = paid.reconcile(&[("website-1", 500), ("website-2", 300)], vec![Ok(Some(500)), Ok(None)]).await;
    assert_eq!((counts(&result), paid.back().await), ((3, 3, 0, vec![]), 800));
    assert!(paid.world.all("IdempotencyKeyRecorded").await.is_empty());
}

#[tokio::test]
async fn lines_of_the_same_sum_come_first_and_the_rest_is_new_once_nothing_is_counted_blindly() {
    let paid = Paid::new().await;
    paid.told_in_all(500).await;
    paid.told_in_all(800).await;
    paid.world.next_day();
    let refunds = [("website-1", 200), ("website-2", 300), ("website-3", 500)];
    let result = paid.reconcile(&refunds, vec![Ok(Some(200)), Ok(Some(300)), Ok(Some(500))]).await;
    assert_eq!((counts(&result), paid.back().await), ((4, 3, 1, vec![]), 1_000));
}

#[tokio::test]
async fn a_total_that_comes_while_the_channel_is_asked_is_seen() {
    let paid = Paid::new().await;
    paid.world.next_day();
    let (commands, pay_no) = (paid.world.commands.clone(), paid.pay_no);
    paid.world.channel.meanwhile(async move {
        let context = Context::of_caller(&operator(), CORRELATION);
        commands.observe_refunds(&context, pay_no, "trade-1", fen(500)).await.unwrap();
    });
    let result = paid.reconcile(&[("website-1", 500)], vec![Ok(Some(500))]).await;
    assert_eq!((counts(&result), paid.back().await), ((2, 2, 0, vec![]), 500));
}

#[tokio::test]
async fn a_refund_of_the_log_stands_for_one_line_of_its_sum() {
    let paid = Paid::new().await;
    paid.told_in_all(500).await;
    paid.world.next_day();
    let refunds = [("website-1", 500), ("website-2", 500)];
    // Confirmed over another sum, or not at all.
    let result = paid.reconcile(&refunds, vec![Ok(Some(499)), Ok(None)]).await;
    assert_eq!((counts(&result), result.unanswered), ((3, 2, 0, vec![CHANNEL_ONLY]), 0));
    // Nobody answers: neither line is done with.
    let result = paid.reconcile(&refunds, vec![timed_out(), timed_out()]).await;
    assert_eq!((counts(&result), result.unanswered), ((3, 1, 0, vec![CHANNEL_ONLY; 2]), 2));
    // Whichever is answered for first is the one that the log has, and then the other is new.
    let result = paid.reconcile(&refunds, vec![timed_out(), Ok(Some(500))]).await;
    assert_eq!((counts(&result), result.unanswered, paid.back().await), ((3, 2, 0, vec![CHANNEL_ONLY]), 1, 500));
    let result = paid.reconcile(&refunds, vec![Ok(Some(500))]).await;
    assert_eq!((counts(&result), paid.back().await), ((3, 2, 1, vec![]), 1_000));
}

#[tokio::test]
async fn a_refund_made_by_hand_stands_for_one_line_of_its_sum() {
    let paid = Paid::new().await;
    paid.made_by_hand(300).await;
    paid.world.next_day();
    let result = paid.reconcile(&[("website-1", 300), ("website-2", 300)], vec![Ok(None), Ok(None)]).await;
    assert_eq!((counts(&result), paid.back().await), ((3, 2, 0, vec![CHANNEL_ONLY]), 300));
}

#[tokio::test]
async fn nothing_is_recorded_beside_a_refund_of_ours_of_which_the_channel_says_nothing_certain() {
    let paid = Paid::new().await;
    paid.made_by_hand(300).await;
    paid.world.next_day();
    let answers = [
        (timed_out(), 1),
        (Ok(RefundState::Processing), 0),
        (Ok(RefundState::NeedsOperator { code: "ABNORMAL".to_owned() }), 0),
        (Err(refused(Operation::QueryRefund)), 0),
    ];
    for (answer, unanswered) in answers {
        paid.world.channel.refund_queries(answer);
        let result = paid.reconcile(&[("website-1", 300)], vec![Ok(Some(300))]).await;
        assert_eq!((counts(&result), result.unanswered), ((2, 1, 0, vec![CHANNEL_ONLY]), unanswered));
        assert_eq!(paid.back().await, 300);
    }
    // The channel's last word on our number is that it gave nothing back.
    paid.world.channel.refund_queries(Ok(RefundState::Failed { code: "CLOSED".to_owned() }));
    let result = paid.reconcile(&[("website-1", 300)], vec![Ok(Some(300))]).await;
    assert_eq!((counts(&result), paid.back().await), ((2, 2, 0, vec![]), 300));
}

#[tokio::test]
async fn a_refund_beside_one_of_ours_that_the_channel_made_is_another() {
    let paid = Paid::new().await;
    let wish = RefundWish { amount: fen(300), reason: "half".to_owned() };
    let (commands, order_id) = (&paid.world.commands, paid.pay_no.order_id());
    let refund_no = commands.request_refund(&operator(), order_id, wish, None, None, CORRELATION).await.unwrap().refund_no;
    commands.drive_refund(&Context::of_caller(&operator(), CORRELATION), refund_no).await.unwrap();
    assert_eq!(paid.world.load(order_id).await.refund(refund_no).unwrap().status, RefundStatus::Succeeded);
    paid.world.clock.advance(TimeDelta::days(1));
    paid.world.channel.refund_queries(Ok(back()));
    let ours = refund_no.to_string();
    let result = paid.reconcile(&[(&ours, 300), ("website-1", 300)], vec![Ok(Some(300))]).await;
    assert_eq!((counts(&result), paid.back().await), ((3, 2, 1, vec![]), 600));
}
