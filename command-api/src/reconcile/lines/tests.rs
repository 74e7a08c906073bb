use domain::unknown_capture::UnknownCaptureCommand as Wish;
use domain::{Channel, OrderId};
use gateway::{RefundFound, RefundState, Statement};

use super::*;
use crate::Channels;
use crate::notices::Unverified;
use crate::reconcile::Reconciliation;
use crate::reconcile::tests::{DAY, back, counts, fen, line, operator, refund_line};
use crate::refunds::RefundWish;
use crate::testing::*;

const CHANNEL_ONLY: DiscrepancyKind = DiscrepancyKind::ChannelOnly;

/// Alice's order in a world whose configuration names other channels.
struct Shop {
    world: World,
    order_id: OrderId,
    commands: Commands,
}

impl Shop {
    async fn with(channels: &[Channel]) -> Self {
        let world = World::new().await;
        let order_id = world.order().await;
        let commands = with_only(&world, channels);
        Self { world, order_id, commands }
    }

    async fn attempt(&self, channel: Channel) -> PayNo {
        self.commands.create_pay_record(&alice(), self.order_id, channel, None, None, CORRELATION).await.unwrap().pay_no
    }

    /// The wallet notifies of money under a number that is none of ours; answers its stream.
    async fn told_by(&self, wallet: Wallet) -> StreamId {
        let raw = self.world.channel.notifies(Ok(notification("SHOP-7", "trade-9", COURSE_PRICE)));
        self.commands.take_notice(wallet, raw, Unverified::Keep, CORRELATION).await.unwrap();
        streams::unknown_capture(wallet.as_str(), "trade-9")
    }

    async fn decide(&self, stream_id: &StreamId, wish: Wish) {
        let decide = |state: &UnknownCapture| UnknownCapture::decide(state, wish.clone());
        self.commands.unknown_captures.execute(stream_id, &context(), decide).await.unwrap();
        self.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
        self.commands.take_up_decision(&context(), stream_id).await.unwrap();
        self.world.channel.answers_again();
    }

    /// What comes of the day's statement, fetched through `channel`: the payment, and a part that went back on the website.
    async fn reconcile(&self, channel: Channel) -> Reconciliation {
        let website = StatementLine { out_trade_no: "SHOP-7".to_owned(), ..refund_line("2026072000001", any_pay_no(), "trade-9", 500) };
        reconcile(&self.world, &self.commands, channel, vec![line("SHOP-7", "trade-9", COURSE_PRICE), website]).await.unwrap()
    }
}

fn with_only(world: &World, channels: &[Channel]) -> Commands {
    world.with_channels(|_, one| channels.iter().fold(Channels::default(), |made, channel| made.with(*channel, one.clone())))
}

async fn reconcile(
    world: &World,
    commands: &Commands,
    channel: Channel,
    lines: Vec<StatementLine>,
) -> Result<Reconciliation, CommandFailure> {
    let date = DAY.parse().unwrap();
    world.channel.statements(Ok(Statement { date, lines }));
    commands.reconcile(&operator(), channel, date, CORRELATION).await
}

fn context() -> Context {
    Context::of_caller(&operator(), CORRELATION)
}

fn any_pay_no() -> PayNo {
    "723198234567890123401".parse().unwrap()
}

fn dealt_with() -> Wish {
    Wish::Resolve { reason: "given back".to_owned(), command_key: None }
}

#[tokio::test]
async fn what_went_back_of_money_that_the_other_protocol_told_of_is_recorded_on_its_order() {
    let shop = Shop::with(&[Channel::WechatNative, Channel::WechatNativeV2]).await;
    let pay_no = shop.attempt(Channel::WechatNativeV2).await;
    let stream_id = shop.told_by(Wallet::WechatV2).await;
    shop.decide(&stream_id, Wish::Assign { pay_no, reason: "hers".to_owned(), command_key: None }).await;
    shop.world.next_day();
    shop.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    shop.world.channel.refund_finds(Ok(Some(RefundFound { amount: fen(500), state: back() })));
    for (matched, recorded) in [(1, 1), (2, 0)] {
        assert_eq!(counts(&shop.reconcile(Channel::WechatNative).await), (2, matched, recorded, vec![]));
    }
    assert_eq!(shop.world.all("UnknownCaptureReceived").await.len(), 1, "it is the same money");
    assert_eq!(shop.world.load(shop.order_id).await.refunded_of(pay_no, "trade-9"), 500);
}

#[tokio::test]
async fn money_that_either_protocol_told_of_is_known_to_the_statement_of_the_other() {
    for (teller, left) in [(Wallet::Wechat, Channel::WechatNativeV2), (Wallet::WechatV2, Channel::WechatNative)] {
        let mut shop = Shop::with(&[Channel::WechatNative, Channel::WechatNativeV2]).await;
        let stream_id = shop.told_by(teller).await;
        shop.commands = with_only(&shop.world, &[left]);
        shop.world.next_day();
        shop.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
        assert_eq!(counts(&shop.reconcile(left).await).3, [CHANNEL_ONLY; 2], "nobody has decided about it");
        assert_eq!(shop.world.all("UnknownCaptureReceived").await.len(), 1);
        shop.decide(&stream_id, dealt_with()).await;
        assert_eq!(counts(&shop.reconcile(left).await), (2, 2, 0, vec![]));
    }
}

#[tokio::test]
async fn of_money_that_stands_under_both_protocols_the_one_with_which_more_was_done_counts() {
    let shop = Shop::with(&[Channel::WechatNative, Channel::WechatNativeV2]).await;
    shop.told_by(Wallet::Wechat).await;
    let stream_id = shop.told_by(Wallet::WechatV2).await;
    shop.decide(&stream_id, dealt_with()).await;
    shop.world.next_day();
    assert_eq!(counts(&shop.reconcile(Channel::WechatNative).await), (2, 2, 0, vec![]));
    // Ended as the second record of the same money, it hides nothing that went back of the first.
    let shop = Shop::with(&[Channel::WechatNative, Channel::WechatNativeV2]).await;
    let pay_no = shop.attempt(Channel::WechatNativeV2).await;
    let (second, first) = (shop.told_by(Wallet::Wechat).await, shop.told_by(Wallet::WechatV2).await);
    shop.decide(&second, dealt_with()).await;
    shop.decide(&first, Wish::Assign { pay_no, reason: "hers".to_owned(), command_key: None }).await;
    shop.world.next_day();
    shop.world.channel.refund_finds(Ok(Some(RefundFound { amount: fen(500), state: back() })));
    assert_eq!(counts(&shop.reconcile(Channel::WechatNative).await), (2, 1, 1, vec![]));
}

#[tokio::test]
async fn another_wallets_money_of_the_same_number_is_other_money() {
    let shop = Shop::with(&[Channel::WechatNative, Channel::AlipayQr]).await;
    let stream_id = shop.told_by(Wallet::Wechat).await;
    shop.decide(&stream_id, dealt_with()).await;
    shop.world.next_day();
    shop.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    assert_eq!(counts(&shop.reconcile(Channel::AlipayQr).await).3, [CHANNEL_ONLY; 2]);
    assert_eq!(shop.world.types(&streams::unknown_capture("alipay", "trade-9")).await, ["UnknownCaptureReceived"]);
}

#[tokio::test]
async fn a_product_that_is_configured_no_more_hides_no_other_line() {
    let world = World::new().await;
    let (held, dark) = (world.pending().await, world.pending_of("bob").await);
    world.pay(held).await;
    let wish = RefundWish { amount: fen(300), reason: "half".to_owned() };
    let asked_for = world.commands.request_refund(&operator(), held.order_id(), wish, None, None, CORRELATION).await.unwrap();
    world.next_day();
    let commands = with_only(&world, &[Channel::AlipayWap]);
    let lines = || {
        vec![
            line(&held, "trade-1", COURSE_PRICE),
            line(&dark, "trade-2", COURSE_PRICE),
            refund_line(&asked_for.refund_no, held, "trade-1", 300),
            refund_line("2026072000001", held, "trade-1", 500),
        ]
    };
    world.channel.asked();
    let result = reconcile(&world, &commands, Channel::AlipayWap, lines()).await.unwrap();
    assert_eq!((counts(&result), result.unanswered), ((4, 1, 0, vec![CHANNEL_ONLY; 3]), 0));
    assert_eq!(world.channel.asked(), [], "nobody can be asked");
    let none = with_only(&world, &[]);
    let of_nobody = none.reconcile(&operator(), Channel::AlipayQr, DAY.parse().unwrap(), CORRELATION).await;
    assert!(matches!(of_nobody, Err(CommandFailure::ChannelNotConfigured)));
    // Once it is configured again the same day is made up.
    let again = with_only(&world, &[Channel::AlipayWap, Channel::AlipayQr]);
    world.channel.queries(Ok(paid("trade-2", COURSE_PRICE)));
    world.channel.refund_queries(Ok(RefundState::Succeeded { refunded_at: Some(paid_at()) }));
    world.channel.refund_finds(Ok(Some(RefundFound { amount: fen(500), state: back() })));
    assert_eq!(counts(&reconcile(&world, &again, Channel::AlipayWap, lines()).await.unwrap()), (4, 1, 3, vec![]));
}
