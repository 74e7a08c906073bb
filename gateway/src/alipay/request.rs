//! A signed request: the common members in the query of the URL, the business members in the body.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::form;
use super::keys::ApplicationKey;
use crate::beijing;
use crate::rsa::SigningFailed;

/// The one algorithm: SHA-256 with RSA. A message never chooses another.
pub(super) const SIGN_TYPE: &str = "RSA2";

/// The member that stands in the body.
pub(super) const BIZ_CONTENT: &str = "biz_content";

/// A request as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// The query of the URL. With `charset` anywhere else the gateway may read the body as GBK.
    pub(super) query: String,
    /// The form in the body.
    pub(super) body: String,
}

/// The text that is signed: every member that is sent, in the byte order of names, the values bare.
pub(super) fn canonical(members: &BTreeMap<&str, String>) -> String {
    let sent = members.iter().filter(|(name, value)| **name != "sign" && !value.trim().is_empty());
    sent.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The members of a call to `method` at `now`; `biz_content` is JSON and is sent as it stands here.
pub(super) fn members(
    app_id: &str,
    method: &str,
    notify_url: Option<&str>,
    biz_content: String,
    now: DateTime<Utc>,
) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("app_id", app_id.to_owned()),
        ("method", method.to_owned()),
        ("charset", "utf-8".to_owned()),
        ("sign_type", SIGN_TYPE.to_owned()),
        ("timestamp", beijing::spaced(now)),
        ("version", "1.0".to_owned()),
        ("notify_url", notify_url.unwrap_or_default().to_owned()),
        (BIZ_CONTENT, biz_content),
    ])
}

/// Signs the members. Those without a value are neither signed nor sent.
pub(super) fn signed(members: &BTreeMap<&str, String>, key: &ApplicationKey) -> Result<Request, SigningFailed> {
    let sign = key.sign(canonical(members).as_bytes())?;
    let sent = members.iter().filter(|(name, value)| **name != "sign" && !value.trim().is_empty());
    let (body, query): (Vec<_>, Vec<_>) = sent.map(|(name, value)| (*name, value.as_str())).partition(|(name, _)| *name == BIZ_CONTENT);
    Ok(Request { query: form::write(query.into_iter().chain([("sign", sign.as_str())])), body: form::write(body) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alipay::form::Form;
    use crate::alipay::tests::key_text;

    fn request(notify_url: Option<&str>) -> Request {
        let now = "2026-03-05T06:08:09Z".parse().unwrap();
        let members = members("2026000000000001", "alipay.trade.query", notify_url, r#"{"a":"1+2&三="}"#.to_owned(), now);
        signed(&members, &ApplicationKey::read(&key_text("alipay_app_private_pkcs8.pem")).unwrap()).unwrap()
    }

    fn value(form: &str, name: &str) -> Option<String> {
        Form::read(form.as_bytes()).unwrap().get(name).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn common_members_stand_in_the_query_and_the_content_in_the_body() {
        let request = request(Some("https://pay.example.com/notify?a=1&b=2"));
        for (name, expected) in [
            ("app_id", "2026000000000001"),
            ("method", "alipay.trade.query"),
            ("charset", "utf-8"),
            ("sign_type", "RSA2"),
            ("timestamp", "2026-03-05 14:08:09"),
            ("version", "1.0"),
            ("notify_url", "https://pay.example.com/notify?a=1&b=2"),
        ] {
            assert_eq!(value(&request.query, name).as_deref(), Some(expected));
            assert_eq!(value(&request.body, name), None);
        }
        assert_eq!(value(&request.query, "sign").unwrap().len(), 344);
        assert_eq!(value(&request.query, "biz_content"), None);
        assert_eq!(value(&request.body, "biz_content").as_deref(), Some(r#"{"a":"1+2&三="}"#));
    }

    #[test]
    fn what_is_sent_is_what_was_signed() {
        let request = request(Some("https://pay.example.com/notify"));
        let whole = format!("{}&{}", request.query, request.body);
        let form = Form::read(whole.as_bytes()).unwrap();
        let text = form.canonical(&["sign"], form::Empty::Kept);
        let key = ApplicationKey::read(&key_text("alipay_app_private_pkcs8.pem")).unwrap();
        assert_eq!(Some(key.sign(&text).unwrap()), value(&whole, "sign"));
    }

    #[test]
    fn a_member_without_a_value_is_neither_signed_nor_sent() {
        let members = BTreeMap::from([("a", String::new()), ("b", " \t".to_owned()), ("c", "1".to_owned()), ("sign", "x".to_owned())]);
        assert_eq!(canonical(&members), "c=1");
        assert!(!request(None).query.contains("notify_url"));
        assert!(!request(Some(" ")).query.contains("notify_url"));
    }
}
