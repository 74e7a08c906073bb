//! The bill of a day. Nothing signs it; who answers is known by TLS, and the sums at its end show what is missing.
//!
//! Source: WeChat Pay's page of downloadbill.

use std::io::Read;

use chrono::NaiveDate;
use flate2::read::GzDecoder;

use super::answer::text;
use super::transport::BILL_PATH;
use super::{WechatPayV2Gateway, xml};
use crate::wechat_pay::v3::statement::bill;
use crate::{GatewayError, Inconclusive, Operation, Statement, StatementError};

/// The largest file that is fetched, in bytes.
const FILE_LIMIT: usize = 64 * 1024 * 1024;

/// The largest file that is unpacked, in bytes. A small one can promise any number of them.
const UNPACKED_LIMIT: u64 = 256 * 1024 * 1024;

const GZIP: &[u8] = b"\x1F\x8B";

/// The words for a bill that is not there: none of that day, or none yet.
const NO_BILL: [&str; 2] = ["20002", "20003"];

impl WechatPayV2Gateway {
    pub(super) async fn fetch_statement(&self, date: NaiveDate) -> Result<Statement, GatewayError> {
        let asked = self.asked(Operation::DownloadStatement);
        let members = [("bill_date", date.format("%Y%m%d").to_string()), ("bill_type", "ALL".to_owned()), ("tar_type", "GZIP".to_owned())];
        let app_id = self.merchant.app_id(self.product);
        let sent = self.merchant.send(BILL_PATH, app_id, &members, FILE_LIMIT).await;
        let file = sent.map_err(|error| asked.unknown(error))?;
        if let Some(code) = failure(&file) {
            // Not signed either; that there is no bill is the one thing that is taken from it, and it is taken for no more.
            let is_absent = NO_BILL.contains(&code.as_str());
            return Err(if is_absent { asked.refused(code) } else { asked.unknown(Inconclusive { code: format!("FAIL {code}") }) });
        }
        let statement = unpacked(&file, UNPACKED_LIMIT).and_then(|file| bill::read(&file, date));
        statement.map_err(|error| asked.unknown(error))
    }
}

/// The word of an answer that is no bill.
fn failure(file: &[u8]) -> Option<String> {
    let members = xml::read(file, xml::ROOT).ok()?;
    let word = text(&members, "error_code").or(text(&members, "return_msg")).unwrap_or("nothing");
    Some(word.chars().filter(|character| !character.is_control()).take(96).collect())
}

/// The file, unpacked if it is packed; small ones may come as they are.
fn unpacked(file: &[u8], limit: u64) -> Result<Vec<u8>, StatementError> {
    let mut bytes = Vec::new();
    if file.starts_with(GZIP) {
        let read = GzDecoder::new(file).take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|_| StatementError::Unreadable("the packed file is damaged or cut off"))?;
    } else {
        bytes.extend_from_slice(file);
    }
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) { Ok(bytes) } else { Err(StatementError::TooLarge) }
}

#[cfg(test)]
mod tests;
