//! What the channel sends: notifications of payments and refunds, and callbacks of fixed codes.

use super::super::answer::fen;
use super::super::product::Product;
use super::super::sign::string_to_sign;
use super::super::tests::World;
use super::super::xml;
use super::{Context, cases, context};
use crate::vectors::{Case, Members};
use crate::{
    Gateway, News, Notification, NotificationRefusal, ProductCodes, ProductScan, RawNotification, Receipt, RefundState, ScanAnswer,
};

fn world_of(case: &mut Case, context: &Context) -> World {
    World::new(&case.settings(context))
}

fn read(world: &World, body: Vec<u8>) -> Result<Notification, NotificationRefusal> {
    let raw = RawNotification { headers: Vec::new(), body };
    world.native().read_notification(&raw, "2026-03-05T06:08:33Z".parse().unwrap())
}

#[test]
fn notifications_are_verified_as_by_every_other_implementation() {
    let context = context();
    for mut case in cases("notify_verify") {
        let members = xml::read(&case.xml(), xml::ROOT).unwrap();
        let world = world_of(&mut case, &context);
        let verified = world.merchant.config.signer.verify(&members);
        assert_eq!(verified.is_ok(), case.expect.is("signature_valid"), "{}: {:?}", case.name, verified.err());
        if let Some(fields) = case.expect.texts_if_given("fields") {
            assert_eq!(members, fields, "{}", case.name);
        }
        assert!(case.policy.take().is_some(), "{}", case.name);
        case.assert_all_read();
    }
}

#[test]
fn notifications_have_the_effect_of_the_written_rules() {
    let context = context();
    for mut case in cases("notify_verify") {
        let body = case.xml();
        let world = world_of(&mut case, &context);
        let notification = read(&world, body);
        let judged = notification.as_ref().map_err(|refusal| *refusal).and_then(|notification| judge(notification, &context));
        let mut policy = case.policy.take().unwrap_or_else(|| panic!("{} has a policy", case.name));
        compare_with_policy(&case.name, &mut policy, judged, &world);
        policy.assert_all_read(&case.name);
    }
}

/// Compares with the context's orders, as the command handler does with its pay record.
fn judge<'a>(notification: &'a Notification, context: &Context) -> Result<&'a News, NotificationRefusal> {
    let expected = context.orders.get(&notification.out_trade_no).map(|order| {
        assert_eq!(Product::parse(&order.trade_type), Some(Product::Native));
        assert!(!notification.query_first);
        fen(&order.total_fee).unwrap()
    });
    notification.judge(expected)
}

/// The vectors' word for a refusal, where it is another than ours.
fn word(refusal: NotificationRefusal) -> String {
    match refusal {
        NotificationRefusal::MerchantIdMismatch => "mch_id_mismatch".to_owned(),
        NotificationRefusal::AppIdMismatch => "appid_mismatch".to_owned(),
        other => other.to_string(),
    }
}

fn compare_with_policy(name: &str, policy: &mut Members, judged: Result<&News, NotificationRefusal>, world: &World) {
    let effect = policy.text("effect").unwrap_or_else(|| panic!("{name} has an effect"));
    let receipt = match judged {
        Err(refusal) => {
            assert_eq!((effect.as_str(), policy.text("reason")), ("reject", Some(word(refusal))), "{name}");
            Receipt::Refused
        }
        Ok(news) => {
            let ours = match news {
                News::Paid { is_final: false, paid_at } => {
                    assert_eq!(*paid_at, Some("2026-03-05T06:08:31Z".parse().unwrap()), "{name}");
                    "paid"
                }
                News::AwaitingBuyer => "none",
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(effect, ours, "{name}");
            Receipt::Durable
        }
    };
    let sent = world.native().reply(receipt);
    assert_eq!(sent.status, 200);
    let told = xml::read(sent.body.as_bytes(), xml::ROOT).unwrap();
    match policy.text("reply").as_deref() {
        Some("FAIL") => assert_eq!(told["return_code"], "FAIL", "{name}"),
        Some(reply) => assert_eq!(sent.body, reply, "{name}"),
        None => assert_eq!(told["return_code"] == "SUCCESS", receipt == Receipt::Durable, "{name}"),
    }
}

#[test]
fn notifications_of_refunds_are_opened_and_always_asked_about() {
    let context = context();
    for mut case in cases("refund_notify") {
        let body = case.xml();
        let world = world_of(&mut case, &context);
        let notification = read(&world, body);
        assert_eq!(notification.is_ok(), case.expect.is("decrypted"), "{}: {notification:?}", case.name);
        let mut policy = case.policy.take().unwrap_or_else(|| panic!("{} has a policy", case.name));
        let effect = policy.text("effect").unwrap();
        match notification {
            Err(refusal) => {
                assert_eq!((effect.as_str(), refusal), ("reject", NotificationRefusal::NotEncryptedForUs), "{}", case.name);
                assert!(!refusal.is_authentic(), "{}", case.name);
            }
            Ok(notification) => compare_refund(&mut case, &effect, policy.text("refund_fee"), &notification),
        }
        policy.assert_all_read(&case.name);
        case.assert_all_read();
    }
}

fn compare_refund(case: &mut Case, effect: &str, refund_fee: Option<String>, notification: &Notification) {
    let fields = case.expect.texts("fields");
    let News::Refund { refund_no, amount, state } = &notification.news else { panic!("{}: {notification:?}", case.name) };
    let ours = match state {
        RefundState::Succeeded { refunded_at } => {
            assert_eq!(*refunded_at, Some("2026-03-06T08:24:13Z".parse().unwrap()), "{}", case.name);
            "refunded"
        }
        RefundState::NeedsOperator { .. } => "refund_abnormal",
        RefundState::Failed { .. } => "refund_closed",
        other => panic!("{}: {other:?}", case.name),
    };
    assert_eq!(effect, ours, "{}", case.name);
    assert!(notification.query_first, "{}: nothing but the padding says who wrote it", case.name);
    assert_eq!(
        (refund_no, &notification.out_trade_no, &notification.trade_no),
        (&fields["out_refund_no"], &fields["out_trade_no"], &fields["transaction_id"]),
    );
    assert_eq!((Some(*amount), Some(notification.amount)), (fen(&fields["refund_fee"]), fen(&fields["total_fee"])));
    assert!(refund_fee.is_none_or(|refund_fee| fen(&refund_fee) == Some(*amount)), "{}", case.name);
}

#[test]
fn callbacks_of_fixed_codes_are_verified_and_answered() {
    let context = context();
    for mut case in cases("native_callback") {
        let body = case.xml();
        let settings = case.settings(&context);
        let world = World::new(&settings);
        let callback = world.native().read_scan(&body);
        assert_eq!(callback.is_ok(), case.expect.is("signature_valid"), "{}: {callback:?}", case.name);
        let Ok(callback) = callback else {
            assert_eq!(callback, Err(NotificationRefusal::BadSignature), "{}", case.name);
            case.assert_all_read();
            continue;
        };
        let fields = case.expect.texts("fields");
        let expected =
            ProductScan { openid: fields["openid"].clone(), product_id: fields["product_id"].clone(), nonce: fields["nonce_str"].clone() };
        assert_eq!(callback, expected, "{}", case.name);
        let params = case.input.texts("reply_params");
        let answer = match params.get("prepay_id") {
            Some(prepay_id) => ScanAnswer::Prepared { prepay_id: prepay_id.clone() },
            None => ScanAnswer::Declined { shown: params["err_code_des"].clone() },
        };
        let mut reply = xml::read(world.native().scan_reply(&answer, &params["nonce_str"]).as_bytes(), xml::ROOT).unwrap();
        assert_eq!(reply.remove("sign"), case.expect.text("reply_sign"), "{}", case.name);
        let text = string_to_sign(reply.iter().map(|(name, value)| (name.as_str(), value.as_str())), settings.api_keys[0].expose());
        assert_eq!(text, case.expected_text("reply_string_to_sign"), "{}", case.name);
        assert_eq!(reply, params, "{}", case.name);
        case.assert_all_read();
    }
}
