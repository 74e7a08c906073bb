//! `alipay.data.dataservice.bill.downloadurl.query`: where the bill of a day is, and the bill.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::extract::Path;
use chassis::problem::Chain;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rsa::pkcs1v15::Signature;
use rsa::signature::{SignatureEncoding, Signer};
use serde::{Deserialize, Serialize};

use super::answer::{self, Refusal, Unsuccessful};
use super::charset::Charset;
use super::content::{self, Scalar};
use super::{Account, beijing};
use crate::movement::{self, Movement, MovementKind};
use crate::trade::Wallet;
use crate::{Sandbox, SandboxError, archive};

/// How long an address is good for.
const ADDRESS_LIFE: TimeDelta = TimeDelta::seconds(30);

/// When the bill of a day is there, counted from its end.
const READY_AFTER: TimeDelta = TimeDelta::hours(9);

const COLUMNS: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,\
                       支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,\
                       退款批次号/请求号,服务费（元）,分润（元）,备注";
const SUM_COLUMNS: &str = "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,\
                           实收净额（元）";

#[derive(Debug, Deserialize)]
pub(super) struct Content {
    bill_type: Option<Scalar>,
    bill_date: Option<Scalar>,
}

#[derive(Serialize)]
struct Found {
    bill_download_url: String,
}

/// Names the address of a day's bill. Only bills of trades are kept here.
pub(super) async fn query(sandbox: &Sandbox, content: Content) -> Result<String, Unsuccessful> {
    if content::required("bill_type", content.bill_type, 32)? != "trade" {
        return Err(invalid("bill_type 仅支持 trade").into());
    }
    let text = content::required("bill_date", content.bill_date, 32)?;
    let date: NaiveDate = text.parse().ok().filter(|_| text.len() == 10).ok_or_else(|| invalid("bill_date 格式不正确"))?;
    let now = sandbox.now();
    let (_, end) = movement::day(date).ok_or_else(|| invalid("bill_date 格式不正确"))?;
    if now < end + READY_AFTER {
        return Err(Refusal::new("BILL_NOT_EXIST", "账单不存在").into());
    }
    if sandbox.movements(Wallet::Alipay, date).await?.is_empty() {
        return Err(Refusal::new("NO_BILL_DATA", "无账单数据").into());
    }
    let expires = (now + ADDRESS_LIFE).timestamp();
    let (account, text) = (sandbox.alipay(), signed_text(date, expires));
    let signing = tokio::task::spawn_blocking(move || account.platform_key.try_sign(text.as_bytes()));
    let sign = signing.await.map_err(SandboxError::from)?.map_err(SandboxError::from)?;
    let sign = URL_SAFE_NO_PAD.encode(sign.to_bytes());
    let path = format!("/sandbox/alipay/bills/{date}?expires={expires}&sign={sign}");
    Ok(answer::success(&Found { bill_download_url: format!("{}{path}", sandbox.config().public_url) }))
}

fn invalid(why: &str) -> Refusal {
    // Spelled as the channel spells it.
    Refusal::new("INVAILID_ARGUMENTS", format!("参数不合法：{why}"))
}

fn signed_text(date: NaiveDate, expires: i64) -> String {
    format!("bill {date} {expires}")
}

/// `GET /sandbox/alipay/bills/{date}`: the archive, for whoever has an address that is still good.
pub(super) async fn download(State(sandbox): State<Arc<Sandbox>>, Path(date): Path<String>, RawQuery(query): RawQuery) -> Response {
    let granted =
        date.parse().ok().filter(|date| is_granted(&sandbox.alipay(), *date, query.as_deref().unwrap_or_default(), sandbox.now()));
    let Some(date) = granted else { return (StatusCode::FORBIDDEN, "the address is not good any more").into_response() };
    match bill(&sandbox, date).await {
        Ok(archive) => {
            let disposition = format!("attachment; filename=\"{}_{}.zip\"", sandbox.alipay().seller_id, date.format("%Y%m%d"));
            ([(CONTENT_TYPE, "application/zip".to_owned()), (CONTENT_DISPOSITION, disposition)], archive).into_response()
        }
        Err(error) => {
            tracing::error!(error = %Chain(&error), "the sandbox's Alipay could not write a bill");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn is_granted(account: &Account, date: NaiveDate, query: &str, now: DateTime<Utc>) -> bool {
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let Some(expires) = value("expires").and_then(|expires| expires.parse::<i64>().ok()) else { return false };
    let sign = value("sign").and_then(|sign| URL_SAFE_NO_PAD.decode(sign).ok());
    let sign = sign.and_then(|sign| Signature::try_from(sign.as_slice()).ok());
    let is_signed = sign.is_some_and(|sign| account.has_signed(signed_text(date, expires).as_bytes(), &sign));
    is_signed && now.timestamp() <= expires
}

async fn bill(sandbox: &Sandbox, date: NaiveDate) -> Result<Vec<u8>, SandboxError> {
    let movements = sandbox.movements(Wallet::Alipay, date).await?;
    let account = format!("{}0156", sandbox.alipay().seller_id);
    let now = sandbox.now();
    let writing = tokio::task::spawn_blocking(move || {
        let name = |suffix: &str| Charset::Gbk.encode(&format!("{account}_{}_业务明细{suffix}.csv", date.format("%Y%m%d")));
        let lines = Charset::Gbk.encode(&lines(&account, date, &movements, now));
        archive::zip(&[(name(""), lines), (name("(汇总)"), Charset::Gbk.encode(&sums(&movements)))])
    });
    writing.await?.map_err(SandboxError::Archive)
}

fn lines(account: &str, date: NaiveDate, movements: &[Movement], now: DateTime<Utc>) -> String {
    let day = |date: Option<NaiveDate>| date.unwrap_or(NaiveDate::MAX).format("%Y年%m月%d日 00:00:00").to_string();
    let head = format!(
        "#支付宝业务明细查询\r\n#账号：[{account}]\r\n#起始日期：[{}]   终止日期：[{}]\r\n\
         #-----------------------------------------业务明细列表----------------------------------------\r\n{COLUMNS}\r\n",
        day(Some(date)),
        day(date.succ_opt())
    );
    let of = |is_refund: bool| movements.iter().filter(move |movement| matches!(movement.kind, MovementKind::Refund { .. }) == is_refund);
    let sum = |is_refund| yuan(of(is_refund).map(|movement| movement.amount.amount_minor().unsigned_abs()).sum());
    let foot = format!(
        "#-----------------------------------------业务明细列表结束------------------------------------\r\n\
         #交易合计：{}笔，商家实收共{}元，商家优惠共0.00元\r\n#退款合计：{}笔，商家实收退款共-{}元，商家优惠退款共0.00元\r\n\
         #导出时间：[{}]\r\n",
        of(false).count(),
        sum(false),
        of(true).count(),
        sum(true),
        beijing::text(now)
    );
    [head].into_iter().chain(movements.iter().map(line)).chain([foot]).collect()
}

fn line(movement: &Movement) -> String {
    let (kind, sign, request_no) = match &movement.kind {
        MovementKind::Payment => ("交易", "", " ".to_owned()),
        MovementKind::Refund { request_no } => ("退款", "-", format!("{request_no}\t")),
    };
    let (amount, fee) = (movement.amount.major_text(), signed_yuan(-movement.fee_minor));
    let (created, completed) = (beijing::text(movement.created_at), beijing::text(movement.at));
    let (trade_no, out_trade_no) = (&movement.trade_no, &movement.out_trade_no);
    // Cells are not quoted, so what would end one becomes its wide form.
    let [subject, request_no] = [&movement.subject, &request_no].map(|text| text.replace(',', "，").replace('"', "＂"));
    format!(
        "{trade_no}\t,{out_trade_no}\t,{kind},{subject},{created},{completed}, , , , ,san***@example.com,{sign}{amount},{sign}{amount},\
         0.00,0.00,0.00,0.00,0.00, ,0.00,0.00,{request_no},{fee},0.00,\r\n"
    )
}

fn sums(movements: &[Movement]) -> String {
    let is_refund = |movement: &&Movement| matches!(movement.kind, MovementKind::Refund { .. });
    let refunds = movements.iter().filter(is_refund).count();
    let amount: i64 = movements.iter().map(Movement::signed_minor).sum();
    let fee: i64 = movements.iter().map(|movement| movement.fee_minor).sum();
    let (all, net) = (signed_yuan(amount), signed_yuan(amount - fee));
    format!(
        "#支付宝业务汇总查询\r\n{SUM_COLUMNS}\r\n合计,,{},{refunds},{all},{all},0.00,0.00,0.00,{},0.00,{net}\r\n",
        movements.len() - refunds,
        signed_yuan(-fee)
    )
}

fn signed_yuan(fen: i64) -> String {
    format!("{}{}", if fen < 0 { "-" } else { "" }, yuan(fen.unsigned_abs()))
}

fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}
