//! Rows as they are read, and what they mean.

use chrono::{DateTime, TimeDelta, Utc};
use database::Time;
use domain::{Currency, Money};
use sqlx::FromRow;

use super::StoreError;
use crate::notification::{Delivery, DeliveryStatus, Due, Protocol};
use crate::trade::{Trade, TradeStatus, Wallet};

fn at(time: Option<Time>) -> Option<DateTime<Utc>> {
    time.map(|Time(time)| time)
}

fn wallet(word: &str) -> Result<Wallet, StoreError> {
    Wallet::parse(word).ok_or(StoreError::Unreadable("wallet"))
}

fn protocol(word: &str) -> Result<Protocol, StoreError> {
    Protocol::parse(word).ok_or(StoreError::Unreadable("protocol"))
}

fn count(number: i64) -> Result<u32, StoreError> {
    number.try_into().map_err(|_| StoreError::Unreadable("count"))
}

#[derive(FromRow)]
pub(super) struct TradeRow {
    wallet: String,
    out_trade_no: String,
    trade_no: Option<String>,
    status: String,
    revision: i64,
    amount_minor: i64,
    paid_amount_minor: Option<i64>,
    refunded_minor: i64,
    product_code: String,
    subject: String,
    body: Option<String>,
    passback_params: Option<String>,
    charset: String,
    notify_url: Option<String>,
    return_url: Option<String>,
    coded_at: Time,
    code_expires_at: Time,
    expires_at: Option<Time>,
    life_s: i64,
    scanned_at: Option<Time>,
    paid_at: Option<Time>,
    closed_at: Option<Time>,
    refunded_at: Option<Time>,
    wechat: Option<String>,
}

impl TradeRow {
    pub(super) fn into_trade(self) -> Result<Trade, StoreError> {
        let money = |minor| Money::new(minor, Currency::Cny).map_err(|_| StoreError::Unreadable("amount"));
        let wechat = self.wechat.as_deref().map(serde_json::from_str);
        Ok(Trade {
            wallet: wallet(&self.wallet)?,
            out_trade_no: self.out_trade_no,
            trade_no: self.trade_no,
            status: TradeStatus::parse(&self.status).ok_or(StoreError::Unreadable("trade status"))?,
            revision: self.revision,
            amount: money(self.amount_minor)?,
            paid_amount: self.paid_amount_minor.map(money).transpose()?,
            refunded: money(self.refunded_minor)?,
            product_code: self.product_code,
            subject: self.subject,
            body: self.body,
            passback_params: self.passback_params,
            charset: self.charset,
            notify_url: self.notify_url,
            return_url: self.return_url,
            coded_at: self.coded_at.0,
            code_expires_at: self.code_expires_at.0,
            expires_at: at(self.expires_at),
            life: TimeDelta::try_seconds(self.life_s).ok_or(StoreError::Unreadable("life"))?,
            scanned_at: at(self.scanned_at),
            paid_at: at(self.paid_at),
            closed_at: at(self.closed_at),
            refunded_at: at(self.refunded_at),
            wechat: wechat.transpose().map_err(|_| StoreError::Unreadable("prepay"))?,
        })
    }
}

#[derive(FromRow)]
pub(super) struct DueRow {
    protocol: String,
    genuine: i64,
    probe: i64,
    url: Option<String>,
    content_type: String,
    body: String,
    copies: i64,
    attempts: i64,
    attempts_allowed: i64,
    first_due_at: Option<Time>,
}

impl DueRow {
    pub(super) fn into_due(self) -> Result<Due, StoreError> {
        Ok(Due {
            protocol: protocol(&self.protocol)?,
            is_genuine: self.genuine != 0,
            is_probe: self.probe != 0,
            url: self.url.ok_or(StoreError::Unreadable("address"))?,
            content_type: self.content_type,
            body: self.body,
            copies: count(self.copies)?,
            attempts: count(self.attempts)?,
            attempts_allowed: count(self.attempts_allowed)?,
            first_due_at: at(self.first_due_at).ok_or(StoreError::Unreadable("time"))?,
        })
    }
}

#[derive(FromRow)]
pub(super) struct DeliveryRow {
    notify_id: String,
    protocol: String,
    genuine: i64,
    status: String,
    attempts: i64,
    next_due_at: Option<Time>,
    last_outcome: Option<String>,
    body: String,
}

impl DeliveryRow {
    pub(super) fn into_delivery(self) -> Result<Delivery, StoreError> {
        Ok(Delivery {
            notify_id: self.notify_id,
            protocol: protocol(&self.protocol)?,
            is_genuine: self.genuine != 0,
            status: DeliveryStatus::parse(&self.status).ok_or(StoreError::Unreadable("delivery status"))?,
            attempts: count(self.attempts)?,
            next_due_at: at(self.next_due_at),
            last_outcome: self.last_outcome,
            body: self.body,
        })
    }
}
