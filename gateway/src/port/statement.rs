use chrono::{DateTime, NaiveDate, Utc};
use domain::Money;

/// What a channel says it took and gave back in one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The day, as the channel counts days (both wallets: Beijing's).
    pub date: NaiveDate,
    /// Its lines, in the order of the file. A payment that never came to be paid has none.
    pub lines: Vec<StatementLine>,
}

/// One movement of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// What moved it.
    pub kind: StatementLineKind,
    /// Our number of the payment, as the channel has it. It may be none of ours.
    pub out_trade_no: String,
    /// The channel's number of the payment.
    pub trade_no: String,
    /// What was taken, or given back: more than nothing in both directions.
    pub amount: Money,
    /// What the channel kept for it, in the smallest unit of the amount's currency; negative where it gave some back.
    pub fee_minor: i64,
    /// When, by the channel's clock, to the second; `None` where the file does not say.
    pub at: Option<DateTime<Utc>>,
}

/// What moved the money of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementLineKind {
    /// A buyer paid.
    Payment,
    /// Money went back.
    Refund {
        /// Our number of the refund; the channel's own for one that was made on its website.
        refund_no: String,
        /// The channel's number of the refund, where it gives one.
        channel_refund_no: Option<String>,
    },
}

/// Why a file is no statement. Each names the line, counted from 1, where there is one; none repeats what stands there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not the kind of file, damaged, or cut off.
    #[error("the file is no statement: {0}")]
    Unreadable(&'static str),
    /// A column that is needed is not there.
    #[error("the statement has no column {0}")]
    NoColumn(&'static str),
    /// A cell does not hold what it must.
    #[error("line {line} of the statement: {column} cannot be read")]
    BadCell {
        /// The line, counted from 1 with all that stands before it; empty ones are not counted.
        line: u64,
        /// The column's name.
        column: &'static str,
    },
    /// More than is read of any file.
    #[error("the statement is too large")]
    TooLarge,
    /// The sums that the channel names are not those of the lines, so some line is missing or was changed.
    #[error("the lines do not add up to the sums that the statement names")]
    SumsDiffer,
    /// The file's digest is not the one that the channel named.
    #[error("the file is not the one that the channel announced")]
    OtherFile,
}

/// The most lines that one statement may have.
pub const STATEMENT_LINE_LIMIT: usize = 1_000_000;

/// The words with which channels refuse a statement because there is none of that day: Alipay's, and that of WeChat Pay's
/// API v2. Where another word says that nothing moved, the statement is empty.
const NO_STATEMENT: [&str; 2] = ["BILL_NOT_EXIST", "20002"];

/// Whether a refusal's word says that the channel has no statement of that day, and not that it does not give it to us.
pub fn says_no_statement(code: &str) -> bool {
    // Alipay's may have a part before them.
    NO_STATEMENT.contains(&code.rsplit_once('.').map_or(code, |(_, word)| word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_for_no_statement_say_that_there_is_none() {
        for code in ["BILL_NOT_EXIST", "isp.BILL_NOT_EXIST", "20002"] {
            assert!(says_no_statement(code), "{code}");
        }
        for code in ["isv.insufficient-isv-permissions", "20001", "20003", "NO_AUTH", "STATEMENT_CREATING", "paystream.no_statements", ""] {
            assert!(!says_no_statement(code), "{code}");
        }
    }
}
