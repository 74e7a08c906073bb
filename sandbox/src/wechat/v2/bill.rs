//! `downloadbill`: the file itself, or XML that says why not.

use super::super::bill::{self, Bill, BillError};
use super::xml::{self, Members};
use super::{Answer, Unsuccessful, optional, required};
use crate::Sandbox;

/// The bill of a day.
pub(super) async fn download(sandbox: &Sandbox, members: &Members) -> Result<Answer, Unsuccessful> {
    let date = required(members, "bill_date", 8)?;
    let date = match (date.get(..4), date.get(4..6), date.get(6..8)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => return Ok(failed("invalid bill_date", "20001")),
    };
    let Some(bill) = Bill::trade(optional(members, "bill_type", 16)?.as_deref()) else { return Ok(failed("invalid bill_type", "20001")) };
    let file = match bill::write(sandbox, bill, &date).await {
        Ok(file) => file,
        Err(BillError::BadDate) => return Ok(failed("invalid bill_date", "20001")),
        Err(BillError::NotYet) => return Ok(failed("Bill Creating", "20002")),
        Err(BillError::Empty) => return Ok(failed("No Bill Exist", "20002")),
        Err(BillError::Failed(error)) => return Err(error.into()),
    };
    Ok(match optional(members, "tar_type", 16)?.as_deref() {
        None => Answer::File(file.into_bytes()),
        Some("GZIP") => bill::packed(&file).map_or_else(|_| failed("SYSTEMERROR", "20003"), Answer::File),
        Some(_) => failed("invalid tar_type", "20001"),
    })
}

/// Why there is no file. It is neither signed nor names a result.
fn failed(words: &str, error_code: &str) -> Answer {
    Answer::File(xml::write("xml", &[("return_code", "FAIL"), ("return_msg", words), ("error_code", error_code)]).into_bytes())
}
