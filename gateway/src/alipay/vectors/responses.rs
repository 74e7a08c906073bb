//! Synchronous answers.

use domain::{Currency, Money};

use super::super::answer::{Answer, AnswerError, Signed};
use super::super::charset::Charset;
use super::super::outcome::Outcome;
use super::super::tests::{answering, http_answer};
use super::super::{AlipayGateway, CallError, method};
use super::{Case, Context, cases, config_of, context, settings_of};
use crate::{Closed, Gateway, GatewayError, Operation, PrecreateRequest, Precreated, TradeState};

/// What is not called yet. Its answers are verified and read all the same; what they say of a refund is for later.
const LATER_METHODS: [&str; 2] = ["alipay.trade.refund", "alipay.trade.fastpay.refund.query"];

fn operation(method_name: &str) -> Option<Operation> {
    [Operation::Precreate, Operation::Query, Operation::Close].into_iter().find(|operation| method(*operation) == method_name)
}

#[test]
fn answers_are_verified_as_by_every_other_implementation() {
    let context = context();
    for mut case in cases("response_verify") {
        let body = case.input.body();
        let method = case.input_text("method");
        let config = config_of(&context, &case.input_text("alipay_public_key"));
        let keys = &config.alipay_public_keys;
        let charset = case.input.text("charset").map_or(Charset::Utf8, |name| Charset::parse(name.as_bytes()).unwrap());
        let found = Signed::find(&body, &method);
        let is_genuine = found.as_ref().is_ok_and(|signed| signed.is_genuine(keys));
        let answer = Answer::read(&body, &method, keys);
        assert_eq!(is_genuine, case.expect.is("signature_valid"), "{}", case.name);
        assert_eq!(answer.is_ok(), is_genuine, "{}", case.name);
        if let (Ok(signed), Ok(answer)) = (found, answer) {
            let text = charset.decode(signed.content).unwrap();
            assert_eq!(text, case.expected_text("signed_content"), "{}", case.name);
            for (name, value) in case.expect.texts("fields") {
                assert_eq!(answer.text(&name), Some(value.as_str()), "{}: {name}", case.name);
            }
        }
        case.policy = None;
        case.assert_all_read();
    }
}

#[tokio::test]
async fn answers_have_the_effect_of_the_written_rules() {
    let context = context();
    for mut case in cases("response_verify") {
        let name = case.name.clone();
        let method_name = case.input_text("method");
        let Some(operation) = operation(&method_name) else {
            assert!(LATER_METHODS.contains(&method_name.as_str()), "{name}: a method that nobody tests: {method_name}");
            compare_codes(&mut case, &context, &method_name);
            continue;
        };
        let settings = settings_of(&context, &case.input_text("alipay_public_key"));
        let (gateway, _) = answering(&settings, Ok(http_answer(case.input.body())));
        let number = context.orders.keys().next().unwrap();
        let effect = effect_of(&gateway, operation, number).await;
        let Some(mut policy) = case.policy.take() else {
            if let Some(code) = case.expect.value("fields").and_then(|fields| fields["qr_code"].as_str().map(str::to_owned)) {
                assert_eq!(effect, format!("code {code}"), "{name}");
            }
            continue;
        };
        assert_eq!(policy.text("effect"), Some(effect), "{name}");
        policy.assert_all_read(&name);
    }
}

/// Calls the operation and names what came of it in the words of the vectors.
async fn effect_of(gateway: &AlipayGateway, operation: Operation, number: &str) -> String {
    match operation {
        Operation::Precreate => match gateway.precreate(&request(number)).await {
            Ok(Precreated { code_url }) => format!("code {code_url}"),
            Err(error) => effect_of_error(&error),
        },
        Operation::Query => match gateway.query(number).await {
            Ok(TradeState::Paid(_)) => "paid".to_owned(),
            Ok(TradeState::NotFound) => "unpaid_or_unknown".to_owned(),
            Ok(TradeState::AwaitingBuyer { .. }) => "none".to_owned(),
            Ok(TradeState::ClosedUnpaid) => "closed".to_owned(),
            Ok(TradeState::ClosedRefunded(_)) => "refund_full".to_owned(),
            Ok(TradeState::Unrecognised(state)) => format!("unrecognised {state}"),
            Err(error) => effect_of_error(&error),
        },
        Operation::Close => match gateway.close(number).await {
            Ok(Closed::Done) => "closed".to_owned(),
            Ok(Closed::NotFound) => "unpaid_or_unknown".to_owned(),
            Ok(Closed::StateForbids) => "ask_trade_query".to_owned(),
            Err(error) => effect_of_error(&error),
        },
    }
}

fn effect_of_error(error: &GatewayError) -> String {
    match error {
        GatewayError::Refused { code, .. } => format!("refused {code}"),
        GatewayError::Unknown { source, .. } => match source.downcast_ref::<CallError>() {
            Some(CallError::Answer(AnswerError::Unauthenticated { .. })) => "error_unauthenticated".to_owned(),
            Some(CallError::Answer(AnswerError::Unsigned | AnswerError::Forged) | CallError::OtherPayment) => "reject".to_owned(),
            _ => "unknown_result".to_owned(),
        },
    }
}

fn request(number: &str) -> PrecreateRequest {
    PrecreateRequest {
        out_trade_no: number.to_owned(),
        amount: Money::new(19900, Currency::Cny).unwrap(),
        subject: "course".to_owned(),
        product_code: "QR_CODE_OFFLINE".to_owned(),
        time_expire: "2026-03-05T06:38:09Z".parse().unwrap(),
        notify_url: "https://pay.example.com/notify/alipay".to_owned(),
    }
}

/// Whether the codes of an answer to a refund mean that it was accepted; its own members come with refunds.
fn compare_codes(case: &mut Case, context: &Context, method: &str) {
    let config = config_of(context, &case.input_text("alipay_public_key"));
    let answer = Answer::read(&case.input.body(), method, &config.alipay_public_keys).unwrap();
    let outcome = Outcome::of(Operation::Query, &answer);
    let effect = case.policy.as_mut().and_then(|policy| policy.text("effect"));
    match effect.as_deref() {
        Some("unknown_result_retry_same_number") => assert!(matches!(outcome, Outcome::Unavailable(_)), "{}: {outcome:?}", case.name),
        Some("refunded" | "ask_refund_query" | "refund_not_found") => assert_eq!(outcome, Outcome::Accepted, "{}", case.name),
        other => panic!("{}: an effect that nobody tests: {other:?}", case.name),
    }
}
