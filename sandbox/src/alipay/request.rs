//! A call as it reached the gateway: who calls, what is asked, and whether the signature is the application's.

use super::account::Account;
use super::charset::Charset;
use super::form::{self, Members};
use super::{beijing, signature};
use crate::fault::Operation;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Precreate,
    Query,
    Close,
    Refund,
    QueryRefund,
    DownloadBill,
    DownloadCertificate,
    /// Brought by a buyer's browser, not by the merchant's server.
    PagePay,
    /// The same, of a phone.
    WapPay,
}

impl Method {
    const ALL: [Self; 9] = [
        Self::Precreate,
        Self::Query,
        Self::Close,
        Self::Refund,
        Self::QueryRefund,
        Self::DownloadBill,
        Self::DownloadCertificate,
        Self::PagePay,
        Self::WapPay,
    ];

    /// The value of the member `method`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Precreate => "alipay.trade.precreate",
            Self::Query => "alipay.trade.query",
            Self::Close => "alipay.trade.close",
            Self::Refund => "alipay.trade.refund",
            Self::QueryRefund => "alipay.trade.fastpay.refund.query",
            Self::DownloadBill => "alipay.data.dataservice.bill.downloadurl.query",
            Self::DownloadCertificate => "alipay.open.app.alipaycert.download",
            Self::PagePay => "alipay.trade.page.pay",
            Self::WapPay => "alipay.trade.wap.pay",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }

    /// The word of the control routes for it; none for what no fault can hit.
    pub(super) fn operation(self) -> Option<Operation> {
        match self {
            Self::Precreate => Some(Operation::Precreate),
            Self::Query => Some(Operation::Query),
            Self::Close => Some(Operation::Close),
            Self::Refund => Some(Operation::Refund),
            Self::QueryRefund => Some(Operation::QueryRefund),
            Self::DownloadBill => Some(Operation::DownloadStatement),
            Self::DownloadCertificate | Self::PagePay | Self::WapPay => None,
        }
    }

    /// Whether a buyer's browser brings it, which has a page for an answer.
    pub(super) fn is_browsers(self) -> bool {
        matches!(self, Self::PagePay | Self::WapPay)
    }
}

/// An authentic call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) charset: Charset,
    /// Whether it names certificates, and is answered under one.
    pub(super) is_certified: bool,
    pub(super) notify_url: Option<String>,
    pub(super) return_url: Option<String>,
    /// The business members, one JSON object as text.
    pub(super) biz_content: String,
}

/// Why the gateway itself turned a call away. Nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turned {
    pub(super) code: &'static str,
    pub(super) msg: &'static str,
    pub(super) sub_code: &'static str,
    pub(super) sub_msg: &'static str,
}

impl Turned {
    fn missing(sub_code: &'static str, sub_msg: &'static str) -> Self {
        Self { code: "40001", msg: "Missing Required Arguments", sub_code, sub_msg }
    }

    pub(super) fn invalid(sub_code: &'static str, sub_msg: &'static str) -> Self {
        Self { code: "40002", msg: "Invalid Arguments", sub_code, sub_msg }
    }
}

/// Reads a call from its query string and its form body, where members may stand in either.
///
/// Errors: the method, where it is one of ours, and why the call was turned away. The order of the checks is Alipay's
/// as far as it is known: the application first, then the signature, then everything else.
pub(super) fn read(account: &Account, query: &[u8], body: &[u8]) -> Result<Call, (Option<Method>, Turned)> {
    let mut members = Members::new();
    let unreadable = |_| (None, Turned::invalid("isv.invalid-parameter", "请求参数无法读取，或同名参数的值不一致"));
    form::read_into(&mut members, query).map_err(unreadable)?;
    form::read_into(&mut members, body).map_err(unreadable)?;
    let method = ascii(&members, "method").and_then(Method::parse);
    verified(account, &members, method).map_err(|turned| (method, turned))
}

fn verified(account: &Account, members: &Members, method: Option<Method>) -> Result<Call, Turned> {
    ascii(members, "method").ok_or(Turned::missing("isv.missing-method", "缺少方法名参数"))?;
    let app_id = ascii(members, "app_id").ok_or(Turned::missing("isv.missing-app-id", "缺少 AppID 参数"))?;
    if app_id != account.app_id {
        return Err(Turned::invalid("isv.invalid-app-id", "无效的 AppID 参数"));
    }
    let is_certified = certified(account, members)?;
    let charset = authentic(account, members)?;
    common(members)?;
    let method = method.ok_or(Turned::invalid("isv.invalid-method", "不存在的方法名"))?;
    let text = |name: &str| match members.get(name) {
        None => Ok(None),
        Some(bytes) => charset.decode(bytes).map(Some).ok_or(Turned::invalid("isv.invalid-charset", "参数与字符集不符")),
    };
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let biz_content = filled(text("biz_content")?).ok_or(Turned::missing("isv.missing-biz-content", "缺少业务参数"))?;
    let (notify_url, return_url) = (filled(text("notify_url")?), filled(text("return_url")?));
    Ok(Call { method, charset, is_certified, notify_url, return_url, biz_content })
}

/// Whether the call is in certificate mode: then it names our certificate and the roots, both or neither.
fn certified(account: &Account, members: &Members) -> Result<bool, Turned> {
    let files = &account.credentials().certificates;
    match (ascii(members, "app_cert_sn"), ascii(members, "alipay_root_cert_sn")) {
        (None, None) => Ok(false),
        (None, _) => Err(Turned::missing("isv.missing-app-cert-sn", "缺少应用公钥证书序列号")),
        (_, None) => Err(Turned::missing("isv.missing-root-cert-sn", "缺少支付宝根证书序列号")),
        (Some(own), _) if account.application_keys(Some(own)).next().is_none() => {
            Err(Turned::invalid("isv.invalid-app-cert-sn", "应用公钥证书序列号不匹配"))
        }
        (_, Some(root)) if root != files.alipay_root_cert_sn => {
            Err(Turned::invalid("isv.invalid-root-cert-sn", "支付宝根证书序列号不匹配"))
        }
        _ => Ok(true),
    }
}

/// Checks the signature on the bytes as they came and answers the character set that they are in.
fn authentic(account: &Account, members: &Members) -> Result<Charset, Turned> {
    let sign_type = ascii(members, "sign_type").ok_or(Turned::missing("isv.missing-signature-type", "缺少签名类型参数"))?;
    if sign_type != "RSA2" {
        return Err(Turned::invalid("isv.invalid-signature-type", "无效的签名类型"));
    }
    let sign = ascii(members, "sign").ok_or(Turned::missing("isv.missing-signature", "缺少签名参数"))?;
    let charset = ascii(members, "charset").ok_or(Turned::missing("isv.missing-charset", "缺少字符集参数"))?;
    let charset = Charset::parse(charset).ok_or(Turned::invalid("isv.invalid-charset", "字符集错误"))?;
    let signed = signature::canonical_request(members);
    let mut keys = account.application_keys(ascii(members, "app_cert_sn"));
    if !keys.any(|key| signature::verify(key, &signed, sign.as_bytes())) {
        return Err(Turned::invalid("isv.invalid-signature", "验签出错，请检查签名字符串、私钥与字符集"));
    }
    Ok(charset)
}

/// Checks the members that every call has. How old a timestamp may be is not documented, so only its form is checked.
fn common(members: &Members) -> Result<(), Turned> {
    let timestamp = ascii(members, "timestamp").ok_or(Turned::missing("isv.missing-timestamp", "缺少时间戳参数"))?;
    beijing::parse(timestamp).ok_or(Turned::invalid("isv.invalid-timestamp", "非法的时间戳参数"))?;
    let version = ascii(members, "version").ok_or(Turned::missing("isv.missing-version", "缺少版本参数"))?;
    if version != "1.0" {
        return Err(Turned::invalid("isv.invalid-version", "无效的版本参数"));
    }
    if ascii(members, "format").is_some_and(|format| !format.eq_ignore_ascii_case("json")) {
        return Err(Turned::invalid("isv.invalid-format", "无效的数据格式"));
    }
    if ascii(members, "encrypt_type").is_some() {
        return Err(Turned::invalid("isv.invalid-encrypt-type", "未开通内容加密"));
    }
    Ok(())
}

/// A member whose value is plain and not empty; any other value counts as missing.
fn ascii<'a>(members: &'a Members, name: &str) -> Option<&'a str> {
    let text = str::from_utf8(members.get(name)?).ok()?;
    Some(text).filter(|text| !text.trim().is_empty() && text.is_ascii())
}

#[cfg(test)]
mod tests;
