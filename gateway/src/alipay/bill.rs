//! Bills of a day: the address, the archive behind it, and its lines.
//!
//! Source: Alipay's open platform, page of `alipay.data.dataservice.bill.downloadurl.query`.

mod archive;
mod lines;

use chrono::NaiveDate;
use domain::Channel;
use reqwest::Url;

use super::answer::Answer;
use super::outcome::Outcome;
use super::{AlipayGateway, CallError, content, lacks, refused, unanswered, unknown};
use crate::{GatewayError, Inconclusive, Operation, Statement, StatementError};

pub(super) use lines::Row;

#[cfg(test)]
pub(super) use archive::read as read_archive;

/// What every call about a bill is.
const OPERATION: Operation = Operation::DownloadStatement;

/// The words for a day on which nothing moved.
const NOTHING_MOVED: &str = "NO_BILL_DATA";

/// The words for having been asked too often: a moment later the same call may succeed.
const TOO_OFTEN: [&str; 2] = ["SYSTEM_RATE_LIMIT", "USER_RATE_LIMIT"];

impl AlipayGateway {
    /// Asks for the address and fetches what lies there at once: it is good for half a minute.
    pub(super) async fn fetch_statement(&self, date: NaiveDate) -> Result<Statement, GatewayError> {
        let content = content::bill(date).map_err(|broken| refused(OPERATION, broken.code()))?;
        let called = self.call(OPERATION, None, content).await;
        let (outcome, answer) = called.map_err(|error| unanswered(OPERATION, error))?;
        let Some(url) = self.address(outcome, &answer)? else { return Ok(Statement { date, lines: Vec::new() }) };
        let file = self.transport.fetch(url).await.map_err(|error| unknown(OPERATION, CallError::Transport(error)))?;
        if file.status != 200 {
            return Err(unknown(OPERATION, CallError::Status(file.status)));
        }
        let rows = archive::read(&file.body).map_err(unreadable)?;
        let lines = rows.iter().map(Row::line).collect::<Result<_, _>>().map_err(unreadable)?;
        Ok(Statement { date, lines })
    }

    /// Where the archive lies; `None` where nothing moved that day.
    fn address(&self, outcome: Outcome, answer: &Answer) -> Result<Option<Url>, GatewayError> {
        match outcome {
            Outcome::Accepted => {
                let text = answer.text("bill_download_url").ok_or_else(|| lacks(OPERATION, "bill_download_url"))?;
                let mut url = Url::parse(text).map_err(|_| lacks(OPERATION, "bill_download_url"))?;
                // Nothing signs the file itself, so what may be encrypted is.
                if self.config.gateway_url.scheme() == "https" && url.set_scheme("https").is_err() {
                    return Err(lacks(OPERATION, "bill_download_url"));
                }
                Ok(Some(url))
            }
            Outcome::Refused(code) if code.contains(NOTHING_MOVED) => Ok(None),
            Outcome::Refused(code) if TOO_OFTEN.iter().any(|word| code.contains(word)) => Err(unknown(OPERATION, Inconclusive { code })),
            Outcome::Refused(code) => Err(GatewayError::Refused { channel: Channel::AlipayQr, operation: OPERATION, code }),
            Outcome::Unavailable(code) => Err(unknown(OPERATION, CallError::Unavailable(code))),
            _ => Err(unknown(OPERATION, Inconclusive { code: answer.code_word() })),
        }
    }
}

fn unreadable(error: StatementError) -> GatewayError {
    unknown(OPERATION, error)
}

#[cfg(test)]
mod tests;
