//! The file of a day's payments and refunds: UTF-8, one header, one row each, then a header and a row of sums. Every cell of
//! data begins with a grave accent; columns are found by their names, because their set differs.

use chrono::NaiveDate;
use domain::{Currency, Money};

use crate::{STATEMENT_LINE_LIMIT, Statement, StatementError, StatementLine, StatementLineKind, beijing};

/// What separates cells of data.
const BETWEEN: &str = ",`";

/// How a file may begin.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Reads the file of `date`. Errors: the first thing that is not as it must be.
pub(in crate::wechat_pay) fn read(file: &[u8], date: NaiveDate) -> Result<Statement, StatementError> {
    let text = str::from_utf8(file).map_err(|_| StatementError::Unreadable("it is not UTF-8"))?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut lines = (1_u64..).zip(text.lines()).filter(|(_, line)| !line.is_empty());
    let (_, header) = lines.next().ok_or(StatementError::Unreadable("it is empty"))?;
    let columns = Columns::of(header)?;
    let mut sums = Sums::default();
    let mut read = Vec::new();
    let mut summary = None;
    for (number, line) in lines.by_ref() {
        let Some(cells) = cells(line) else {
            summary = Some(line);
            break;
        };
        if read.len() >= STATEMENT_LINE_LIMIT {
            return Err(StatementError::TooLarge);
        }
        let row = Row { number, cells: &cells, columns: &columns };
        sums.add(&row)?;
        read.extend(row.line()?);
    }
    let header = summary.ok_or(StatementError::Unreadable("it is cut off"))?;
    let (number, line) = lines.next().ok_or(StatementError::Unreadable("it is cut off"))?;
    let told = cells(line).ok_or(StatementError::Unreadable("its sums are missing"))?;
    if lines.next().is_some() {
        return Err(StatementError::Unreadable("it goes on behind its sums"));
    }
    if sums == Sums::told(header, &told, number)? { Ok(Statement { date, lines: read }) } else { Err(StatementError::SumsDiffer) }
}

/// The cells of a row of data; `None` for any other line.
fn cells(line: &str) -> Option<Vec<&str>> {
    Some(line.strip_prefix('`')?.split(BETWEEN).collect())
}

const AT: &str = "交易时间";
const TRADE_NO: &str = "微信订单号";
const OUT_TRADE_NO: &str = "商户订单号";
const STATE: &str = "交易状态";
const CURRENCY: &str = "货币种类";
const AMOUNT: &str = "订单金额";
const CHANNEL_REFUND_NO: &str = "微信退款单号";
const REFUND_NO: &str = "商户退款单号";
const REFUND_AMOUNT: &str = "申请退款金额";
const REFUND_STATE: &str = "退款状态";
const FEE: &str = "手续费";

const COUNT_SUM: &str = "总交易单数";
const AMOUNT_SUM: &str = "订单总金额";
const REFUND_SUM: &str = "申请退款总金额";

/// Where the columns stand that are read.
struct Columns {
    at: usize,
    trade_no: usize,
    out_trade_no: usize,
    state: usize,
    currency: usize,
    amount: usize,
    channel_refund_no: usize,
    refund_no: usize,
    refund_amount: usize,
    refund_state: usize,
    fee: usize,
    count: usize,
}

impl Columns {
    fn of(header: &str) -> Result<Self, StatementError> {
        let names: Vec<&str> = header.split(',').map(|name| name.trim_start_matches('`')).collect();
        let place = |name: &'static str| place(&names, name);
        Ok(Self {
            at: place(AT)?,
            trade_no: place(TRADE_NO)?,
            out_trade_no: place(OUT_TRADE_NO)?,
            state: place(STATE)?,
            currency: place(CURRENCY)?,
            amount: place(AMOUNT)?,
            channel_refund_no: place(CHANNEL_REFUND_NO)?,
            refund_no: place(REFUND_NO)?,
            refund_amount: place(REFUND_AMOUNT)?,
            refund_state: place(REFUND_STATE)?,
            fee: place(FEE)?,
            count: names.len(),
        })
    }
}

fn place(names: &[&str], name: &'static str) -> Result<usize, StatementError> {
    names.iter().position(|other| *other == name).ok_or(StatementError::NoColumn(name))
}

/// One row of data.
struct Row<'a> {
    number: u64,
    cells: &'a [&'a str],
    columns: &'a Columns,
}

impl<'a> Row<'a> {
    fn bad(&self, column: &'static str) -> StatementError {
        StatementError::BadCell { line: self.number, column }
    }

    fn cell(&self, place: usize, column: &'static str) -> Result<&'a str, StatementError> {
        self.cells.get(place).copied().filter(|_| self.cells.len() == self.columns.count).ok_or_else(|| self.bad(column))
    }

    fn filled(&self, place: usize, column: &'static str) -> Result<String, StatementError> {
        let text = self.cell(place, column)?;
        if text.is_empty() || text == "0" { Err(self.bad(column)) } else { Ok(text.to_owned()) }
    }

    fn fen(&self, place: usize, column: &'static str) -> Result<i64, StatementError> {
        let text = self.cell(place, column)?;
        Money::parse_major(text, Currency::Cny).map(Money::amount_minor).map_err(|_| self.bad(column))
    }

    fn amount(&self, place: usize, column: &'static str) -> Result<Money, StatementError> {
        let amount = Money::new(self.fen(place, column)?, Currency::Cny).ok().filter(|amount| !amount.is_zero());
        amount.ok_or_else(|| self.bad(column))
    }

    /// The movement of money; `None` where none moved.
    fn line(&self) -> Result<Option<StatementLine>, StatementError> {
        let columns = self.columns;
        if self.cell(columns.currency, CURRENCY)? != "CNY" {
            return Err(self.bad(CURRENCY));
        }
        let (kind, amount) = match self.cell(columns.state, STATE)? {
            "SUCCESS" => (StatementLineKind::Payment, self.amount(columns.amount, AMOUNT)?),
            "REFUND" => match self.cell(columns.refund_state, REFUND_STATE)? {
                "SUCCESS" | "PROCESSING" => (self.refund_kind()?, self.amount(columns.refund_amount, REFUND_AMOUNT)?),
                // The money did not reach the buyer.
                "FAIL" | "CHANGE" => return Ok(None),
                _ => return Err(self.bad(REFUND_STATE)),
            },
            // Taken back by the till that had scanned the buyer's code: a product that is not used here.
            "REVOKED" => return Ok(None),
            _ => return Err(self.bad(STATE)),
        };
        Ok(Some(StatementLine {
            kind,
            out_trade_no: self.filled(columns.out_trade_no, OUT_TRADE_NO)?,
            trade_no: self.filled(columns.trade_no, TRADE_NO)?,
            amount,
            fee_minor: fee(self.cell(columns.fee, FEE)?).ok_or_else(|| self.bad(FEE))?,
            at: Some(beijing::parse_spaced(self.cell(columns.at, AT)?).ok_or_else(|| self.bad(AT))?),
        }))
    }

    fn refund_kind(&self) -> Result<StatementLineKind, StatementError> {
        let channel_refund_no = self.filled(self.columns.channel_refund_no, CHANNEL_REFUND_NO)?;
        // One that was made on the website may have no number of ours.
        let refund_no = self.filled(self.columns.refund_no, REFUND_NO).unwrap_or_else(|_| channel_refund_no.clone());
        Ok(StatementLineKind::Refund { refund_no, channel_refund_no: Some(channel_refund_no) })
    }
}

/// What the last row says of all the others.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    count: u64,
    amount_minor: i64,
    refund_minor: i64,
}

impl Sums {
    fn add(&mut self, row: &Row<'_>) -> Result<(), StatementError> {
        let add = |sum: i64, fen: i64| sum.checked_add(fen).ok_or(StatementError::TooLarge);
        self.count += 1;
        self.amount_minor = add(self.amount_minor, row.fen(row.columns.amount, AMOUNT)?)?;
        self.refund_minor = add(self.refund_minor, row.fen(row.columns.refund_amount, REFUND_AMOUNT)?)?;
        Ok(())
    }

    fn told(header: &str, cells: &[&str], line: u64) -> Result<Self, StatementError> {
        let names: Vec<&str> = header.split(',').map(|name| name.trim_start_matches('`')).collect();
        let cell = |column: &'static str| {
            let place = place(&names, column)?;
            cells.get(place).copied().filter(|_| cells.len() == names.len()).ok_or(StatementError::BadCell { line, column })
        };
        let bad = |column| StatementError::BadCell { line, column };
        let fen = |column: &'static str| yuan(cell(column)?).ok_or_else(|| bad(column));
        Ok(Self {
            count: cell(COUNT_SUM)?.parse().map_err(|_| bad(COUNT_SUM))?,
            amount_minor: fen(AMOUNT_SUM)?,
            refund_minor: fen(REFUND_SUM)?,
        })
    }
}

/// A sum of many amounts, in fen: it may be larger than one amount can.
fn yuan(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "00"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(part) || part.len() != 2 || whole.len() > 15 {
        return None;
    }
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(part.parse().ok()?)
}

/// A fee in fen, rounded to the nearest: files write up to five places, and a minus for what is given back.
fn fee(text: &str) -> Option<i64> {
    let (is_back, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(part) || whole.len() > 10 || part.len() > 5 {
        return None;
    }
    // In hundred-thousandths of a yuan, a thousand of which are a fen.
    let fine = whole.parse::<i64>().ok()?.checked_mul(100_000)?.checked_add(format!("{part:0<5}").parse().ok()?)?;
    let fen = (fine + 500) / 1000;
    Some(if is_back { -fen } else { fen })
}

#[cfg(test)]
pub(super) mod tests;
