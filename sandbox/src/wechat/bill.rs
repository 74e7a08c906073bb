//! Bills of a day: what was paid and what went back, as a table of texts.

use std::io::{self, Write};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::{Currency, Money};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::beijing;
use crate::movement::{MovementKind, day, fee_minor};
use crate::refund::{Refund, RefundOutcome};
use crate::store::StoreError;
use crate::trade::{Trade, Wallet};
use crate::{Sandbox, SandboxError};

/// A bill is there at ten in the morning of the day after, in Beijing.
const READY_AFTER: TimeDelta = TimeDelta::hours(10);
/// How far back bills are kept.
const KEPT: TimeDelta = TimeDelta::days(92);

/// A kind of bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bill {
    /// Payments and refunds.
    All,
    Payments,
    Refunds,
    /// What moved on the account that holds the merchant's money.
    Funds,
    /// What moved on accounts that nothing moves on here.
    OtherFunds,
}

impl Bill {
    const EVERY: [Self; 5] = [Self::All, Self::Payments, Self::Refunds, Self::Funds, Self::OtherFunds];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Payments => "success",
            Self::Refunds => "refund",
            Self::Funds => "funds",
            Self::OtherFunds => "other_funds",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|bill| bill.as_str() == word)
    }

    /// By the member `bill_type`.
    pub(super) fn trade(word: Option<&str>) -> Option<Self> {
        match word {
            None | Some("ALL") => Some(Self::All),
            Some("SUCCESS") => Some(Self::Payments),
            Some("REFUND") => Some(Self::Refunds),
            Some(_) => None,
        }
    }

    /// By the member `account_type`.
    pub(super) fn fund(word: Option<&str>) -> Option<Self> {
        match word {
            None | Some("BASIC") => Some(Self::Funds),
            Some("OPERATION" | "FEES") => Some(Self::OtherFunds),
            Some(_) => None,
        }
    }
}

/// Why there is no bill.
#[derive(Debug)]
pub(super) enum BillError {
    BadDate,
    /// It is not written yet.
    NotYet,
    /// Nothing moved on that day.
    Empty,
    Failed(SandboxError),
}

impl From<StoreError> for BillError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// A line of a day: a payment, or a refund of one.
struct Line {
    trade: Trade,
    refund: Option<Refund>,
    at: DateTime<Utc>,
}

/// The bill of a day, `yyyy-MM-dd`.
pub(super) async fn write(sandbox: &Sandbox, bill: Bill, date: &str) -> Result<String, BillError> {
    let date: NaiveDate = date.parse().ok().filter(|_| date.len() == 10).ok_or(BillError::BadDate)?;
    let (from, until) = day(date).ok_or(BillError::BadDate)?;
    let now = sandbox.now();
    if from > now || now > until + KEPT {
        return Err(BillError::BadDate);
    }
    if now < until + READY_AFTER {
        return Err(BillError::NotYet);
    }
    let mut lines = Vec::new();
    if matches!(bill, Bill::All | Bill::Payments | Bill::Funds) {
        let paid = sandbox.store().paid_between(from, until).await?;
        lines.extend(paid.into_iter().filter_map(|trade| Some(Line { at: trade.paid_at?, trade, refund: None })));
    }
    if matches!(bill, Bill::All | Bill::Refunds | Bill::Funds) {
        let refunds = sandbox.store().refunds_between(from, until).await?;
        lines.extend(refunds.into_iter().map(|(trade, refund)| Line { at: refund.refunded_at, trade, refund: Some(refund) }));
    }
    lines.retain(|line| line.trade.wallet == Wallet::Wechat);
    if bill == Bill::Funds {
        lines.retain(|line| line.refund.as_ref().is_none_or(|refund| refund.outcome != RefundOutcome::Closed));
    }
    if lines.is_empty() {
        return Err(BillError::Empty);
    }
    lines.sort_by_key(|line| line.at);
    let account = sandbox.wechat();
    let merchant = account.credentials();
    Ok(match bill {
        Bill::Funds | Bill::OtherFunds => funds(&lines),
        Bill::All | Bill::Payments | Bill::Refunds => trades(&lines, &merchant.appid, &merchant.mchid, until),
    })
}

const TRADE_COLUMNS: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,\
应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";
const TRADE_SUMMARY: &str = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";
const FUND_COLUMNS: &str =
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号";
const FUND_SUMMARY: &str = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额";

fn trades(lines: &[Line], appid: &str, mchid: &str, until: DateTime<Utc>) -> String {
    let mut text = format!("\u{feff}{TRADE_COLUMNS}\r\n");
    let (mut paid, mut back, mut fees) = (0, 0, 0);
    for line in lines {
        let (trade, total) = (&line.trade, line.trade.total_amount());
        let zero = yuan(0);
        let (total_text, fee) = (total.major_text(), fee_of(line));
        let settled = if line.refund.is_some() { zero.clone() } else { total_text.clone() };
        let refund = line.refund.as_ref();
        let refund_text = refund.map_or_else(|| zero.clone(), |refund| refund.amount.major_text());
        fees += fee;
        match refund {
            None => paid += total.amount_minor(),
            Some(refund) => back += refund.amount.amount_minor(),
        }
        row(
            &mut text,
            &[
                &beijing::plain(trade.paid_at.unwrap_or(line.at)),
                appid,
                mchid,
                "0",
                "",
                trade.trade_no.as_deref().unwrap_or_default(),
                &trade.out_trade_no,
                trade.wechat.as_ref().map_or("", |prepay| prepay.openid.as_str()),
                &trade.product_code,
                if refund.is_some() { "REFUND" } else { "SUCCESS" },
                "OTHERS",
                "CNY",
                &settled,
                &zero,
                refund.map_or("0", |refund| refund.channel_no.as_deref().unwrap_or_default()),
                refund.map_or("0", |refund| refund.request_no.as_str()),
                &refund_text,
                &zero,
                refund.map_or("", |_| "ORIGINAL"),
                refund.map_or("", |refund| refund_status(refund, until)),
                &trade.subject,
                trade.passback_params.as_deref().unwrap_or_default(),
                &fee_text(fee),
                "0.60%",
                if refund.is_some() { &zero } else { &total_text },
                &refund_text,
                "",
            ],
        );
    }
    text.push_str(TRADE_SUMMARY);
    text.push_str("\r\n");
    let (paid, back) = (yuan(paid), yuan(back));
    row(&mut text, &[&lines.len().to_string(), &paid, &back, &yuan(0), &fee_text(fees), &paid, &back]);
    text
}

fn funds(lines: &[Line]) -> String {
    let mut text = format!("\u{feff}{FUND_COLUMNS}\r\n");
    let (mut balance, mut incomes, mut income, mut expenses, mut expense) = (0, 0, 0, 0, 0);
    for line in lines {
        let sum = line.refund.as_ref().map_or(line.trade.total_amount(), |refund| refund.amount).amount_minor();
        let (name, kind, way, proof) = match &line.refund {
            None => ("交易", "交易", "收入", line.trade.out_trade_no.as_str()),
            Some(refund) => ("退款", "退款", "支出", refund.request_no.as_str()),
        };
        if line.refund.is_some() {
            (balance, expenses, expense) = (balance - sum, expenses + 1, expense + sum);
        } else {
            (balance, incomes, income) = (balance + sum, incomes + 1, income + sum);
        }
        let number = line.trade.trade_no.as_deref().unwrap_or_default();
        let own = line.refund.as_ref().and_then(|refund| refund.channel_no.as_deref()).unwrap_or(number);
        let (at, sum, left) = (beijing::plain(line.at), yuan(sum), yuan(balance));
        row(&mut text, &[&at, number, own, name, kind, way, &sum, &left, "API", "", proof]);
    }
    text.push_str(FUND_SUMMARY);
    text.push_str("\r\n");
    row(&mut text, &[&lines.len().to_string(), &incomes.to_string(), &yuan(income), &expenses.to_string(), &yuan(expense)]);
    text
}

/// Each cell begins with a grave accent. A comma of the merchant's is written as a backslash and a blank, a line break as text.
fn row(text: &mut String, cells: &[&str]) {
    for (place, cell) in cells.iter().enumerate() {
        text.push_str(if place == 0 { "`" } else { ",`" });
        text.push_str(&cell.replace(',', "\\ ").replace("\r\n", "\\n").replace(['\n', '\r'], "\\n"));
    }
    text.push_str("\r\n");
}

/// A sum in fen as yuan; below zero where more went back than came.
fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    let sum = Money::new(fen.abs(), Currency::Cny).map(Money::major_text).unwrap_or_default();
    format!("{sign}{sum}")
}

/// The fee of a line in fen; it comes back with a refund.
fn fee_of(line: &Line) -> i64 {
    match &line.refund {
        None => fee_minor(&MovementKind::Payment, line.trade.total_amount()),
        Some(refund) => fee_minor(&MovementKind::Refund { request_no: String::new() }, refund.amount),
    }
}

/// A fee in yuan with five places.
fn fee_text(fen: i64) -> String {
    format!("{}000", yuan(fen))
}

/// As the bill knew it when it was written.
fn refund_status(refund: &Refund, until: DateTime<Utc>) -> &'static str {
    match refund.ended(until + READY_AFTER) {
        None => "PROCESSING",
        Some(RefundOutcome::Succeeded) => "SUCCESS",
        Some(RefundOutcome::Closed) => "FAIL",
        Some(RefundOutcome::Abnormal) => "CHANGE",
    }
}

/// The file packed with gzip.
pub(super) fn packed(file: &str) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(file.as_bytes())?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::super::order::tests::ordered;
    use super::*;
    use crate::trade::tests::{at, number};

    #[test]
    fn a_bill_has_a_row_per_movement_and_a_sum() {
        let trade = ordered().paid(at(0), number, ordered().amount).unwrap();
        let refund = Refund {
            request_no: "R1".to_owned(),
            amount: Money::new(100, Currency::Cny).unwrap(),
            refunded_at: at(60),
            channel_no: Some("503".to_owned()),
            outcome: RefundOutcome::Succeeded,
            settles_at: at(60),
            reason: None,
            is_by_staff: false,
        };
        let trade = Trade { subject: "a,b\nc".to_owned(), ..trade };
        let lines =
            [Line { trade: trade.clone(), refund: None, at: at(0) }, Line { trade: trade.clone(), refund: Some(refund), at: at(60) }];
        let text = trades(&lines, "wx", "19", at(86_400));
        let rows: Vec<&str> = text.split("\r\n").collect();
        assert!(rows[0].starts_with("\u{feff}交易时间,") && rows[0].split(',').count() == 27);
        for row in [rows[1], rows[2]] {
            assert_eq!(row.strip_prefix('`').unwrap().split(",`").count(), 27, "{row}");
        }
        assert!(rows[1].contains(",`SUCCESS,") && rows[1].contains("`199.00,") && rows[1].contains("`a\\ b\\nc,"));
        assert!(rows[1].contains("`1.19000,") && rows[2].contains("`-0.01000,") && rows[2].contains("`R1,"));
        assert_eq!(rows[4], "`2,`199.00,`1.00,`0.00,`1.18000,`199.00,`1.00");
        let funds = funds(&lines);
        assert!(funds.contains("`收入,`199.00,`199.00,") && funds.contains("`支出,`1.00,`198.00,"));
        assert!(funds.ends_with("`2,`1,`199.00,`1,`1.00\r\n"));
        assert!(packed(&text).unwrap().starts_with(&[0x1f, 0x8b]));
    }

    #[test]
    fn sums_may_be_below_zero() {
        assert_eq!((yuan(-123), yuan(5), fee_text(-6)), ("-1.23".to_owned(), "0.05".to_owned(), "-0.06000".to_owned()));
    }
}
