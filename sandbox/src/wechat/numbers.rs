//! The numbers and ids that WeChat Pay gives.

use chrono::{DateTime, Utc};
use rand::Rng;
use uuid::{Builder, Uuid};

use super::beijing;

/// A new number of a payment: 28 digits.
pub(crate) fn transaction_id(now: DateTime<Utc>) -> String {
    format!("4200002{}{}", beijing::day(now), digits(13))
}

/// A new number of a refund: 29 digits.
pub(super) fn refund_id(now: DateTime<Utc>) -> String {
    format!("50300{}{}", beijing::day(now), digits(16))
}

/// A new id of an order that awaits its buyer: 36 characters.
pub(super) fn prepay_id(now: DateTime<Utc>) -> String {
    format!("wx{}{}", beijing::compact(now), lower_hex(20))
}

/// A new id of a notification: 36 characters.
pub(super) fn notification_id() -> String {
    Uuid::hyphenated(Builder::from_random_bytes(rand::random()).into_uuid()).to_string()
}

/// Letters and digits nobody can guess.
pub(super) fn nonce(length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    (0..length).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

pub(super) fn digits(count: usize) -> String {
    let mut random = rand::rng();
    (0..count).map(|_| char::from(random.random_range(b'0'..=b'9'))).collect()
}

pub(super) fn lower_hex(count: usize) -> String {
    let mut random = rand::rng();
    (0..count).map(|_| char::from(b"0123456789abcdef"[random.random_range(0..16)])).collect()
}

/// Bytes as lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| char::from(b"0123456789abcdef"[usize::from(half)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_wechat_pays_length() {
        let now = "2026-03-05T18:08:09Z".parse().unwrap();
        assert_eq!((transaction_id(now).len(), refund_id(now).len(), prepay_id(now).len()), (28, 29, 36));
        assert!(prepay_id(now).starts_with("wx20260306020809") && transaction_id(now).starts_with("420000220260306"));
        assert_eq!((notification_id().len(), nonce(12).len()), (36, 12));
        assert_eq!(hex(&[0, 10, 255]), "000aff");
        assert_ne!(nonce(32), nonce(32));
    }
}
