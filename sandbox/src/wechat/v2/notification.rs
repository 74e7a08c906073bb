//! Notifications of the old protocol. Those of payments are signed; those of refunds are encrypted without any proof of who
//! wrote them.

use aes::Aes256;
use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockEncrypt, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use super::super::account::Account;
use super::super::{beijing, numbers};
use super::query::paid;
use super::refund::status;
use super::signature::{self, SignType};
use super::xml;
use crate::notification::{Message, Signer};
use crate::refund::Refund;
use crate::trade::Trade;

const BLOCK: usize = 16;

/// Writes the notification of a trade; with `refund`, of that refund as it stands at `now`.
pub(in super::super) fn compose(
    account: &Account,
    trade: &Trade,
    refund: Option<&Refund>,
    now: DateTime<Utc>,
    sign_type: SignType,
    signer: Signer,
) -> Message {
    let body = match refund {
        None => payment(account, trade, sign_type, signer),
        Some(refund) => told(account, trade, refund, now),
    };
    Message { notify_id: numbers::notification_id(), content_type: "text/xml".to_owned(), body }
}

fn payment(account: &Account, trade: &Trade, sign_type: SignType, signer: Signer) -> String {
    let credentials = account.credentials();
    let mut members = paid(trade);
    for (name, value) in [
        ("return_code", "SUCCESS"),
        ("result_code", "SUCCESS"),
        ("appid", &credentials.appid),
        ("mch_id", &credentials.mchid),
        ("nonce_str", &numbers::nonce(32)),
    ] {
        members.insert(name.to_owned(), value.to_owned());
    }
    let key = match signer {
        Signer::Channel => &credentials.api_v2_key,
        Signer::Forger => &credentials.app_secret,
    };
    let sign = signature::sign(&members, key, sign_type);
    members.insert("sign".to_owned(), sign);
    xml::written(&members)
}

fn told(account: &Account, trade: &Trade, refund: &Refund, now: DateTime<Utc>) -> String {
    let (total, back) = (trade.total_amount().amount_minor().to_string(), refund.amount.amount_minor().to_string());
    let status = status(refund, now);
    let time = beijing::plain(refund.settles_at);
    let told = xml::write(
        "root",
        &[
            ("out_refund_no", refund.request_no.as_str()),
            ("out_trade_no", &trade.out_trade_no),
            ("refund_account", "REFUND_SOURCE_RECHARGE_FUNDS"),
            ("refund_fee", &back),
            ("refund_id", refund.channel_no.as_deref().unwrap_or_default()),
            ("refund_recv_accout", "支付用户的零钱"),
            ("refund_request_source", if refund.is_by_staff { "VENDOR_PLATFORM" } else { "API" }),
            ("refund_status", status),
            ("settlement_refund_fee", &back),
            ("settlement_total_fee", &total),
            ("success_time", if status == "SUCCESS" { &time } else { "" }),
            ("total_fee", &total),
            ("transaction_id", trade.trade_no.as_deref().unwrap_or_default()),
        ],
    );
    let credentials = account.credentials();
    xml::write(
        "xml",
        &[
            ("return_code", "SUCCESS"),
            ("appid", &credentials.appid),
            ("mch_id", &credentials.mchid),
            ("nonce_str", &numbers::nonce(32)),
            ("req_info", &sealed(&told, &credentials.api_v2_key)),
        ],
    )
}

/// AES-256 block by block, padded as PKCS#7 says, under the hex of the key's digest.
fn sealed(text: &str, api_key: &str) -> String {
    let key = signature::md5_hex(api_key);
    let cipher = Aes256::new(GenericArray::from_slice(key.as_bytes()));
    let mut bytes = text.as_bytes().to_vec();
    let padding = BLOCK - bytes.len() % BLOCK;
    bytes.extend(std::iter::repeat_n(u8::try_from(padding).unwrap_or_default(), padding));
    for block in bytes.chunks_exact_mut(BLOCK) {
        cipher.encrypt_block(GenericArray::from_mut_slice(block));
    }
    STANDARD.encode(bytes)
}

/// Whether an answer says that the notification was taken.
pub(crate) fn is_acknowledgement(body: &[u8]) -> bool {
    xml::read(body, "xml").is_some_and(|members| members.get("return_code").is_some_and(|code| code == "SUCCESS"))
}

#[cfg(test)]
mod tests {
    use aes::cipher::BlockDecrypt;

    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_digest_of_the_key() {
        for text in ["", "fifteen bytes..", "sixteen bytes...", "<root>文</root>"] {
            let mut bytes = STANDARD.decode(sealed(text, "0123456789abcdef0123456789abcdef")).unwrap();
            let key = signature::md5_hex("0123456789abcdef0123456789abcdef");
            let cipher = Aes256::new(GenericArray::from_slice(key.as_bytes()));
            bytes.chunks_exact_mut(16).for_each(|block| cipher.decrypt_block(GenericArray::from_mut_slice(block)));
            let padding = usize::from(*bytes.last().unwrap());
            assert_eq!(&bytes[..bytes.len() - padding], text.as_bytes());
        }
    }

    #[test]
    fn only_the_word_acknowledges() {
        let said = |text: &str| is_acknowledgement(text.as_bytes());
        assert!(said("<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"));
        for text in ["", "SUCCESS", "success", "<xml><return_code>FAIL</return_code></xml>", "<xml><return_msg>SUCCESS</return_msg></xml>"]
        {
            assert!(!said(text), "{text}");
        }
    }
}
