//! The gateway's answers: the text of a node, signed as it stands.

use serde::Serialize;

use crate::SandboxError;
use crate::store::StoreError;

/// A business refusal: understood, authentic, and not done. It is answered with code 40004.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) sub_code: &'static str,
    pub(super) sub_msg: String,
}

impl Refusal {
    pub(super) fn new(sub_code: &'static str, sub_msg: impl Into<String>) -> Self {
        Self { sub_code, sub_msg: sub_msg.into() }
    }

    /// A member of the content that is missing or not allowed; `why` is read by the merchant's developer.
    pub(super) fn invalid(member: &str, why: &str) -> Self {
        Self::new("ACQ.INVALID_PARAMETER", format!("参数无效：{member} {why}"))
    }

    /// The number is known with another content.
    pub(super) fn other_content() -> Self {
        Self::new("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改")
    }

    pub(super) fn trade_not_exist() -> Self {
        Self::new("ACQ.TRADE_NOT_EXIST", "交易不存在")
    }
}

/// Why a call has no successful answer.
#[derive(Debug)]
pub(super) enum Unsuccessful {
    Refused(Refusal),
    /// Ours: the merchant is told that the service is not available, which says nothing about what was done.
    Failed(SandboxError),
}

impl From<Refusal> for Unsuccessful {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<SandboxError> for Unsuccessful {
    fn from(error: SandboxError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Unsuccessful {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

#[derive(Serialize)]
struct Success<'a, T> {
    code: &'static str,
    msg: &'static str,
    #[serde(flatten)]
    members: &'a T,
}

#[derive(Serialize)]
struct Failure<'a> {
    code: &'static str,
    msg: &'static str,
    sub_code: &'a str,
    sub_msg: &'a str,
}

/// The node of a call that was done, with its members in their order.
pub(super) fn success<T: Serialize>(members: &T) -> String {
    node(&Success { code: "10000", msg: "Success", members })
}

/// The node of a business refusal.
pub(super) fn refusal(refusal: &Refusal) -> String {
    failure("40004", "Business Failed", refusal.sub_code, &refusal.sub_msg)
}

/// The node of a call of which nobody knows what became.
pub(super) fn unavailable() -> String {
    failure("20000", "Service Currently Unavailable", "isp.unknow-error", "系统繁忙")
}

/// The node of a call that the gateway itself turned away.
pub(super) fn failure(code: &'static str, msg: &'static str, sub_code: &str, sub_msg: &str) -> String {
    node(&Failure { code, msg, sub_code, sub_msg })
}

/// JSON with escaped slashes, as Alipay writes it. A slash stands in JSON only inside texts, where escaping it changes nothing.
fn node(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("texts under text keys can always be written");
    text.replace('/', "\\/")
}

/// The name that the node of a method's answer has.
pub(super) fn node_name(method: &str) -> String {
    format!("{}_response", method.replace('.', "_"))
}

/// The body around a node; `sign` is over the node's exact text, under the certificate with this serial if there is one.
pub(super) fn body(node_name: &str, node: &str, serial: Option<&str>, sign: Option<&str>) -> String {
    let beside = |name: &str, text: Option<&str>| text.map_or_else(String::new, |text| format!(",\"{name}\":\"{text}\""));
    format!("{{\"{node_name}\":{node}{}{}}}", beside("alipay_cert_sn", serial), beside("sign", sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Members<'a> {
        out_trade_no: &'a str,
        qr_code: &'a str,
    }

    #[test]
    fn an_answer_is_written_with_escaped_slashes_and_in_order() {
        let node = success(&Members { out_trade_no: "1", qr_code: "https://q/\"\\/" });
        assert_eq!(node, r#"{"code":"10000","msg":"Success","out_trade_no":"1","qr_code":"https:\/\/q\/\"\\\/"}"#);
        let value: serde_json::Value = serde_json::from_str(&node).unwrap();
        assert_eq!(value["qr_code"], "https://q/\"\\/");
        assert_eq!(body(&node_name("alipay.trade.query"), "{}", None, Some("A/=")), r#"{"alipay_trade_query_response":{},"sign":"A/="}"#);
        assert_eq!(body("error_response", "{}", None, None), r#"{"error_response":{}}"#);
        assert_eq!(body("n", "{}", Some("0a"), Some("A")), r#"{"n":{},"alipay_cert_sn":"0a","sign":"A"}"#);
    }

    #[test]
    fn a_refusal_names_its_code() {
        assert_eq!(
            refusal(&Refusal::trade_not_exist()),
            r#"{"code":"40004","msg":"Business Failed","sub_code":"ACQ.TRADE_NOT_EXIST","sub_msg":"交易不存在"}"#
        );
    }
}
