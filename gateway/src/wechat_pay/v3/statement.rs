//! Statements: asked for, fetched from where the answer says, unpacked and compared with their digest.
//!
//! Source: WeChat Pay v3, `GET /v3/bill/tradebill` and `GET /v3/bill/fundflowbill`.

pub(in crate::wechat_pay) mod bill;

use std::io::Read;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use chrono::NaiveDate;
use flate2::read::MultiGzDecoder;
use reqwest::Url;
use serde::Deserialize;

use super::channel::{Told, WechatPayGateway};
use super::client::{Call, CallError, code_of};
use super::json;
use super::outcome::Outcome;
use crate::{GatewayError, Operation, Statement, StatementError};

/// The largest file that is fetched, in bytes.
const FILE_LIMIT: usize = 64 * 1024 * 1024;

/// The largest file that is unpacked, in bytes.
const UNPACKED_LIMIT: u64 = 256 * 1024 * 1024;

/// The hosts of WeChat Pay's own that files may lie on.
const WECHAT_HOSTS: &str = ".mch.weixin.qq.com";

/// What lies in an account, in the words of WeChat Pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FundAccount {
    /// What payments go into.
    Basic,
    /// What is paid out from.
    Operation,
    /// What fees are taken from.
    Fees,
}

impl FundAccount {
    fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "BASIC",
            Self::Operation => "OPERATION",
            Self::Fees => "FEES",
        }
    }
}

/// Where a file lies, and its digest.
#[derive(Deserialize)]
struct Announced {
    hash_type: String,
    hash_value: String,
    download_url: String,
}

impl WechatPayGateway {
    /// The statement of a day's payments and refunds.
    pub(super) async fn trade_statement(&self, date: NaiveDate) -> Result<Statement, GatewayError> {
        let path = format!("/v3/bill/tradebill?bill_date={date}&bill_type=ALL&tar_type=GZIP");
        match self.file(path).await? {
            Some(file) => bill::read(&file, date).map_err(|error| self.unknown(Operation::DownloadStatement, error)),
            None => Ok(Statement { date, lines: Vec::new() }),
        }
    }

    /// The file of all movements of an account on a day, as WeChat Pay writes it (UTF-8, every cell behind a grave accent);
    /// `None` for a day without any. Errors as those of a statement.
    pub async fn download_fund_flow(&self, date: NaiveDate, account: FundAccount) -> Result<Option<Vec<u8>>, GatewayError> {
        let account = account.as_str();
        self.file(format!("/v3/bill/fundflowbill?bill_date={date}&account_type={account}&tar_type=GZIP")).await
    }

    /// The unpacked file that an answer announces.
    async fn file(&self, path: String) -> Result<Option<Vec<u8>>, GatewayError> {
        let operation = Operation::DownloadStatement;
        let body = match self.ask(operation, &Call::get(path)).await {
            // Nobody paid and nothing went back on that day.
            Err(GatewayError::Refused { code, .. }) if code == "NO_STATEMENT_EXIST" => return Ok(None),
            Ok(Told::Accepted(body)) => body,
            Ok(Told::Not(outcome)) => return Err(self.misplaced(operation, &outcome)),
            Err(error) => return Err(error),
        };
        let announced: Announced = json::read(&body).map_err(|error| self.unknown(operation, CallError::Unreadable(error)))?;
        let url = self.file_url(&announced.download_url).ok_or_else(|| self.lacks(operation, "download_url"))?;
        // The request is signed, the answer is not: the digest in the signed answer before stands for it.
        let answer = self.client.send(&Call::get(url.into()), FILE_LIMIT).await.map_err(|error| self.unknown(operation, error))?;
        if answer.status != 200 {
            return Err(match Outcome::of(operation, answer.status, code_of(&answer.body).as_deref()) {
                Outcome::Refused(code) => self.refused(operation, code),
                Outcome::Unavailable(code) => self.unknown(operation, CallError::Unavailable(code)),
                outcome => self.misplaced(operation, &outcome),
            });
        }
        unpacked(&answer.body, &announced.hash_type, &announced.hash_value).map(Some).map_err(|error| self.unknown(operation, error))
    }

    /// The address of a file, if it lies where a signed request may go.
    fn file_url(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok()?;
        let is_wechats = url.scheme() == "https" && url.host_str().is_some_and(|host| host.ends_with(WECHAT_HOSTS));
        let is_bare = url.username().is_empty() && url.password().is_none();
        (is_bare && (is_wechats || url.origin() == self.client.config.base_url.origin())).then_some(url)
    }
}

/// Unpacks a file, if it is packed, and compares it with the digest, which is of the unpacked one.
pub(super) fn unpacked(file: &[u8], hash_type: &str, hash_value: &str) -> Result<Vec<u8>, StatementError> {
    if hash_type != "SHA1" {
        return Err(StatementError::Unreadable("its digest is of an unknown kind"));
    }
    let file = if file.starts_with(&[0x1f, 0x8b]) {
        let mut bytes = Vec::new();
        let read = MultiGzDecoder::new(file).take(UNPACKED_LIMIT + 1).read_to_end(&mut bytes);
        read.map_err(|_| StatementError::Unreadable("it cannot be unpacked"))?;
        bytes
    } else {
        file.to_vec()
    };
    if file.len() as u64 > UNPACKED_LIMIT {
        return Err(StatementError::TooLarge);
    }
    let is_it = hex(hash_value)
        .is_some_and(|expected| verify_slices_are_equal(digest(&SHA1_FOR_LEGACY_USE_ONLY, &file).as_ref(), &expected).is_ok());
    if is_it { Ok(file) } else { Err(StatementError::OtherFile) }
}

/// The bytes of a text in hexadecimal.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests;
