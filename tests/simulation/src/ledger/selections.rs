use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Ledger, Outside, days, number, text, time};
use crate::broken::{Broken, check};

/// What the log says of a course selection.
#[derive(Clone, Debug)]
pub(crate) struct SelectionFacts {
    pub(crate) buyer: String,
    pub(crate) course: String,
    valid_days: Option<i64>,
    /// When it was paid, or chosen where it is free.
    pub(crate) opened_at: Option<DateTime<Utc>>,
    /// The order whose payment opened it.
    opened_by: Option<String>,
    /// All that was paid for it went back.
    is_refunded: bool,
}

impl SelectionFacts {
    /// Whether the course table shows it.
    pub(crate) fn is_open(&self) -> bool {
        self.opened_at.is_some() && !self.is_refunded
    }

    fn has_ended(&self, at: DateTime<Utc>) -> bool {
        let ends_at = self.opened_at.zip(self.valid_days).map(|(opened_at, valid_days)| opened_at + days(valid_days));
        self.is_refunded || ends_at.is_some_and(|ends_at| at >= ends_at)
    }
}

impl Ledger {
    pub(super) fn take_selection_event(&mut self, selection_id: &str, data: &Value, outside: &Outside<'_>) -> Result<(), Broken> {
        let (buyer, course) = (text(data, "buyer_id"), text(data, "course_id"));
        let other =
            self.selections.iter().find(|(_, other)| other.buyer == buyer && other.course == course && !other.has_ended(outside.latest));
        check(other.is_none(), "a buyer has one live selection of a course", || format!("{selection_id} beside {other:?}"))?;
        let is_free = number(data, "price_amount") == 0;
        let facts = SelectionFacts {
            buyer,
            course,
            valid_days: data["valid_days"].as_i64(),
            opened_at: time(data, "selected_at").filter(|_| is_free),
            opened_by: None,
            is_refunded: false,
        };
        let before = self.selections.insert(selection_id.to_owned(), facts);
        check(before.is_none(), "a selection is made once", || selection_id.to_owned())
    }

    /// A course order was paid: its selection is open, from its first payment on.
    pub(super) fn open_selection(
        &mut self,
        selection_id: &str,
        buyer: &str,
        order_id: &str,
        paid_at: Option<DateTime<Utc>>,
    ) -> Result<(), Broken> {
        let selection = self.selections.get_mut(selection_id).filter(|selection| selection.buyer == buyer);
        let selection = selection.ok_or_else(|| Broken::new("a course order belongs to its buyer's selection", selection_id))?;
        if selection.opened_at.is_none() {
            selection.opened_at = paid_at;
            selection.opened_by = Some(order_id.to_owned());
        }
        Ok(())
    }

    /// All that was paid for an order went back, and with it what it opened.
    pub(super) fn close_selection(&mut self, order_id: &str) {
        for selection in self.selections.values_mut().filter(|selection| selection.opened_by.as_deref() == Some(order_id)) {
            selection.is_refunded = true;
        }
    }
}
