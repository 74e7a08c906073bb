//! `alipay.trade.precreate`: a code that a buyer may scan.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::answer::{self, Refusal, Unsuccessful};
use super::asked::{Content, SCANNED, asked, is_same, notify_url};
use super::request::Call;
use crate::Sandbox;
use crate::trade::{Standing, Trade, Wallet};

#[derive(Serialize)]
struct Precreated<'a> {
    out_trade_no: &'a str,
    qr_code: &'a str,
}

/// Makes the code, once per number.
pub(super) async fn precreate(sandbox: &Sandbox, call: &Call, content: Content) -> Result<String, Unsuccessful> {
    let now = sandbox.now();
    let notify_url = notify_url(sandbox, call)?;
    let trade = Trade { charset: call.charset.as_str().to_owned(), notify_url, ..asked(content, &SCANNED, now)? };
    if !sandbox.store().insert_trade(&trade).await? {
        let known = sandbox.store().trade(Wallet::Alipay, &trade.out_trade_no).await?;
        return Err(known.map_or_else(Refusal::trade_not_exist, |known| repeated(&known, &trade, now)).into());
    }
    tracing::info!(sandbox.out_trade_no = trade.out_trade_no, "the sandbox's Alipay made a code");
    let qr_code = sandbox.cashier_url(&trade.out_trade_no);
    Ok(answer::success(&Precreated { out_trade_no: &trade.out_trade_no, qr_code: &qr_code }))
}

/// Why a number that is known gets no second code.
fn repeated(known: &Trade, asked: &Trade, now: DateTime<Utc>) -> Refusal {
    match known.standing(now) {
        Standing::Paid => Refusal::new("ACQ.TRADE_HAS_SUCCESS", "交易已被支付"),
        Standing::Closed | Standing::Refunded => Refusal::new("ACQ.TRADE_HAS_CLOSE", "交易已经关闭"),
        _ if !is_same(known, asked) => Refusal::other_content(),
        _ => Refusal::new("ACQ.APPLY_PC_MERCHANT_CODE_ERROR", "申请二维码失败，该商户订单号已有二维码"),
    }
}

#[cfg(test)]
mod tests {
    use domain::Money;

    use super::*;
    use crate::trade::tests::{at, coded, number};

    #[test]
    fn a_second_code_for_a_number_is_refused_with_the_reason() {
        let known = coded();
        let other = Trade { subject: "another".to_owned(), ..coded() };
        let dearer = Trade { amount: Money::new(1, known.amount.currency()).unwrap(), ..coded() };
        let page = Trade { product_code: "FAST_INSTANT_TRADE_PAY".to_owned(), ..coded() };
        let paid = known.paid(at(5), number, known.amount).unwrap();
        let refunded = paid.refunded(at(6), known.amount).unwrap();
        let closed = known.scanned(at(5), number).unwrap().closed(at(6)).unwrap();
        for (known, asked, expected) in [
            (&known, &known, "ACQ.APPLY_PC_MERCHANT_CODE_ERROR"),
            (&known, &other, "ACQ.CONTEXT_INCONSISTENT"),
            (&known, &dearer, "ACQ.CONTEXT_INCONSISTENT"),
            (&page, &known, "ACQ.CONTEXT_INCONSISTENT"),
            (&paid, &known, "ACQ.TRADE_HAS_SUCCESS"),
            (&refunded, &known, "ACQ.TRADE_HAS_CLOSE"),
            (&closed, &known, "ACQ.TRADE_HAS_CLOSE"),
        ] {
            assert_eq!(repeated(known, asked, at(10)).sub_code, expected);
        }
    }
}
