//! The business members of requests, and the documented rules that they keep.

use chrono::NaiveDate;
use domain::Money;
use serde::Serialize;

use super::config::{PAGE_PRODUCT_CODE, QR_PRODUCT_CODES, WAP_PRODUCT_CODE};
use crate::rules::{Unsendable, is_part, rule};
use crate::{FormRequest, PrecreateRequest, RefundRequest, beijing};

/// The longest number of a payment, in characters.
const NUMBER_LIMIT: usize = 64;

/// The longest subject, in characters.
const SUBJECT_LIMIT: usize = 256;

/// The longest address for notifications and for returns, in characters.
const URL_LIMIT: usize = 256;

/// The longest reason of a refund, in characters.
const REASON_LIMIT: usize = 256;

/// The members of a payment, the same for a code and for a page.
#[derive(Serialize)]
struct Payment<'a> {
    out_trade_no: &'a str,
    total_amount: String,
    subject: &'a str,
    product_code: &'a str,
    time_expire: String,
    /// Where a buyer goes who leaves the cashier; only a phone's has such a way.
    #[serde(skip_serializing_if = "Option::is_none")]
    quit_url: Option<&'a str>,
}

#[derive(Serialize)]
struct Bill {
    bill_type: &'static str,
    bill_date: String,
}

#[derive(Serialize)]
struct Numbered<'a> {
    out_trade_no: &'a str,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "they are Alipay's own names")]
struct Refund<'a> {
    out_trade_no: &'a str,
    refund_amount: String,
    out_request_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_reason: Option<String>,
}

#[derive(Serialize)]
struct RefundQuery<'a> {
    out_trade_no: &'a str,
    out_request_no: &'a str,
    query_options: [&'a str; 1],
}

/// The content of a precreate, as JSON.
pub(super) fn precreate(request: &PrecreateRequest) -> Result<String, Unsendable> {
    number(&request.out_trade_no)?;
    amount(request.amount)?;
    rule("subject", is_subject(&request.subject))?;
    rule("product_code", QR_PRODUCT_CODES.contains(&request.product_code.as_str()))?;
    rule("notify_url", is_url(&request.notify_url))?;
    json(&Payment {
        out_trade_no: &request.out_trade_no,
        total_amount: request.amount.major_text(),
        subject: &request.subject,
        product_code: &request.product_code,
        time_expire: beijing::spaced(request.time_expire),
        quit_url: None,
    })
}

/// The content of a payment on a page, a desktop's or a phone's, as JSON.
pub(super) fn form_pay(request: &FormRequest) -> Result<String, Unsendable> {
    number(&request.out_trade_no)?;
    amount(request.amount)?;
    rule("subject", is_subject(&request.subject))?;
    rule("product_code", [PAGE_PRODUCT_CODE, WAP_PRODUCT_CODE].contains(&request.product_code.as_str()))?;
    rule("notify_url", is_url(&request.notify_url))?;
    rule("return_url", is_url(&request.return_url))?;
    json(&Payment {
        out_trade_no: &request.out_trade_no,
        total_amount: request.amount.major_text(),
        subject: &request.subject,
        product_code: &request.product_code,
        time_expire: beijing::spaced(request.time_expire),
        // The page of the return shows how the payment stands and leads on from there, paid or not.
        quit_url: (request.product_code == WAP_PRODUCT_CODE).then_some(request.return_url.as_str()),
    })
}

/// The content of the question where the bill of a day is, as JSON. Days are Beijing's.
pub(super) fn bill(date: NaiveDate) -> Result<String, Unsendable> {
    json(&Bill { bill_type: "trade", bill_date: date.format("%Y-%m-%d").to_string() })
}

/// The content of a refund, as JSON. A reason is made sendable, and left out where nothing readable is left of it: it must
/// not keep money from its buyer.
pub(super) fn refund(request: &RefundRequest) -> Result<String, Unsendable> {
    number(&request.out_trade_no)?;
    rule("out_request_no", is_request_number(&request.refund_no))?;
    rule("refund_amount", is_part(request))?;
    let reason = request.reason.as_deref().map(|reason| sendable(reason, REASON_LIMIT));
    json(&Refund {
        out_trade_no: &request.out_trade_no,
        refund_amount: request.amount.major_text(),
        out_request_no: &request.refund_no,
        refund_reason: reason.filter(|reason| !reason.is_empty()),
    })
}

/// The content of the question what became of a refund, as JSON. The time of a refund is told only if it is asked for.
pub(super) fn refund_query(out_trade_no: &str, refund_no: &str) -> Result<String, Unsendable> {
    number(out_trade_no)?;
    rule("out_request_no", is_request_number(refund_no))?;
    json(&RefundQuery { out_trade_no, out_request_no: refund_no, query_options: ["gmt_refund_pay"] })
}

/// The content of a query and of a close, as JSON.
pub(super) fn numbered(out_trade_no: &str) -> Result<String, Unsendable> {
    number(out_trade_no)?;
    json(&Numbered { out_trade_no })
}

/// The subject that Alipay may be given for a text: without what its signed texts cannot hold safely, cut to its length.
///
/// `&`, `=` and `/` become their full-width forms, control characters blanks. Empty if nothing readable is left.
pub fn subject(text: &str) -> String {
    sendable(text, SUBJECT_LIMIT)
}

fn sendable(text: &str, limit: usize) -> String {
    let safe = text.chars().take(limit).map(|character| match character {
        '&' => '＆',
        '=' => '＝',
        '/' => '／',
        character if character.is_control() => ' ',
        character => character,
    });
    safe.collect::<String>().trim().to_owned()
}

fn is_subject(text: &str) -> bool {
    let is_allowed = |character: char| !matches!(character, '&' | '=' | '/') && !character.is_control();
    !text.trim().is_empty() && text.chars().count() <= SUBJECT_LIMIT && text.chars().all(is_allowed)
}

fn is_url(text: &str) -> bool {
    let has_scheme = text.starts_with("https://") || text.starts_with("http://");
    has_scheme && text.len() <= URL_LIMIT && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn number(out_trade_no: &str) -> Result<(), Unsendable> {
    let is_number =
        (1..=NUMBER_LIMIT).contains(&out_trade_no.len()) && out_trade_no.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    rule("out_trade_no", is_number)
}

fn is_request_number(refund_no: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=NUMBER_LIMIT).contains(&refund_no.len()) && refund_no.bytes().all(is_allowed)
}

fn amount(amount: Money) -> Result<(), Unsendable> {
    rule("total_amount", !amount.is_zero())
}

fn json(content: &impl Serialize) -> Result<String, Unsendable> {
    serde_json::to_string(content).map_err(|_| Unsendable("biz_content"))
}

#[cfg(test)]
mod tests {
    use domain::Currency;

    use super::*;

    fn request(change: impl FnOnce(&mut PrecreateRequest)) -> PrecreateRequest {
        let mut request = PrecreateRequest {
            out_trade_no: "723100000000000101".to_owned(),
            channel: domain::Channel::AlipayQr,
            amount: Money::new(19900, Currency::Cny).unwrap(),
            subject: "Rust 系统编程 \"第 3 期\"".to_owned(),
            product_code: "FACE_TO_FACE_PAYMENT".to_owned(),
            time_expire: "2026-03-05T06:38:09.9Z".parse().unwrap(),
            notify_url: "https://pay.example.com/notify/alipay".to_owned(),
            payer_openid: None,
            payer_client_ip: None,
        };
        change(&mut request);
        request
    }

    #[test]
    fn a_precreate_holds_the_record_s_members_and_nothing_else() {
        let expected = r#"{"out_trade_no":"723100000000000101","total_amount":"199.00","subject":"Rust 系统编程 \"第 3 期\"","product_code":"FACE_TO_FACE_PAYMENT","time_expire":"2026-03-05 14:38:09"}"#;
        assert_eq!(precreate(&request(|_| {})).as_deref(), Ok(expected));
        assert_eq!(numbered("1_a").as_deref(), Ok(r#"{"out_trade_no":"1_a"}"#));
    }

    #[test]
    fn what_breaks_a_rule_is_not_sent() {
        let refused = |change: fn(&mut PrecreateRequest)| precreate(&request(change)).unwrap_err().0;
        assert_eq!(refused(|request| request.out_trade_no = String::new()), "out_trade_no");
        assert_eq!(refused(|request| request.out_trade_no = "1".repeat(65)), "out_trade_no");
        assert_eq!(refused(|request| request.out_trade_no = "1\",\"a\":\"2".to_owned()), "out_trade_no");
        assert_eq!(refused(|request| request.amount = Money::zero(Currency::Cny)), "total_amount");
        assert_eq!(refused(|request| request.subject = " ".to_owned()), "subject");
        assert_eq!(refused(|request| request.subject = "x".repeat(257)), "subject");
        assert_eq!(refused(|request| request.subject = "a\nb".to_owned()), "subject");
        assert_eq!(refused(|request| request.product_code = "QUICK_WAP_WAY".to_owned()), "product_code");
        assert_eq!(refused(|request| request.notify_url = "ftp://pay.example.com".to_owned()), "notify_url");
        assert_eq!(refused(|request| request.notify_url = "https://pay.example.com/a b".to_owned()), "notify_url");
        assert_eq!(refused(|request| request.notify_url = format!("https://{}", "a".repeat(249))), "notify_url");
        for text in ["x&total_amount=1", "a/b", "a=b"] {
            assert_eq!(precreate(&request(|request| request.subject = text.to_owned())), Err(Unsendable("subject")), "{text}");
        }
        assert_eq!(numbered("1-a"), Err(Unsendable("out_trade_no")));
        assert_eq!(Unsendable("subject").code(), "paystream.invalid_subject");
    }

    #[test]
    fn every_readable_text_can_be_made_a_subject() {
        assert_eq!(subject("C/C++ & Rust = 好\n"), "C／C++ ＆ Rust ＝ 好");
        assert_eq!(subject(" \t\n"), "");
        for text in ["a&b=c/d", "x\u{0}y", &*"书&".repeat(300)] {
            let subject = subject(text);
            assert!(is_subject(&subject), "{subject}");
        }
    }
}
