use std::collections::BTreeSet;
use std::sync::Arc;

use event_store::LogReader;
use futures_util::FutureExt;
use projections::{CouponRow, MemoryViews, PayRecordsOfOrder, SelectionRow};

use crate::broken::{Broken, check};
use crate::ledger::{OrderFacts, Stage, Standing, UnknownFacts};
use crate::world::World;

/// What an order that is paid gives.
const POINTS: i64 = 10;

impl World {
    pub(super) fn check_views(&self) -> Result<(), Broken> {
        let orders = self.stores.views.orders.rows();
        check(orders.len() == self.ledger.orders.len(), "the view has every order", || orders.len().to_string())?;
        for row in &orders {
            let order = self.ledger.orders.get(&row.order_id);
            let what = || format!("{} is {} and {}, {order:?}", row.order_id, row.status, row.payment_status);
            check(order.is_some_and(|order| order.stage.word() == row.status), "the view shows how each order stands", what)?;
            check(order.is_some_and(|order| order.payment_word() == row.payment_status), "the view shows what was paid", what)?;
            let refunded = order.map(OrderFacts::refunded_minor);
            check(refunded == Some(row.refunded_amount), "the view shows what went back", what)?;
        }
        for row in self.stores.views.pay_records.rows() {
            let order = self.ledger.orders.get(&row.order.order_id);
            let what = || format!("{row:?}, {order:?}");
            check(order.is_some_and(|order| shows_records(&row, order)), "the view shows how each pay record stands", what)?;
            check(order.is_some_and(|order| shows_refunds(&row, order)), "the view shows how each refund stands", what)?;
        }
        self.check_points()?;
        self.check_stock()?;
        self.check_coupons()?;
        self.check_surpluses()?;
        self.check_delivered()?;
        self.check_course_table()
    }

    /// Ten points for each order that is paid and not wholly refunded.
    fn check_points(&self) -> Result<(), Broken> {
        let rows = self.stores.views.points.rows();
        let balance: i64 = rows.iter().map(|row| row.given.points + row.taken.as_ref().map_or(0, |taken| taken.points)).sum();
        let keeps = |order: &&OrderFacts| order.stage == Stage::Paid && !order.is_wholly_refunded;
        let earned: i64 = self.ledger.orders.values().filter(keeps).map(|_| POINTS).sum();
        check(balance == earned, "points are ten for each order that is paid and not wholly refunded", || {
            format!("{balance}, not {earned}")
        })
    }

    /// What consumers made of the broker's messages is what they made of the log.
    fn check_delivered(&self) -> Result<(), Broken> {
        let (live, delivered) = (&self.stores.views, &self.delivery.views);
        let same = [live.course_selections.rows() == delivered.course_selections.rows(), live.points.rows() == delivered.points.rows()];
        check(same == [true; 2], "consumers make the same of the broker's messages as of the log", || {
            format!("selections, points: {same:?}")
        })?;
        let paid = self.ledger.orders.values().filter(|order| order.stage == Stage::Paid).count();
        check(self.delivery.tallied() >= paid, "no payment is lost on its way through the broker", || {
            format!("{paid} orders are paid, {} came", self.delivery.tallied())
        })
    }

    fn check_stock(&self) -> Result<(), Broken> {
        let rows = self.stores.views.stock.rows();
        let shown = rows.iter().map(|row| (row.sku_id.as_str(), (row.on_hand, row.reserved, row.sold)));
        let told = self.ledger.stock.iter().map(|(sku_id, stock)| (sku_id.as_str(), stock.shown()));
        check(shown.eq(told), "the view shows how each stock stands", || format!("{rows:?}, {:?}", self.ledger.stock))
    }

    fn check_coupons(&self) -> Result<(), Broken> {
        let rows = self.stores.views.coupons.rows();
        check(rows.len() == self.ledger.coupons.len(), "the view has every coupon", || rows.len().to_string())?;
        let is_wrong = |row: &&CouponRow| {
            let coupon = self.ledger.coupons.get(&row.coupon_id);
            !coupon.is_some_and(|coupon| coupon.buyer == row.buyer_id && coupon.shown() == (row.status.as_str(), row.used_by.as_deref()))
        };
        let wrong = rows.iter().find(is_wrong);
        check(wrong.is_none(), "the view shows how each coupon stands", || format!("{wrong:?}"))
    }

    /// Money that was not owed has its row, and so has what revived an order.
    fn check_surpluses(&self) -> Result<(), Broken> {
        let shown: BTreeSet<String> =
            self.stores.views.surplus_payments.rows().iter().flat_map(|rows| rows.values()).map(|row| row.trade_no.clone()).collect();
        let missing =
            self.ledger.trades.iter().find(|(trade_no, standing)| **standing != Standing::Confirmed && !shown.contains(*trade_no));
        check(missing.is_none(), "the view has all money that was not owed", || format!("{missing:?}"))?;
        let rows = self.stores.views.surplus_payments.rows();
        for row in rows.iter().flat_map(|rows| rows.values()).filter(|row| row.kind == "unmatched") {
            let word = self.ledger.unknown.get(&row.trade_no).map(UnknownFacts::word);
            check(word == Some(row.state.as_str()), "the view shows how unmatched money stands", || format!("{row:?}, {word:?}"))?;
        }
        Ok(())
    }

    /// The course table has the row if and only if the selection was opened and its money did not go back.
    fn check_course_table(&self) -> Result<(), Broken> {
        let rows = self.stores.views.course_selections.rows();
        let shown: BTreeSet<String> = rows.iter().filter_map(SelectionRow::course_table_row).map(|row| row.selection_id).collect();
        let opened = self.ledger.selections.iter().filter(|(_, selection)| selection.is_open());
        let opened: BTreeSet<String> = opened.map(|(selection_id, _)| selection_id.clone()).collect();
        check(rows.len() == self.ledger.selections.len(), "the view has every selection", || rows.len().to_string())?;
        check(shown == opened, "the course table has a selection if and only if it is open", || {
            format!("{:?}", shown.symmetric_difference(&opened).collect::<Vec<_>>())
        })
    }

    /// The views can be thrown away and made again.
    pub(crate) fn check_rebuild(&mut self) -> Result<(), Broken> {
        self.rebuilt_at = self.ledger.len();
        let (live, again) = (&self.stores.views, MemoryViews::default());
        let log: Arc<dyn LogReader> = self.stores.memory.clone();
        let clock: Arc<dyn chassis::clock::Clock> = self.stores.clock.clone();
        for follower in again.followers(&log, &clock) {
            loop {
                let progress = follower.run_once().now_or_never();
                let Some(Ok(progress)) = progress else {
                    return Err(Broken::new("a view is made again from the log", format!("{}: {progress:?}", follower.name())));
                };
                if progress.caught_up {
                    break;
                }
            }
        }
        let same = [
            live.orders.rows() == again.orders.rows(),
            live.pay_records.rows() == again.pay_records.rows(),
            live.course_selections.rows() == again.course_selections.rows(),
            live.surplus_payments.rows() == again.surplus_payments.rows(),
            live.points.rows() == again.points.rows(),
            live.stock.rows() == again.stock.rows(),
            live.coupons.rows() == again.coupons.rows(),
            self.delivery.views.entitlements.rows() == again.entitlements.rows(),
        ];
        check(same == [true; 8], "a view that is made again is equal", || {
            format!("orders, pay records, selections, surpluses, points, stock, coupons, entitlements: {same:?}")
        })
    }
}

fn shows_records(row: &PayRecordsOfOrder, order: &OrderFacts) -> bool {
    let shown = row.records.iter().map(|(pay_no, record)| (pay_no.as_str(), record.status.as_str()));
    shown.eq(order.records.iter().map(|(pay_no, record)| (pay_no.as_str(), record.word)))
}

fn shows_refunds(row: &PayRecordsOfOrder, order: &OrderFacts) -> bool {
    let shown = row.refunds.iter().map(|(refund_no, refund)| (refund_no.as_str(), refund.status.as_str(), refund.amount));
    shown.eq(order.refunds.iter().map(|(refund_no, refund)| (refund_no.as_str(), refund.word, refund.amount_minor)))
}
