use domain::Channel;
use domain::OrderId;
use gateway::Closed;

use super::*;

/// A shop with `alipay_page`, its process manager, and an attempt on the channel's page.
struct Page {
    world: World,
    commands: Commands,
    manager: OrderUpkeep,
    pay_no: PayNo,
}

impl Page {
    async fn begun() -> Self {
        let world = World::new().await;
        let commands = world.with_channel(Channel::AlipayPage);
        let order_id = world.order().await;
        let begun = commands.create_pay_record(&alice(), order_id, Channel::AlipayPage, None, None, CORRELATION).await.unwrap();
        let manager = manager_of(&world, commands.clone());
        Self { world, commands, manager, pay_no: begun.pay_no }
    }

    async fn opened() -> Self {
        let page = Self::begun().await;
        page.commands.open_pay_page(page.pay_no, "https://pay.example/return/token".to_owned(), CORRELATION).await.unwrap();
        page.world.channel.asked();
        page
    }

    fn order_id(&self) -> OrderId {
        self.pay_no.order_id()
    }

    async fn pass(&self, time: TimeDelta) {
        self.world.clock.advance(time);
        for _ in 0..4 {
            run(&self.manager).await;
        }
    }

    async fn order_status(&self) -> OrderStatus {
        self.world.load(self.order_id()).await.status
    }
}

#[tokio::test]
async fn a_payment_on_a_page_is_found_by_asking_when_nothing_else_tells_of_it() {
    let page = Page::opened().await;
    page.world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    page.pass(TimeDelta::seconds(9)).await;
    assert_eq!(page.world.channel.asked(), []);
    page.pass(TimeDelta::seconds(1)).await;
    assert_eq!(page.world.channel.asked(), asked(&[(Query, "01")]));
    assert_eq!(page.order_status().await, OrderStatus::Paid);
}

#[tokio::test]
async fn a_page_that_nobody_opened_ends_with_its_order_and_needs_no_proof() {
    let page = Page::begun().await;
    // Whatever is asked, nothing is known.
    page.world.channel.queries(Err(unknown(Query)));
    page.pass(ORDER_LIFE).await;
    let types = page.world.order_types(page.order_id()).await;
    assert_eq!(types, ["OrderCreated", "PayRecordIssued", "PayRecordClosed", "OrderExpired"]);
    assert_eq!(page.world.record(page.pay_no).await.closed_proof, Some(ClosedProof::NeverShown));
}

#[tokio::test]
async fn a_form_that_is_out_is_watched_to_its_end_and_five_minutes_more() {
    let page = Page::opened().await;
    for _ in 0..40 {
        page.world.channel.closes(Ok(Closed::NotFound));
    }
    page.pass(ORDER_LIFE).await;
    assert_eq!(page.order_status().await, OrderStatus::Closing);
    let until = page.world.record(page.pay_no).await.begins_until().unwrap();
    page.pass(until + TimeDelta::minutes(5) - TimeDelta::seconds(1) - page.commands.now()).await;
    assert_eq!(page.order_status().await, OrderStatus::Closing);
    page.pass(TimeDelta::seconds(1)).await;
    assert_eq!(page.order_status().await, OrderStatus::Expired);
    assert_eq!(page.world.record(page.pay_no).await.closed_proof, Some(ClosedProof::AbsentAfterGrace));
}

#[tokio::test]
async fn a_form_that_is_brought_after_another_channel_was_chosen_is_closed_there() {
    let page = Page::opened().await;
    page.world.channel.closes(Ok(Closed::NotFound));
    page.world.attempt(page.order_id()).await;
    page.world.channel.asked();
    page.pass(TimeDelta::zero()).await;
    assert_eq!(page.world.channel.asked(), asked(&[(Query, "01"), (Close, "01")]), "at once");
    assert_eq!(page.world.status(page.pay_no).await, PayRecordStatus::Closing);
    page.world.channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: None }));
    page.pass(TimeDelta::seconds(10)).await;
    assert_eq!(page.world.record(page.pay_no).await.closed_proof, Some(ClosedProof::ChannelClosed));
    assert_eq!(page.order_status().await, OrderStatus::AwaitingPayment, "the code can be paid as before");
}

#[tokio::test]
async fn a_page_attempt_is_never_taken_up_as_one_without_an_outcome() {
    let page = Page::begun().await;
    page.pass(PATIENCE).await;
    assert_eq!(page.world.order_types(page.order_id()).await, ["OrderCreated", "PayRecordIssued"]);
    page.commands.take_up_attempt(&Context::of_caller(&alice(), CORRELATION), page.pay_no).await.unwrap();
    assert_eq!(page.world.status(page.pay_no).await, PayRecordStatus::Pending);
}
