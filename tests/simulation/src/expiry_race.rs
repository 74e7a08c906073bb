//! A payment, its notification and the order's expiry at every millisecond around the moment after which nobody should pay.
//!
//! Whoever was typing a password when the time was over still pays: the channel here takes money for some seconds more,
//! unless it was told to close. However they meet, money at the channel pays the order or goes back, never both and never
//! neither; and where no money came, the order has expired.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chassis::clock::{Clock, ManualClock};
use chrono::{DateTime, TimeDelta, Utc};
use command_api::{Caller, OrderRequest};
use domain::order::Client;
use domain::{Channel, OrderId, PayNo};
use gateway::{
    ClientParameters, Closed, FormRequest, Gateway, GatewayError, Notification, NotificationRefusal, NotificationReply, Operation,
    PaymentForm, PrecreateRequest, Precreated, RawNotification, Receipt, RefundRequest, RefundState, TradeState,
};

use crate::START_S;
use crate::broken::{Broken, check};
use crate::ledger::Stage;
use crate::ports::Alipay;
use crate::process::{Seams, Stores};
use crate::shop;
use crate::wishes::Wish;
use crate::world::World;

/// How far from the end the payment is made at the most, in milliseconds.
const AROUND_MS: i64 = 1000;
/// For how long the channel still takes the money of who has begun to pay.
const GRACE: TimeDelta = TimeDelta::seconds(5);
/// Runs of the process manager in which it does all that is due at the end.
const RUNS: usize = 6;
/// More looks, ten minutes apart, than any order needs.
const MOST_LOOKS: usize = 60;

/// When the channel's word of the payment arrives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notice {
    BeforeTheExpiry,
    AfterTheExpiry,
}

/// What comes of a close.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    Works,
    Fails,
}

/// A channel that answers nothing when it is told to close, and does not.
struct NeverCloses(Arc<dyn Gateway>);

#[async_trait]
impl Gateway for NeverCloses {
    async fn precreate(&self, request: &PrecreateRequest) -> Result<Precreated, GatewayError> {
        self.0.precreate(request).await
    }

    async fn query(&self, out_trade_no: &str) -> Result<TradeState, GatewayError> {
        self.0.query(out_trade_no).await
    }

    async fn close(&self, _: &str) -> Result<Closed, GatewayError> {
        Err(GatewayError::Unknown { channel: Channel::AlipayQr, operation: Operation::Close, source: "no answer".into() })
    }

    async fn refund(&self, request: &RefundRequest) -> Result<RefundState, GatewayError> {
        self.0.refund(request).await
    }

    async fn query_refund(&self, out_trade_no: &str, refund_no: &str) -> Result<RefundState, GatewayError> {
        self.0.query_refund(out_trade_no, refund_no).await
    }

    fn form(&self, request: &FormRequest) -> Result<PaymentForm, GatewayError> {
        self.0.form(request)
    }

    fn client_parameters(
        &self,
        channel: Channel,
        prepay_id: &str,
        at: DateTime<Utc>,
        nonce: &str,
    ) -> Result<ClientParameters, GatewayError> {
        self.0.client_parameters(channel, prepay_id, at, nonce)
    }

    fn read_notification(&self, raw: &RawNotification, received_at: DateTime<Utc>) -> Result<Notification, NotificationRefusal> {
        self.0.read_notification(raw, received_at)
    }

    fn reply(&self, receipt: Receipt) -> NotificationReply {
        self.0.reply(receipt)
    }

    fn available(&self) -> bool {
        self.0.available()
    }
}

/// One order whose buyer pays about when its time is over.
struct Race {
    world: World,
    order_id: OrderId,
    pay_no: PayNo,
    expires_at: DateTime<Utc>,
}

impl Race {
    /// The buyer has scanned the code and types the password.
    fn begun(close: Close) -> Result<Self, Broken> {
        let seams = match close {
            Close::Works => Seams::default(),
            Close::Fails => Seams { channel: Box::new(|channel, _| Arc::new(NeverCloses(channel))), ..Seams::default() },
        };
        let start = DateTime::from_timestamp(START_S, 0).unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let alipay = Alipay::with_grace(clock.clone(), GRACE);
        let mut world = World::over(Stores::new(1, clock, alipay, seams), start)?;
        world.stores.weather.calm();
        let buyer = Caller::Buyer(shop::buyer("ann"));
        let product_id = shop::product("notes");
        let request = OrderRequest::Product { product_id, sku_id: None, quantity: 1, coupon_id: None, client: Client::Web };
        world.send(Wish::Order { caller: buyer.clone(), request, key: None });
        world.drain()?;
        let order_id = world.orders[0].1;
        let expires_at = world.order_on_log(order_id).and_then(|order| Some(order.created?.expires_at)).unwrap();
        let to_the_code = expires_at - TimeDelta::minutes(5) - world.stores.clock.now();
        world.advance(to_the_code);
        world.send(Wish::Pay { caller: buyer, order_id, key: None, if_match: None });
        world.drain()?;
        let pay_no = PayNo::new(order_id, 1).unwrap();
        assert!(world.stores.alipay.scan(&pay_no.to_string(), false), "the code can be scanned");
        Ok(Self { world, order_id, pay_no, expires_at })
    }

    fn at(&mut self, at: DateTime<Utc>) {
        let now = self.world.stores.clock.now();
        self.world.advance((at - now).max(TimeDelta::zero()));
    }

    fn expiry_runs(&mut self) -> Result<(), Broken> {
        self.at(self.expires_at);
        self.world.manage_all()
    }

    /// The expiry is left after so many polls; whether it had ended by then.
    fn expiry_begins(&mut self, polls: usize) -> Result<bool, Broken> {
        self.at(self.expires_at);
        let mut left = polls;
        for _ in 0..RUNS {
            let manager = self.world.processes[0].manager.clone();
            self.world.follow(0, manager);
            while self.world.under_way() > 0 {
                let Some(fewer) = left.checked_sub(1) else { return Ok(false) };
                left = fewer;
                self.world.poll_one()?;
            }
        }
        Ok(true)
    }

    fn pays(&mut self, after_ms: i64) {
        self.at(self.expires_at + TimeDelta::milliseconds(after_ms));
        self.world.stores.alipay.pay(&self.pay_no.to_string(), 0, false);
    }

    /// Looks at the order until nothing is left to do; how it ended.
    fn comes_to_rest(&mut self) -> Result<&'static str, Broken> {
        self.world.drain()?;
        // Any process may go on, whoever had the lease.
        self.world.advance(TimeDelta::seconds(20));
        for _ in 0..MOST_LOOKS {
            self.world.deliver_all()?;
            self.world.manage_all()?;
            if self.world.due(TimeDelta::days(365))? == 0 {
                break;
            }
            self.world.advance(TimeDelta::minutes(10));
        }
        self.world.check_step()?;
        check(self.world.due(TimeDelta::days(365))? == 0, "the to-do list comes to its end", || self.order_id.to_string())?;
        self.ended()
    }

    fn ended(&self) -> Result<&'static str, Broken> {
        let trade_no = self.world.stores.alipay.captured_for(&self.pay_no.to_string());
        let order = &self.world.ledger.orders[&self.order_id.to_string()];
        let goes_back: Vec<_> = order.refunds.values().filter(|refund| refund.word != "failed").collect();
        let is_revived = self.world.ledger.kinds().contains_key("OrderRevived");
        match (order.stage, &trade_no, goes_back.as_slice()) {
            (Stage::Paid, Some(trade_no), []) if order.paid_by.as_ref() == Some(trade_no) => {
                Ok(if is_revived { "paid after it had expired" } else { "paid" })
            }
            (Stage::Expired, Some(trade_no), [refund]) if refund.trade_no == *trade_no => Ok("given back"),
            (Stage::Expired, None, []) => Ok("expired"),
            _ => Err(Broken::new("money pays the order or goes back, and without money it expires", format!("{trade_no:?}: {order:?}"))),
        }
    }
}

/// How the orders ended whose payments were made at each millisecond around the end.
fn all_ends(notice: Notice, close: Close) -> BTreeMap<&'static str, usize> {
    let mut ends = BTreeMap::new();
    for after_ms in -AROUND_MS..=AROUND_MS {
        let ended = end(after_ms, notice, close).unwrap_or_else(|broken| panic!("{after_ms} ms after the end: {broken}"));
        *ends.entry(ended).or_default() += 1;
    }
    ends
}

fn end(after_ms: i64, notice: Notice, close: Close) -> Result<&'static str, Broken> {
    let mut race = Race::begun(close)?;
    match notice {
        Notice::BeforeTheExpiry => {
            race.pays(after_ms);
            race.world.deliver_all()?;
            race.expiry_runs()?;
        }
        Notice::AfterTheExpiry if after_ms < 0 => {
            race.pays(after_ms);
            race.expiry_runs()?;
        }
        Notice::AfterTheExpiry => {
            race.expiry_runs()?;
            race.pays(after_ms);
        }
    }
    race.comes_to_rest()
}

#[track_caller]
#[expect(clippy::print_stderr, reason = "how many ended how is what the run is asked to tell")]
fn ends_as(notice: Notice, close: Close, expected: &[(&'static str, usize)]) {
    let ends = all_ends(notice, close);
    eprintln!("{ends:?}");
    assert_eq!(ends, expected.iter().copied().collect());
}

#[test]
fn a_notification_before_the_expiry_pays_the_order() {
    ends_as(Notice::BeforeTheExpiry, Close::Works, &[("paid", 2001)]);
}

#[test]
fn a_notification_before_the_expiry_pays_the_order_though_the_channel_does_not_close() {
    ends_as(Notice::BeforeTheExpiry, Close::Fails, &[("paid", 2001)]);
}

#[test]
fn who_pays_in_time_has_paid_and_nobody_pays_what_was_closed() {
    ends_as(Notice::AfterTheExpiry, Close::Works, &[("paid", 1000), ("expired", 1001)]);
}

#[test]
fn who_pays_what_the_channel_did_not_close_has_paid() {
    ends_as(Notice::AfterTheExpiry, Close::Fails, &[("paid", 2001)]);
}

#[test]
fn who_pays_between_any_two_awaits_of_the_expiry_has_paid_or_cannot() {
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    for polls in 0.. {
        let mut race = Race::begun(Close::Works).unwrap();
        let is_over = race.expiry_begins(polls).unwrap();
        race.pays(0);
        let ended = race.comes_to_rest().unwrap_or_else(|broken| panic!("after {polls} polls: {broken}"));
        *ends.entry(ended).or_default() += 1;
        if is_over {
            break;
        }
    }
    assert!(ends.len() == 2 && ends["paid"] > 10 && ends["expired"] > 10, "{ends:?}");
}
