//! What holds whatever is asked of an order, in whatever order, and however the clock moves.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::world::*;
use crate::channel::Channel;
use crate::decider::Decider;
use crate::ids::PayNo;
use crate::order::*;
use crate::pay_record::*;

/// One payment at a channel: the attempt that it names and the channel's own number.
type Payment = (PayNo, String);

#[derive(Clone, Debug)]
enum Wish {
    Create,
    Attempt(Channel),
    Reattempt(u8, Channel),
    Prepared { attempt: u8, life: i64 },
    Refused(u8),
    Open(u8),
    Capture { attempt: u8, trade: u8, right_sum: bool, by_query: bool },
    Close(u8, Proof),
    Cancel,
    Expire,
    StopWaiting,
    Revive(u8),
    RefundLate(u8),
}

#[derive(Clone, Copy, Debug)]
enum Proof {
    ChannelClosed,
    Absent,
    Unproven,
}

impl Wish {
    fn command(&self, now: i64) -> OrderCommand {
        match *self {
            Self::Create => create(draft(vec![item(PRICE, 1)], PRICE)),
            Self::Attempt(channel) => attempt(channel, now),
            Self::Reattempt(number, channel) => reattempt(number, channel, now),
            Self::Prepared { attempt, life } => OrderCommand::RecordPrepared {
                pay_no: pay_no(attempt),
                prepared: code(),
                asked_at: minute(now),
                expires_at: minute(now + life),
                replaces: (life % 2 == 0).then(code),
            },
            Self::Refused(attempt) => record_refused(attempt),
            Self::Open(attempt) => open(attempt, now),
            Self::Capture { attempt, trade, right_sum, by_query } => {
                let learned_by = if by_query { CaptureSource::Query } else { CaptureSource::Notification };
                let trade_no = format!("T{trade}");
                let told = if right_sum { capture(&trade_no) } else { wrong_capture(&trade_no, learned_by) };
                record_capture(attempt, Capture { learned_by, received_at: minute(now), ..told })
            }
            Self::Close(attempt, Proof::ChannelClosed) => close(attempt, ClosingProof::ChannelClosed),
            Self::Close(attempt, Proof::Absent) => close(attempt, absent_at(now)),
            Self::Close(attempt, Proof::Unproven) => close(attempt, ClosingProof::Unproven),
            Self::Cancel => cancel(),
            Self::Expire => expire(now),
            Self::StopWaiting => stop_waiting(now),
            Self::Revive(attempt) => revive(attempt),
            Self::RefundLate(attempt) => refund_late(attempt),
        }
    }
}

fn channel() -> impl Strategy<Value = Channel> {
    prop::sample::select(vec![Channel::AlipayQr, Channel::AlipayWap, Channel::WechatNative])
}

fn wish() -> impl Strategy<Value = Wish> {
    // Mostly the first: lives in which everything happens to one attempt are the narrow ones.
    let attempt = prop::sample::select(vec![1_u8, 1, 1, 1, 2, 2, 3]);
    let proof = prop::sample::select(vec![Proof::ChannelClosed, Proof::Absent, Proof::Unproven]);
    prop_oneof![
        1 => Just(Wish::Create),
        4 => channel().prop_map(Wish::Attempt),
        1 => (attempt.clone(), channel()).prop_map(|(number, channel)| Wish::Reattempt(number, channel)),
        4 => (attempt.clone(), 1_i64..90).prop_map(|(attempt, life)| Wish::Prepared { attempt, life }),
        1 => attempt.clone().prop_map(Wish::Refused),
        2 => attempt.clone().prop_map(Wish::Open),
        6 => (attempt.clone(), 0_u8..4, prop::bool::weighted(0.7), any::<bool>())
            .prop_map(|(attempt, trade, right_sum, by_query)| Wish::Capture { attempt, trade, right_sum, by_query }),
        4 => (attempt.clone(), proof).prop_map(|(attempt, proof)| Wish::Close(attempt, proof)),
        2 => Just(Wish::Cancel),
        4 => Just(Wish::Expire),
        2 => Just(Wish::StopWaiting),
        2 => attempt.clone().prop_map(Wish::Revive),
        1 => attempt.prop_map(Wish::RefundLate),
    ]
}

/// Wishes, each with the minutes that the clock moves before it: back a little, on a little, or far.
fn wishes() -> impl Strategy<Value = Vec<(i64, Wish)>> {
    let minutes = prop_oneof![8 => -1_i64..4, 3 => 4_i64..40, 1 => Just(25 * 60)];
    prop::collection::vec((minutes, wish()), 1..60)
}

/// An order, all that happened to it, and every payment whose command it accepted.
#[derive(Default)]
struct Life {
    order: Order,
    events: Vec<OrderStreamEvent>,
    told: BTreeSet<Payment>,
    now: i64,
}

impl Life {
    fn ask(&mut self, command: OrderCommand) -> Result<usize, OrderRejection> {
        let payment = match &command {
            OrderCommand::RecordCapture { pay_no, capture } => Some((*pay_no, capture.trade_no.clone())),
            _ => None,
        };
        let events = Order::decide(&self.order, command)?;
        self.order = Order::fold(std::mem::take(&mut self.order), &events);
        self.told.extend(payment);
        let count = events.len();
        self.events.extend(events);
        Ok(count)
    }

    fn lived(wishes: &[(i64, Wish)]) -> Self {
        let mut life = Self::default();
        life.ask(Wish::Create.command(0)).unwrap();
        for (minutes, wish) in wishes {
            life.now += minutes;
            // A refusal is as good an answer as any: what counts is what stands afterwards.
            let _ = life.ask(wish.command(life.now));
        }
        life
    }

    fn payments(&self, of: impl Fn(&PayRecordEvent) -> Option<String>) -> Vec<Payment> {
        let of_record = |event: &OrderStreamEvent| match event {
            OrderStreamEvent::PayRecord(event) => of(event).map(|trade_no| (event.pay_no(), trade_no)),
            OrderStreamEvent::Order(_) => None,
        };
        self.events.iter().filter_map(of_record).collect()
    }

    fn confirmed(&self) -> Vec<Payment> {
        self.payments(|event| if let PayRecordEvent::PaymentConfirmed(event) = event { Some(event.trade_no.clone()) } else { None })
    }

    fn surplus(&self) -> Vec<Payment> {
        self.payments(|event| if let PayRecordEvent::SurplusPaymentReceived(event) = event { Some(event.trade_no.clone()) } else { None })
    }

    fn late(&self) -> Vec<Payment> {
        self.payments(|event| if let PayRecordEvent::LatePaymentReceived(event) = event { Some(event.trade_no.clone()) } else { None })
    }

    fn refunded(&self) -> Vec<Payment> {
        self.order.refunds.iter().map(|refund| (refund.pay_no, refund.trade_no.clone())).collect()
    }

    fn names(&self) -> Vec<&'static str> {
        self.events.iter().map(OrderStreamEvent::event_type).collect()
    }
}

fn distinct<T: Ord + Clone>(all: &[T]) -> bool {
    all.iter().collect::<BTreeSet<_>>().len() == all.len()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_order_is_confirmed_at_most_once(wishes in wishes()) {
        let life = Life::lived(&wishes);
        prop_assert!(life.confirmed().len() <= 1);
        let paid = life.names().iter().filter(|name| **name == "OrderPaid").count();
        prop_assert_eq!(paid, life.confirmed().len());
        prop_assert_eq!(life.order.paid.map(|(pay_no, _)| pay_no), life.confirmed().first().map(|(pay_no, _)| *pay_no));
    }

    #[test]
    fn payment_and_end_never_both_win(wishes in wishes()) {
        let life = Life::lived(&wishes);
        let mut standing = "open";
        for name in life.names() {
            standing = match (name, standing) {
                ("OrderPaid", "open" | "revived") => "paid",
                ("OrderExpired", "open") => "expired",
                ("OrderCancelled", "open") => "cancelled",
                ("OrderRevived", "expired") => "revived",
                ("OrderPaid" | "OrderExpired" | "OrderCancelled" | "OrderRevived" | "OrderClosing", over) if over != "open" => {
                    return Err(TestCaseError::fail(format!("{name} after {over}")));
                }
                (_, unchanged) => unchanged,
            };
        }
        prop_assert_ne!(standing, "revived");
    }

    #[test]
    fn every_payment_stands_in_exactly_one_place(wishes in wishes()) {
        let life = Life::lived(&wishes);
        let (confirmed, surplus, late) = (life.confirmed(), life.surplus(), life.late());
        let all: Vec<Payment> =
            confirmed.iter().filter(|payment| !late.contains(payment)).chain(&surplus).chain(&late).cloned().collect();
        prop_assert!(distinct(&all), "{:?}", all);
        prop_assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), life.told);
    }

    #[test]
    fn what_is_not_owed_goes_back_whole_and_once_and_what_is_owed_never(wishes in wishes()) {
        let mut life = Life::lived(&wishes);
        let amounts: BTreeMap<Payment, _> = life.order.pay_records.iter().flat_map(|record| {
            let pay_no = record.issued.as_ref().unwrap().pay_no;
            record.captures.iter().map(move |capture| ((pay_no, capture.trade_no.clone()), capture.amount))
        }).collect();
        for refund in &life.order.refunds {
            prop_assert_eq!(amounts.get(&(refund.pay_no, refund.trade_no.clone())), Some(&refund.amount));
        }
        // Late money that revived nothing is given back until none is left.
        while (1..100).any(|attempt| life.ask(refund_late(attempt)).is_ok_and(|count| count > 0)) {}
        let (refunded, confirmed) = (life.refunded(), life.confirmed());
        prop_assert!(distinct(&refunded));
        prop_assert!(distinct(&life.order.refunds.iter().map(|refund| refund.refund_no).collect::<Vec<_>>()));
        prop_assert!(confirmed.iter().all(|payment| !refunded.contains(payment)));
        let settled: BTreeSet<Payment> = refunded.into_iter().chain(confirmed).collect();
        prop_assert_eq!(settled, life.told);
    }

    #[test]
    fn what_is_asked_twice_adds_nothing_the_second_time(wishes in wishes()) {
        let mut life = Life::default();
        for (minutes, wish) in &wishes {
            life.now += minutes;
            let command = wish.command(life.now);
            if life.ask(command.clone()).is_ok() {
                let again = Order::decide(&life.order, command.clone());
                prop_assert!(again.as_ref().map_or(true, Vec::is_empty), "{:?} again: {:?}", command, again);
            }
        }
    }

    #[test]
    fn an_order_that_is_to_end_waits_for_an_attempt_and_one_that_ended_for_none(wishes in wishes()) {
        let mut life = Life::default();
        for (minutes, wish) in &wishes {
            life.now += minutes;
            let _ = life.ask(wish.command(life.now));
            let live = life.order.pay_records.iter().any(PayRecord::is_live);
            match life.order.status {
                OrderStatus::Closing => prop_assert!(live),
                OrderStatus::Cancelled | OrderStatus::Expired => prop_assert!(!live),
                _ => {}
            }
        }
    }

    #[test]
    fn time_ends_every_order(wishes in wishes()) {
        let mut life = Life::lived(&wishes);
        let far = life.now.max(EXPIRES) + 3 * 24 * 60;
        life.ask(expire(far)).unwrap();
        life.ask(stop_waiting(far)).unwrap();
        prop_assert!(matches!(life.order.status, OrderStatus::Paid | OrderStatus::Cancelled | OrderStatus::Expired));
    }

    #[test]
    fn attempts_are_numbered_from_one_without_a_hole(wishes in wishes()) {
        let life = Life::lived(&wishes);
        let numbers: Vec<u8> = life.order.pay_records.iter().map(|record| record.issued.as_ref().unwrap().pay_no.attempt()).collect();
        prop_assert_eq!(numbers.clone(), (1..).take(numbers.len()).collect::<Vec<u8>>());
    }

    #[test]
    fn at_most_one_attempt_is_offered_to_the_buyer(wishes in wishes()) {
        let life = Life::lived(&wishes);
        let offered = life.order.pay_records.iter().filter(|record| {
            matches!(record.status, PayRecordStatus::Preparing | PayRecordStatus::Pending)
        });
        prop_assert!(offered.count() <= 1);
    }

    #[test]
    fn what_is_stored_reads_back_to_the_same_order(wishes in wishes()) {
        let life = Life::lived(&wishes);
        let mut read = Vec::new();
        for event in &life.events {
            read.push(OrderStreamEvent::from_stored(event.event_type(), event.schema_version(), &event.to_json()).unwrap());
        }
        prop_assert_eq!(&read, &life.events);
        prop_assert_eq!(Order::fold(Order::default(), &read), life.order);
    }
}
