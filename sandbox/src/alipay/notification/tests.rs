use domain::{Currency, Money};
use rsa::pkcs1v15::VerifyingKey;
use rsa::sha2::Sha256;
use rsa::signature::Keypair;

use super::*;
use crate::alipay::account::tests::account;
use crate::trade::tests::{at, coded};

fn paid() -> Trade {
    let trade = Trade { body: Some("b&c".to_owned()), passback_params: Some("a%3D1".to_owned()), ..coded() };
    trade.paid(at(5), || "2026030522001477031400012345".to_owned(), trade.amount).unwrap()
}

fn read(message: &Message) -> Members {
    let mut members = Members::new();
    form::read_into(&mut members, message.body.as_bytes()).unwrap();
    members
}

fn verifies(key: &VerifyingKey<Sha256>, members: &Members) -> bool {
    signature::verify(key, &signature::canonical_notification(members), &members["sign"])
}

#[test]
fn a_payment_is_told_with_every_member_and_alipays_signature() {
    let account = account();
    let message = compose(&account, &paid(), None, at(6), Signer::Alipay).unwrap();
    let members = read(&message);
    let text = |name: &str| str::from_utf8(&members[name]).unwrap();
    for (name, expected) in [
        ("notify_type", "trade_status_sync"),
        ("notify_time", "2026-03-05 14:08:15"),
        ("gmt_payment", "2026-03-05 14:08:14"),
        ("gmt_create", "2026-03-05 14:08:14"),
        ("trade_status", "TRADE_SUCCESS"),
        ("total_amount", "199.00"),
        ("buyer_pay_amount", "199.00"),
        ("fund_bill_list", r#"[{"amount":"199.00","fundChannel":"ALIPAYACCOUNT"}]"#),
        ("out_trade_no", "723100000000000001"),
        ("trade_no", "2026030522001477031400012345"),
        ("app_id", &account.app_id),
        ("auth_app_id", &account.app_id),
        ("seller_id", &account.seller_id),
        ("body", "b&c"),
        ("passback_params", "a%3D1"),
        ("charset", "utf-8"),
        ("sign_type", "RSA2"),
        ("notify_id", &message.notify_id),
    ] {
        assert_eq!(text(name), expected, "{name}");
    }
    assert!(!members.contains_key("gmt_close"));
    assert!(members.values().all(|value| !value.is_empty()));
    assert!(verifies(&account.platform_key.verifying_key(), &members));
}

#[test]
fn a_forged_notice_differs_only_in_who_signed_it() {
    let account = account();
    let members = read(&compose(&account, &paid(), None, at(6), Signer::Forger).unwrap());
    assert!(!verifies(&account.platform_key.verifying_key(), &members));
    assert_eq!(members["trade_status"], b"TRADE_SUCCESS");
}

#[test]
fn a_wrong_amount_is_what_is_signed() {
    let account = account();
    let trade = Trade { paid_amount: Some(Money::new(19_901, Currency::Cny).unwrap()), ..paid() };
    let members = read(&compose(&account, &trade, None, at(6), Signer::Alipay).unwrap());
    assert_eq!((&members["total_amount"], &members["receipt_amount"]), (&b"199.01".to_vec(), &b"199.01".to_vec()));
    assert!(verifies(&account.platform_key.verifying_key(), &members));
}

#[test]
fn a_merchant_who_speaks_gbk_is_told_in_gbk() {
    let account = account();
    let trade = Trade { charset: "GBK".to_owned(), subject: "书".to_owned(), ..paid() };
    let message = compose(&account, &trade, None, at(6), Signer::Alipay).unwrap();
    assert_eq!(message.content_type, "application/x-www-form-urlencoded; charset=GBK");
    let members = read(&message);
    assert_eq!((&members["subject"], &members["charset"]), (&vec![0xca, 0xe9], &b"GBK".to_vec()));
    assert!(verifies(&account.platform_key.verifying_key(), &members));
}
