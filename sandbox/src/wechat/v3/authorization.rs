//! Who calls: the `Authorization` header, whose signature covers the method, the address, the time and the body.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};

use super::super::account::Account;
use super::super::{BASE, signature};
use super::Call;
use super::answer::Refusal;

const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";
/// How far a caller's clock may be off, in seconds.
const CLOCK_SKEW_S: i64 = 300;
const NONCE_LENGTH: usize = 32;

/// The five members of the header.
#[derive(Debug, PartialEq, Eq)]
struct Authorization<'a> {
    mchid: &'a str,
    nonce: &'a str,
    signature: &'a str,
    timestamp: &'a str,
    serial: &'a str,
}

fn sign_error(message: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "SIGN_ERROR", message)
}

/// Checks that the merchant made the call. The clock is looked at before the signature, as WeChat Pay does.
pub(super) fn check(account: &Account, call: &Call<'_>, now: DateTime<Utc>) -> Result<(), Refusal> {
    let header = call.headers.get("authorization").and_then(|value| value.to_str().ok());
    let header = header.ok_or_else(|| sign_error("Http头Authorization值为空"))?;
    let scheme = header.split(' ').next().unwrap_or_default();
    if scheme != SCHEME {
        return Err(sign_error("Http头Authorization认证类型不正确"));
    }
    let malformed = || sign_error("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》");
    let authorization = header.strip_prefix(SCHEME).and_then(|rest| read(rest.trim_start())).ok_or_else(malformed)?;
    let is_number = (1..=12).contains(&authorization.timestamp.len()) && authorization.timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let timestamp: i64 = authorization.timestamp.parse().ok().filter(|_| is_number).ok_or_else(malformed)?;
    if (now.timestamp() - timestamp).abs() > CLOCK_SKEW_S {
        return Err(sign_error("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"));
    }
    if authorization.mchid != account.credentials().mchid {
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "SIGN_ERROR", "商户号不存在或与证书不匹配"));
    }
    let key = account.merchant_key(authorization.serial);
    let key = key.ok_or_else(|| sign_error("商户证书序列号有误。请使用签名私钥匹配的证书序列号"))?;
    let is_signed = |address: &str| {
        let (method, time, nonce) = (call.method.as_str().as_bytes(), authorization.timestamp.as_bytes(), authorization.nonce.as_bytes());
        signature::verify(key, &signature::lines(&[method, address.as_bytes(), time, nonce, call.body]), authorization.signature)
    };
    // SDKs sign the path that they know (/v3/…), or the whole path of an address that was given to them.
    let address = call.uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    if is_signed(address.strip_prefix(BASE).unwrap_or(address)) || is_signed(address) {
        return Ok(());
    }
    Err(sign_error("错误的签名，验签失败"))
}

/// Reads `name="value"` pairs separated by commas, in any order, each once.
fn read(text: &str) -> Option<Authorization<'_>> {
    let mut found = [None; 5];
    for pair in text.split(',') {
        let (name, value) = pair.trim().split_once('=')?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        let place = ["mchid", "nonce_str", "signature", "timestamp", "serial_no"].iter().position(|known| *known == name)?;
        if value.is_empty() || value.contains('"') || found[place].replace(value).is_some() {
            return None;
        }
    }
    let [Some(mchid), Some(nonce), Some(signature), Some(timestamp), Some(serial)] = found else { return None };
    (nonce.len() <= NONCE_LENGTH).then_some(Authorization { mchid, nonce, signature, timestamp, serial })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_come_in_any_order_and_each_once() {
        let expected = Authorization { mchid: "1", nonce: "n", signature: "s=", timestamp: "9", serial: "A" };
        assert_eq!(read(r#"serial_no="A",mchid="1", timestamp="9",signature="s=",nonce_str="n""#), Some(expected));
        for wrong in [
            "",
            r#"mchid="1""#,
            r#"mchid="1",mchid="1",nonce_str="n",signature="s",timestamp="9",serial_no="A""#,
            r#"mchid=1,nonce_str="n",signature="s",timestamp="9",serial_no="A""#,
            r#"mchid="",nonce_str="n",signature="s",timestamp="9",serial_no="A""#,
            r#"mchid="1",nonce_str="n",signature="s",timestamp="9",serial_no="A",more="m""#,
            r#"mchid="1",nonce_str="123456789012345678901234567890123",signature="s",timestamp="9",serial_no="A""#,
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
