use domain::Currency;

use super::*;
use crate::testing::*;

fn operator() -> Caller {
    Caller::Operator("olivia".to_owned())
}

fn wish(amount: i64) -> RefundWish {
    RefundWish { amount: Money::new(amount, Currency::Cny).unwrap(), reason: "ill".to_owned() }
}

async fn paid_order(world: &World) -> OrderId {
    let pay_no = world.pending().await;
    world.pay(pay_no).await;
    pay_no.order_id()
}

fn context() -> Context {
    Context::of_caller(&operator(), CORRELATION)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_posts_of_one_key_at_once_request_one_refund() {
    let world = World::new().await;
    let order_id = paid_order(&world).await;
    let posts = (0..50).map(|_| {
        let commands = world.other_process();
        tokio::spawn(async move {
            let key = key("k", "100");
            commands.request_refund(&operator(), order_id, wish(100), Some(&key), None, CORRELATION).await
        })
    });
    let mut replayed = 0;
    for post in posts.collect::<Vec<_>>() {
        let answer = post.await.unwrap().unwrap();
        assert_eq!(answer.refund_no, RefundNo::new(order_id, 1).unwrap());
        replayed += usize::from(answer.replayed);
    }
    assert_eq!((replayed, world.all("RefundRequested").await.len()), (49, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_are_wished_at_once_no_more_goes_back_than_was_paid() {
    let world = World::new().await;
    let order_id = paid_order(&world).await;
    let part = COURSE_PRICE / 3;
    let posts = (0..20).map(|_| {
        let commands = world.other_process();
        tokio::spawn(async move { commands.request_refund(&operator(), order_id, wish(part), None, None, CORRELATION).await })
    });
    let mut done = 0;
    for post in posts.collect::<Vec<_>>() {
        match post.await.unwrap() {
            Ok(_) => done += 1,
            Err(CommandFailure::Order(OrderRejection::RefundExceedsPaid) | CommandFailure::Contended(_)) => {}
            Err(failure) => panic!("{failure}"),
        }
    }
    let requested = world.all("RefundRequested").await;
    assert_eq!(requested.len(), done);
    assert!((1..=3).contains(&done), "{done}");
}

#[tokio::test]
async fn what_came_back_at_the_channel_cannot_be_settled_once_more() {
    let world = World::new().await;
    let order_id = paid_order(&world).await;
    world.channel.refunds(Ok(RefundState::NeedsOperator { code: "ACQ.SELLER_BALANCE_NOT_ENOUGH".to_owned() }));
    let refund_no =
        world.commands.request_refund(&operator(), order_id, wish(COURSE_PRICE), None, None, CORRELATION).await.unwrap().refund_no;
    world.commands.drive_refund(&context(), refund_no).await.unwrap();
    // Somebody makes a part of it by hand at the channel.
    let (pay_no, total) = (PayNo::new(order_id, 1).unwrap(), Money::new(100, Currency::Cny).unwrap());
    world.commands.observe_refunds(&context(), pay_no, "trade-1", total).await.unwrap();
    let choose = async |choice| world.commands.choose_refund(&operator(), refund_no, choice, "by bank".to_owned(), None, CORRELATION).await;
    let refused = choose(OperatorChoice::Settle).await;
    assert!(matches!(refused, Err(CommandFailure::Order(OrderRejection::RefundExceedsPaid))), "{refused:?}");
    choose(OperatorChoice::Retry).await.unwrap();
}

#[tokio::test]
async fn a_refund_that_was_made_after_all_is_not_counted_again_when_another_is_seen() {
    let world = World::new().await;
    let order_id = paid_order(&world).await;
    world.channel.refunds(Ok(RefundState::NeedsOperator { code: "ACQ.SYSTEM_ERROR_OF_OURS".to_owned() }));
    let refund_no = world.commands.request_refund(&operator(), order_id, wish(500), None, None, CORRELATION).await.unwrap().refund_no;
    world.commands.drive_refund(&context(), refund_no).await.unwrap();
    world.channel.refund_queries(Ok(RefundState::Succeeded { refunded_at: None }));
    let (pay_no, total) = (PayNo::new(order_id, 1).unwrap(), Money::new(800, Currency::Cny).unwrap());
    world.commands.observe_refunds(&context(), pay_no, "trade-1", total).await.unwrap();
    let order = world.load(order_id).await;
    assert_eq!(order.refund(refund_no).unwrap().status, RefundStatus::Succeeded);
    assert_eq!(order.refunded_of(pay_no, "trade-1"), 800);
}

#[tokio::test]
async fn a_retry_is_replayed_as_it_was_answered_whatever_came_of_it() {
    let world = World::new().await;
    let order_id = paid_order(&world).await;
    world.channel.refunds(Ok(RefundState::NeedsOperator { code: "ACQ.SELLER_BALANCE_NOT_ENOUGH".to_owned() }));
    let refund_no = world.commands.request_refund(&operator(), order_id, wish(500), None, None, CORRELATION).await.unwrap().refund_no;
    world.commands.drive_refund(&context(), refund_no).await.unwrap();
    let key = key("k", "again");
    let retry = async || {
        let choice = OperatorChoice::Retry;
        world.commands.choose_refund(&operator(), refund_no, choice, "again".to_owned(), Some(&key), CORRELATION).await.unwrap()
    };
    let first = retry().await;
    world.commands.drive_refund(&context(), refund_no).await.unwrap();
    assert_eq!(world.load(order_id).await.refund(refund_no).unwrap().status, RefundStatus::Succeeded);
    let again = retry().await;
    assert_eq!((again.status, again.order.position, again.replayed), (first.status, first.order.position, true));
}
