//! Bills: applied for, then downloaded from an address that holds for five minutes.

use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use chrono::TimeDelta;
use hmac::{Hmac, Mac};
use rsa::sha2::Sha256;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use super::super::bill::{self, Bill, BillError};
use super::super::{BASE, numbers};
use super::answer::{Answer, Refusal, Unsuccessful};
use super::target::BillKind;
use crate::Sandbox;

/// How long an address of a bill holds.
const ADDRESS_LIFE: TimeDelta = TimeDelta::minutes(5);

#[derive(Debug, Deserialize)]
struct Asked {
    bill_date: Option<String>,
    bill_type: Option<String>,
    account_type: Option<String>,
    tar_type: Option<String>,
}

#[derive(Debug, Serialize)]
struct Applied {
    download_url: String,
    hash_type: &'static str,
    hash_value: String,
}

/// What an address of a bill carries.
#[derive(Debug, Serialize, Deserialize)]
struct Address {
    kind: String,
    date: String,
    zip: bool,
    until: i64,
}

/// Says where a bill is, and the digest of the unpacked file.
pub(super) async fn apply(sandbox: &Sandbox, kind: BillKind, uri: &Uri) -> Result<Answer, Unsuccessful> {
    let Ok(Query(asked)) = Query::<Asked>::try_from_uri(uri) else { return Err(Refusal::invalid("bill_date", "格式不正确").into()) };
    let date = asked.bill_date.ok_or_else(|| Refusal::invalid("bill_date", "为必填项"))?;
    let bill = match kind {
        BillKind::Trade => {
            Bill::trade(asked.bill_type.as_deref()).ok_or_else(|| Refusal::invalid("bill_type", "须为 ALL、SUCCESS 或 REFUND"))?
        }
        BillKind::Fund => {
            Bill::fund(asked.account_type.as_deref()).ok_or_else(|| Refusal::invalid("account_type", "须为 BASIC、OPERATION 或 FEES"))?
        }
    };
    let zip = match asked.tar_type.as_deref() {
        None => false,
        Some("GZIP") => true,
        Some(_) => return Err(Refusal::invalid("tar_type", "须为 GZIP").into()),
    };
    let file = bill::write(sandbox, bill, &date).await.map_err(no_bill)?;
    let until = (sandbox.now() + ADDRESS_LIFE).timestamp();
    let carried = format!("{} {date} {zip} {until}", bill.as_str());
    let token = numbers::hex(&seal(sandbox, &carried)?);
    let public_url = &sandbox.config().public_url;
    let download_url =
        format!("{public_url}{BASE}/v3/billdownload/file?kind={}&date={date}&zip={zip}&until={until}&token={token}", bill.as_str());
    Answer::of(&Applied { download_url, hash_type: "SHA1", hash_value: numbers::hex(&Sha1::digest(file.as_bytes())) })
}

fn no_bill(error: BillError) -> Unsuccessful {
    let refused = |code, words: &str| Refusal::new(StatusCode::BAD_REQUEST, code, words).into();
    match error {
        BillError::BadDate => Refusal::invalid("bill_date", "须为三个月内的日期，格式为 yyyy-MM-dd").into(),
        BillError::NotYet => refused("STATEMENT_CREATING", "账单生成中，请稍后再试"),
        BillError::Empty => refused("NO_STATEMENT_EXIST", "账单文件不存在"),
        BillError::Failed(error) => error.into(),
    }
}

fn seal(sandbox: &Sandbox, text: &str) -> Result<Vec<u8>, Refusal> {
    let account = sandbox.wechat();
    let mac = Hmac::<Sha256>::new_from_slice(account.texts().app_secret.as_bytes()).map_err(|_| Refusal::system_error())?;
    Ok(mac.chain_update(text.as_bytes()).finalize().into_bytes().to_vec())
}

#[derive(Debug, Deserialize)]
struct Token {
    token: String,
}

/// The file itself, unsigned.
pub(super) async fn download(sandbox: &Sandbox, uri: &Uri) -> Result<Answer, Unsuccessful> {
    let unknown = || Refusal::new(StatusCode::BAD_REQUEST, "PARAM_ERROR", "下载地址无效或已过期");
    let (Ok(Query(address)), Ok(Query(Token { token }))) = (Query::<Address>::try_from_uri(uri), Query::<Token>::try_from_uri(uri)) else {
        return Err(unknown().into());
    };
    let carried = format!("{} {} {} {}", address.kind, address.date, address.zip, address.until);
    if numbers::hex(&seal(sandbox, &carried)?) != token || sandbox.now().timestamp() > address.until {
        return Err(unknown().into());
    }
    let bill = Bill::parse(&address.kind).ok_or_else(unknown)?;
    let file = bill::write(sandbox, bill, &address.date).await.map_err(no_bill)?;
    Ok(Answer::File(if address.zip { bill::packed(&file).map_err(|_| Refusal::system_error())? } else { file.into_bytes() }))
}
