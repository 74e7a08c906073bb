//! The lines of a bill, as its file has them.

use std::borrow::Cow;
use std::io::Read;

use csv::{ByteRecord, ReaderBuilder};
use domain::{Currency, Money};

use super::super::charset::Charset;
use crate::{STATEMENT_LINE_LIMIT, StatementError, StatementLine, StatementLineKind, beijing};

/// The column that only the file with the lines has, with [`OUT_TRADE_NO`].
pub(super) const TRADE_NO: &str = "支付宝交易号";
const OUT_TRADE_NO: &str = "商户订单号";
const KIND: &str = "业务类型";
const SUBJECT: &str = "商品名称";
const COMPLETED: &str = "完成时间";
const AMOUNT: &str = "订单金额(元)";
const RECEIVED: &str = "商家实收(元)";
const REQUEST_NO: &str = "退款批次号/请求号";
const FEE: &str = "服务费(元)";

const PAYMENT: &str = "交易";
const REFUND: &str = "退款";

/// How many lines may stand before the header.
const PREFACE_LIMIT: usize = 64;

/// A row of the file, in the file's own signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::alipay) struct Row {
    pub(in crate::alipay) line: u64,
    pub(in crate::alipay) trade_no: String,
    pub(in crate::alipay) out_trade_no: String,
    pub(in crate::alipay) kind: String,
    /// Only for those who look at a bill; nothing is decided by it.
    pub(in crate::alipay) subject: String,
    pub(in crate::alipay) completed: String,
    /// Fen, negative for refunds.
    pub(in crate::alipay) amount: i64,
    /// Fen, negative for refunds.
    pub(in crate::alipay) received: i64,
    pub(in crate::alipay) request_no: String,
    /// Fen, negative for what Alipay kept.
    pub(in crate::alipay) fee: i64,
}

impl Row {
    /// The row in the port's words. Errors: another kind of movement than payments and refunds, or one with the wrong sign.
    pub(super) fn line(&self) -> Result<StatementLine, StatementError> {
        let bad = |column| StatementError::BadCell { line: self.line, column };
        let (kind, amount_minor) = match self.kind.as_str() {
            PAYMENT => (StatementLineKind::Payment, self.amount),
            REFUND => {
                // A refund of the whole that was asked for without a number has that of the payment.
                let number = if self.request_no.is_empty() { &self.out_trade_no } else { &self.request_no };
                (StatementLineKind::Refund { refund_no: number.clone(), channel_refund_no: None }, -self.amount)
            }
            _ => return Err(bad(KIND)),
        };
        Ok(StatementLine {
            kind,
            out_trade_no: self.out_trade_no.clone(),
            trade_no: self.trade_no.clone(),
            amount: Money::new(amount_minor, Currency::Cny).map_err(|_| bad(AMOUNT))?,
            fee_minor: -self.fee,
            at: beijing::parse_spaced(&self.completed),
        })
    }
}

/// The rows of a file; `None` where it is another than the one with the lines. Errors: also where the file's own counts
/// differ from what stands in it.
pub(super) fn read(file: impl Read) -> Result<Option<Vec<Row>>, StatementError> {
    // The bytes of GBK that mean something in CSV mean the same in it, so lines and cells are found before any is decoded.
    let mut records = Records { reader: ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file), line: 0 };
    let mut record = ByteRecord::new();
    let Some(columns) = header(&mut records, &mut record)? else { return Ok(None) };
    let (mut rows, mut counts) = (Vec::new(), Counts::default());
    while records.next(&mut record)? {
        if is_comment(&record) {
            counts.note(&columns.comment(&record));
            continue;
        }
        if record.iter().all(|cell| cell.trim_ascii().is_empty()) {
            continue;
        }
        if rows.len() == STATEMENT_LINE_LIMIT {
            return Err(StatementError::TooLarge);
        }
        rows.push(columns.row(&record, records.line)?);
    }
    counts.check(&rows)?;
    Ok(Some(rows))
}

/// The records of a file, counted.
struct Records<R> {
    reader: csv::Reader<R>,
    line: u64,
}

impl<R: Read> Records<R> {
    /// Reads the next record into `record`; false at the end.
    fn next(&mut self, record: &mut ByteRecord) -> Result<bool, StatementError> {
        self.line += 1;
        self.reader.read_byte_record(record).map_err(|_| StatementError::Unreadable("a file of the archive is damaged"))
    }
}

fn is_comment(record: &ByteRecord) -> bool {
    record.get(0).is_some_and(|cell| cell.starts_with(b"#"))
}

/// Finds the header among the first lines, and the character set that makes sense of it.
fn header(records: &mut Records<impl Read>, record: &mut ByteRecord) -> Result<Option<Columns>, StatementError> {
    for _ in 0..PREFACE_LIMIT {
        if !records.next(record)? {
            return Ok(None);
        }
        if is_comment(record) || record.iter().all(|cell| cell.trim_ascii().is_empty()) {
            continue;
        }
        let named = |charset: Charset| -> Option<(Charset, Vec<String>)> {
            let names: Option<Vec<String>> = record.iter().map(|cell| charset.decode(cell).map(|name| column_name(&name))).collect();
            names.filter(|names| [TRADE_NO, OUT_TRADE_NO].iter().all(|name| names.iter().any(|other| other == name))).map(|n| (charset, n))
        };
        let found = named(Charset::Gbk).or_else(|| named(Charset::Utf8));
        return found.map(|(charset, names)| Columns::find(charset, &names)).transpose();
    }
    Ok(None)
}

/// A column's name without what changes from year to year: blanks and the width of brackets.
fn column_name(cell: &str) -> String {
    cell.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}').replace('（', "(").replace('）', ")")
}

/// Where the columns stand.
struct Columns {
    charset: Charset,
    count: usize,
    trade_no: usize,
    out_trade_no: usize,
    kind: usize,
    subject: Option<usize>,
    completed: usize,
    amount: usize,
    received: usize,
    request_no: usize,
    fee: usize,
}

impl Columns {
    fn find(charset: Charset, names: &[String]) -> Result<Self, StatementError> {
        let place = |name: &'static str| names.iter().position(|other| other == name);
        let needed = |name: &'static str| place(name).ok_or(StatementError::NoColumn(name));
        Ok(Self {
            charset,
            count: names.len(),
            trade_no: needed(TRADE_NO)?,
            out_trade_no: needed(OUT_TRADE_NO)?,
            kind: needed(KIND)?,
            subject: place(SUBJECT),
            completed: needed(COMPLETED)?,
            amount: needed(AMOUNT)?,
            received: needed(RECEIVED)?,
            request_no: needed(REQUEST_NO)?,
            fee: needed(FEE)?,
        })
    }

    fn row(&self, record: &ByteRecord, line: u64) -> Result<Row, StatementError> {
        if record.len() != self.count {
            return Err(StatementError::Unreadable("a line has more or fewer cells than the header"));
        }
        let text = |column: &'static str, place: usize| {
            let cell = record.get(place).and_then(|cell| self.charset.decode(cell));
            cell.map(|cell| cell.trim().to_owned()).ok_or(StatementError::BadCell { line, column })
        };
        let fen = |column: &'static str, place: usize| {
            let cell = text(column, place)?;
            signed_fen(&cell).ok_or(StatementError::BadCell { line, column })
        };
        Ok(Row {
            line,
            trade_no: text(TRADE_NO, self.trade_no)?,
            out_trade_no: text(OUT_TRADE_NO, self.out_trade_no)?,
            kind: text(KIND, self.kind)?,
            subject: self.subject.map_or(Ok(String::new()), |place| text(SUBJECT, place))?,
            completed: text(COMPLETED, self.completed)?,
            amount: fen(AMOUNT, self.amount)?,
            received: fen(RECEIVED, self.received)?,
            request_no: text(REQUEST_NO, self.request_no)?,
            fee: fen(FEE, self.fee)?,
        })
    }

    /// The text of a comment, whatever of it can be read.
    fn comment<'a>(&self, record: &'a ByteRecord) -> Cow<'a, str> {
        record.get(0).and_then(|cell| self.charset.decode(cell)).unwrap_or_default()
    }
}

fn signed_fen(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    Money::parse_major(digits, Currency::Cny).ok().map(|amount| sign * amount.amount_minor())
}

/// How many lines the file says that it has, where it says so.
#[derive(Default)]
struct Counts {
    payments: Option<usize>,
    refunds: Option<usize>,
}

impl Counts {
    /// Reads `#交易合计：3笔…` and `#退款合计：1笔…`.
    fn note(&mut self, comment: &str) {
        let count = |title: &str| -> Option<usize> {
            let (_, rest) = comment.split_once(title)?;
            let (number, _) = rest.trim_start_matches(['：', ':', ' ']).split_once('笔')?;
            number.trim().parse().ok()
        };
        self.payments = self.payments.or_else(|| count("交易合计"));
        self.refunds = self.refunds.or_else(|| count("退款合计"));
    }

    fn check(&self, rows: &[Row]) -> Result<(), StatementError> {
        let differs =
            |count: Option<usize>, kind: &str| count.is_some_and(|count| count != rows.iter().filter(|row| row.kind == kind).count());
        if differs(self.payments, PAYMENT) || differs(self.refunds, REFUND) { Err(StatementError::SumsDiffer) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
