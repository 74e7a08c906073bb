use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::scenario;

fn given(events: &[StockEvent]) -> scenario::Given<Stock> {
    scenario::given(events)
}

fn mug() -> SkuId {
    SkuId::parse("mug-white").unwrap()
}

fn order(number: u8) -> OrderId {
    OrderId::parse(&format!("72319823456789{number:05}")).unwrap()
}

fn pay_no(number: u8) -> PayNo {
    PayNo::new(order(number), 1).unwrap()
}

fn buyer(name: &str) -> BuyerId {
    BuyerId::parse(name).unwrap()
}

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap()
}

fn received(quantity: u32) -> StockEvent {
    StockReceived { sku_id: mug(), quantity, reason: "from the factory".to_owned(), command_key: None }.into()
}

fn reservation(number: u8, quantity: u32) -> StockReserved {
    StockReserved {
        sku_id: mug(),
        order_id: order(number),
        buyer_id: buyer("ann"),
        quantity,
        buyer_limit: None,
        pay_no: None,
        order_skus: vec![mug()],
        check_at: noon() + TimeDelta::minutes(2),
    }
}

fn limited(number: u8, quantity: u32, buyer_limit: u32) -> StockReserved {
    StockReserved { buyer_limit: Some(buyer_limit), ..reservation(number, quantity) }
}

fn reserve(wish: StockReserved) -> StockCommand {
    StockCommand::Reserve(wish)
}

fn release(number: u8) -> StockCommand {
    StockCommand::Release { sku_id: mug(), order_id: order(number), held_for: vec![None], cause: ReleaseCause::OrderEnded }
}

fn released(number: u8, quantity: u32) -> StockEvent {
    let cause = ReleaseCause::OrderEnded;
    StockReleased { sku_id: mug(), order_id: order(number), quantity, was_sold: false, cause }.into()
}

fn sell(number: u8, quantity: u32) -> StockCommand {
    let line = StockLine { sku_id: mug(), quantity, buyer_limit: None };
    StockCommand::Sell { line, order_id: order(number), buyer_id: buyer("ann"), now: noon() }
}

fn sold(number: u8, quantity: u32) -> StockEvent {
    StockSold { sku_id: mug(), order_id: order(number), quantity }.into()
}

fn bring_back(number: u8) -> StockCommand {
    StockCommand::Return { sku_id: mug(), order_id: order(number) }
}

fn returned(number: u8, quantity: u32) -> StockEvent {
    let cause = ReleaseCause::Refunded;
    StockReleased { sku_id: mug(), order_id: order(number), quantity, was_sold: true, cause }.into()
}

fn receive(quantity: u32, key: Option<(&str, &str)>) -> StockCommand {
    StockCommand::Receive { sku_id: mug(), quantity, reason: "from the factory".to_owned(), command_key: key.map(command_key) }
}

fn command_key((key, request): (&str, &str)) -> CommandKey {
    CommandKey { key_hash: key.to_owned(), request_hash: request.to_owned() }
}

fn adjust(difference: i64) -> StockCommand {
    StockCommand::Adjust { sku_id: mug(), difference, reason: "counted".to_owned(), command_key: None }
}

#[test]
fn what_comes_in_is_for_sale() {
    given(&[]).when(receive(5, None)).then([received(5)]);
    assert_eq!(given(&[received(5)]).state().available(), 5);
    given(&[]).when(receive(0, None)).then_rejected(StockRejection::WrongQuantity);
}

#[test]
fn a_key_takes_in_once_and_only_what_it_said() {
    let event: StockEvent =
        StockReceived { sku_id: mug(), quantity: 5, reason: "from the factory".to_owned(), command_key: Some(command_key(("k", "five"))) }
            .into();
    given(&[]).when(receive(5, Some(("k", "five")))).then([event.clone()]);
    given(std::slice::from_ref(&event)).when(receive(5, Some(("k", "five")))).then_nothing();
    given(&[event]).when(receive(6, Some(("k", "six")))).then_rejected(StockRejection::KeyReused);
}

#[test]
fn what_is_there_is_held_and_no_more() {
    given(&[received(2)]).when(reserve(reservation(1, 2))).then([reservation(1, 2).into()]);
    given(&[received(2)]).when(reserve(reservation(1, 3))).then_rejected(StockRejection::Insufficient { available: 2 });
    let one_held = [received(2), reservation(1, 1).into()];
    given(&one_held).when(reserve(reservation(2, 2))).then_rejected(StockRejection::Insufficient { available: 1 });
    given(&one_held).when(reserve(reservation(2, 1))).then([reservation(2, 1).into()]);
    given(&[]).when(reserve(reservation(1, 0))).then_rejected(StockRejection::WrongQuantity);
}

#[test]
fn an_order_holds_once() {
    let held = [received(2), reservation(1, 2).into()];
    given(&held).when(reserve(reservation(1, 2))).then_nothing();
    given(&held).when(reserve(reservation(1, 1))).then_rejected(StockRejection::OtherwiseTaken);
    let bought = [received(4), reservation(1, 2).into(), sold(1, 2)];
    given(&bought).when(reserve(reservation(1, 2))).then_rejected(StockRejection::OtherwiseTaken);
}

#[test]
fn what_is_let_go_is_for_sale_again_once() {
    let held = [received(2), reservation(1, 2).into()];
    given(&held).when(release(1)).then([released(1, 2)]);
    let free = [received(2), reservation(1, 2).into(), released(1, 2)];
    given(&free).when(release(1)).then_nothing();
    given(&free).when(reserve(reservation(2, 2))).then([reservation(2, 2).into()]);
    given(&[received(2), reservation(1, 2).into(), sold(1, 2)]).when(release(1)).then_nothing();
}

#[test]
fn what_is_held_anew_for_a_late_payment_is_not_let_go_with_the_order() {
    let anew = StockReserved { pay_no: Some(pay_no(1)), ..reservation(1, 2) };
    let held_anew: StockEvent =
        StockReleased { sku_id: mug(), order_id: order(1), quantity: 2, was_sold: false, cause: ReleaseCause::HeldAnew }.into();
    let before = [received(2), reservation(1, 2).into()];
    given(&before).when(reserve(anew.clone())).then([held_anew.clone(), anew.clone().into()]);
    let after = [received(2), reservation(1, 2).into(), held_anew, anew.into()];
    given(&after).when(release(1)).then_nothing();
    assert_eq!(given(&after).state().available(), 0);
    let late = StockCommand::Release {
        sku_id: mug(),
        order_id: order(1),
        held_for: vec![Some(pay_no(1))],
        cause: ReleaseCause::LatePaymentRefunded,
    };
    let back: StockEvent =
        StockReleased { sku_id: mug(), order_id: order(1), quantity: 2, was_sold: false, cause: ReleaseCause::LatePaymentRefunded }.into();
    given(&after).when(late).then([back]);
}

#[test]
fn what_is_held_is_sold_once() {
    let held = [received(3), reservation(1, 2).into()];
    given(&held).when(sell(1, 2)).then([sold(1, 2)]);
    let bought = [received(3), reservation(1, 2).into(), sold(1, 2)];
    given(&bought).when(sell(1, 2)).then_nothing();
    let state = given(&bought);
    assert_eq!((state.state().on_hand, state.state().reserved, state.state().sold), (1, 0, 2));
    assert_eq!(state.state().sold_to(order(1)), Some(2));
}

#[test]
fn a_paid_order_that_holds_nothing_takes_what_is_there() {
    let reserved = StockReserved { check_at: noon(), ..reservation(1, 2) };
    given(&[received(2)]).when(sell(1, 2)).then([reserved.into(), sold(1, 2)]);
    given(&[received(1)]).when(sell(1, 2)).then_rejected(StockRejection::Insufficient { available: 1 });
}

#[test]
fn what_was_bought_comes_back_once() {
    let bought = [received(3), reservation(1, 2).into(), sold(1, 2)];
    given(&bought).when(bring_back(1)).then([returned(1, 2)]);
    let cause = ReleaseCause::Refunded;
    let held_back = StockReleased { sku_id: mug(), order_id: order(1), quantity: 2, was_sold: false, cause }.into();
    given(&bought[..2]).when(bring_back(1)).then([held_back]);
    let back = [received(3), reservation(1, 2).into(), sold(1, 2), returned(1, 2)];
    given(&back).when(bring_back(1)).then_nothing();
    assert_eq!(given(&back).state().available(), 3);
}

#[test]
fn a_buyer_holds_and_buys_no_more_than_the_limit() {
    given(&[received(9)]).when(reserve(limited(1, 3, 2))).then_rejected(StockRejection::LimitExceeded { limit: 2 });
    let held = [received(9), limited(1, 1, 2).into()];
    given(&held).when(reserve(limited(2, 2, 2))).then_rejected(StockRejection::LimitExceeded { limit: 2 });
    given(&held).when(reserve(limited(2, 1, 2))).then([limited(2, 1, 2).into()]);
    let bought = [received(9), limited(1, 2, 2).into(), sold(1, 2)];
    given(&bought).when(reserve(limited(2, 1, 2))).then_rejected(StockRejection::LimitExceeded { limit: 2 });
    let other = StockReserved { buyer_id: buyer("bo"), ..limited(2, 2, 2) };
    given(&bought).when(reserve(other.clone())).then([other.into()]);
    for gone in [vec![released(1, 2)], vec![sold(1, 2), returned(1, 2)]] {
        let free = [vec![received(9), limited(1, 2, 2).into()], gone].concat();
        given(&free).when(reserve(limited(2, 2, 2))).then([limited(2, 2, 2).into()]);
    }
}

#[test]
fn the_books_follow_a_count_but_never_below_what_is_promised() {
    let adjusted = |difference| StockAdjusted { sku_id: mug(), difference, reason: "counted".to_owned(), command_key: None }.into();
    let held = [received(5), reservation(1, 2).into()];
    given(&held).when(adjust(-3)).then([adjusted(-3)]);
    given(&held).when(adjust(-4)).then_rejected(StockRejection::Insufficient { available: 3 });
    given(&held).when(adjust(4)).then([adjusted(4)]);
    given(&held).when(adjust(0)).then_rejected(StockRejection::WrongQuantity);
    given(&held).when(adjust(i64::MIN)).then_rejected(StockRejection::WrongQuantity);
}

fn any_command() -> impl Strategy<Value = StockCommand> {
    let number = 1..6_u8;
    prop_oneof![
        (1..6_u32).prop_map(|quantity| receive(quantity, None)),
        (-4..4_i64).prop_map(adjust),
        (number.clone(), 1..4_u32).prop_map(|(number, quantity)| reserve(reservation(number, quantity))),
        (number.clone(), 1..4_u32).prop_map(|(number, quantity)| reserve(limited(number, quantity, 4))),
        number.clone().prop_map(|number| { reserve(StockReserved { pay_no: Some(pay_no(number)), ..reservation(number, 2) }) }),
        number.clone().prop_map(release),
        (number.clone(), 1..4_u32).prop_map(|(number, quantity)| sell(number, quantity)),
        number.prop_map(bring_back),
    ]
}

proptest! {
    #[test]
    fn nothing_is_lost_or_made_up(commands in proptest::collection::vec(any_command(), 1..60)) {
        let (mut stock, mut owned) = (Stock::default(), 0_i64);
        for command in commands {
            for event in Stock::decide(&stock, command).unwrap_or_default() {
                owned += match &event {
                    StockEvent::StockReceived(event) => i64::from(event.quantity),
                    StockEvent::StockAdjusted(event) => event.difference,
                    _ => 0,
                };
                stock = Stock::evolve(stock, &event);
                let held: u64 = stock.reservations.values().map(|held| u64::from(held.quantity)).sum();
                let bought: u64 = stock.sales.iter().map(|sale| u64::from(sale.quantity)).sum();
                prop_assert!(stock.reserved <= stock.on_hand);
                prop_assert_eq!((held, bought), (stock.reserved, stock.sold));
                prop_assert_eq!(i64::try_from(stock.on_hand + stock.sold).unwrap(), owned);
                prop_assert!(stock.by_buyer.values().all(|had| *had <= 4));
            }
        }
    }
}
