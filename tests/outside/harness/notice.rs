//! Alipay's notifications, as somebody writes them who has read its documentation and not our code.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1v15::SigningKey;
use rsa::signature::{SignatureEncoding, Signer};
use sha2::Sha256;

use super::{Api, Reply};

/// How Alipay sends a notification.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// A notification's members, decoded, in the order in which they are sent.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    members: Vec<(String, String)>,
}

impl Notice {
    /// Reads a form body.
    pub(crate) fn parse(body: &str) -> Self {
        let pairs = body.split('&').map(|pair| pair.split_once('=').unwrap());
        Self { members: pairs.map(|(name, value)| (form_decode(name), form_decode(value))).collect() }
    }

    /// The value of a member.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.members.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The same with a member changed, or added at the end.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut changed = self.clone();
        match changed.members.iter_mut().find(|(key, _)| key == name) {
            Some(member) => value.clone_into(&mut member.1),
            None => changed.members.push((name.to_owned(), value.to_owned())),
        }
        changed
    }

    /// The same without a member.
    pub(crate) fn without(&self, name: &str) -> Self {
        Self { members: self.members.iter().filter(|(key, _)| key != name).cloned().collect() }
    }

    /// The same with one more member, whatever is there already.
    pub(crate) fn and(&self, name: &str, value: &str) -> Self {
        let mut longer = self.clone();
        longer.members.push((name.to_owned(), value.to_owned()));
        longer
    }

    /// The same, signed with `key` (RSA2).
    pub(crate) fn signed_by(&self, key: &SigningKey<Sha256>) -> Self {
        let signature = key.sign(self.signed_text().as_bytes());
        self.with("sign", &STANDARD.encode(signature.to_bytes()))
    }

    /// What a notification's signature covers: all but `sign` and `sign_type`, sorted by name, not encoded.
    fn signed_text(&self) -> String {
        let mut signed: Vec<_> = self.members.iter().filter(|(name, _)| name != "sign" && name != "sign_type").collect();
        signed.sort();
        signed.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    /// The form body.
    pub(crate) fn encode(&self) -> String {
        self.members.iter().map(|(name, value)| format!("{}={}", form_encode(name), form_encode(value))).collect::<Vec<_>>().join("&")
    }
}

impl Api {
    /// The signed notification of a paid trade, as the sandbox would send it.
    pub(crate) async fn notification(&self, pay_no: &str) -> Notice {
        let trade = self.get(&format!("/sandbox/trades/{pay_no}")).send().await.expect(200);
        Notice::parse(&trade.field("notification"))
    }

    /// Sends a notification's body.
    pub(crate) async fn notify(&self, body: impl Into<reqwest::Body>) -> Reply {
        self.post_bytes("/notify/alipay", FORM, body).send().await
    }
}

/// Fails the test unless Alipay would take the answer as "received".
#[track_caller]
pub(crate) fn assert_success(reply: &Reply) {
    assert_eq!((reply.status, reply.text().as_str()), (200, "success"), "{reply}");
}

fn form_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).unwrap()
}

/// Percent-encodes a form's name or value.
pub(crate) fn form_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
        encoded
    })
}

#[test]
fn a_notice_that_is_read_and_written_again_keeps_its_members() {
    let body = "subject=%E8%AF%BE+%26+more&total_amount=199.00&sign=a%2Bb%3D";
    let notice = Notice::parse(body);
    assert_eq!(notice.get("subject"), "课 & more");
    assert_eq!(notice.signed_text(), "subject=课 & more&total_amount=199.00");
    assert_eq!(Notice::parse(&notice.encode()).members, notice.members);
}
