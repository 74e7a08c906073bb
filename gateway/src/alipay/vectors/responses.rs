//! Synchronous answers.

use domain::{Currency, Money};

use super::super::answer::{Answer, AnswerError, Signed};
use super::super::charset::Charset;
use super::super::tests::{answering, http_answer};
use super::super::{AlipayGateway, CallError, method};
use super::{cases, config_of, context, settings_of};
use crate::{Closed, Gateway, GatewayError, Operation, PrecreateRequest, Precreated, RefundRequest, RefundState, TradeState};

const CALLED: [Operation; 5] = [Operation::Precreate, Operation::Query, Operation::Close, Operation::Refund, Operation::QueryRefund];

/// The number of the refund that the vectors' answers name.
const REFUND_NO: &str = "RF-0001";

fn operation(method_name: &str) -> Operation {
    let found = CALLED.into_iter().find(|operation| method(*operation) == method_name);
    found.unwrap_or_else(|| panic!("a method that nobody tests: {method_name}"))
}

#[test]
fn answers_are_verified_as_by_every_other_implementation() {
    let context = context();
    for mut case in cases("response_verify") {
        let body = case.input.body();
        let method = case.input_text("method");
        let config = config_of(&context, &case.input_text("alipay_public_key"));
        let (keys, now) = (&config.alipay_keys, "2026-03-05T06:08:33Z".parse().unwrap());
        let charset = case.input.text("charset").map_or(Charset::Utf8, |name| Charset::parse(name.as_bytes()).unwrap());
        let found = Signed::find(&body, &method);
        let is_genuine = found.as_ref().is_ok_and(|signed| signed.verified(keys, now) == Some(Ok(())));
        let answer = Answer::read(&body, &method, keys, now);
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
        let operation = operation(&method_name);
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
        assert_eq!(policy.text("effect").as_deref(), Some(word_of(operation, &effect)), "{name}");
        if let Some(total) = policy.text("refund_total") {
            assert_eq!(case.expect.value("fields").and_then(|fields| fields["refund_fee"].as_str().map(str::to_owned)), Some(total));
        }
        policy.assert_all_read(&name);
    }
}

/// Calls the operation and names what came of it in the words of the vectors.
async fn effect_of(gateway: &AlipayGateway, operation: Operation, number: &str) -> String {
    match operation {
        Operation::Precreate => match gateway.precreate(&request(number)).await {
            Ok(Precreated::Code { code_url }) => format!("code {code_url}"),
            Ok(other) => panic!("Alipay prepares codes only, and no {other:?}"),
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
            Ok(Closed::TooEarly) => "too_early".to_owned(),
            Err(error) => effect_of_error(&error),
        },
        Operation::Refund => effect_of_refund(gateway.refund(&refund(number)).await),
        Operation::QueryRefund => effect_of_refund(gateway.query_refund(number, REFUND_NO).await),
        Operation::Form | Operation::ClientParameters | Operation::DownloadStatement => {
            panic!("no answer of {operation} is among the vectors")
        }
    }
}

/// The vectors' word for an effect: with a refund they say beside "unknown" what to do.
fn word_of(operation: Operation, effect: &str) -> &str {
    match (operation, effect) {
        (Operation::Refund, "unknown_result") => "unknown_result_retry_same_number",
        (_, effect) => effect,
    }
}

fn effect_of_refund(state: Result<RefundState, GatewayError>) -> String {
    match state {
        Ok(RefundState::Succeeded { .. }) => "refunded".to_owned(),
        Ok(RefundState::Processing) => "ask_refund_query".to_owned(),
        Ok(RefundState::NotFound) => "refund_not_found".to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(error) => effect_of_error(&error),
    }
}

fn effect_of_error(error: &GatewayError) -> String {
    match error {
        GatewayError::Refused { code, .. } => format!("refused {code}"),
        GatewayError::Unknown { source, .. } => match source.downcast_ref::<CallError>() {
            Some(CallError::Answer(AnswerError::Unauthenticated { .. })) => "error_unauthenticated".to_owned(),
            Some(CallError::Answer(AnswerError::Unsigned | AnswerError::Untrusted(_)) | CallError::OtherPayment) => "reject".to_owned(),
            _ => "unknown_result".to_owned(),
        },
    }
}

fn request(number: &str) -> PrecreateRequest {
    PrecreateRequest {
        out_trade_no: number.to_owned(),
        channel: domain::Channel::AlipayQr,
        amount: Money::new(19900, Currency::Cny).unwrap(),
        subject: "course".to_owned(),
        product_code: "QR_CODE_OFFLINE".to_owned(),
        time_expire: "2026-03-05T06:38:09Z".parse().unwrap(),
        notify_url: "https://pay.example.com/notify/alipay".to_owned(),
        payer_openid: None,
        payer_client_ip: None,
    }
}

fn refund(number: &str) -> RefundRequest {
    let fen = |amount_minor| Money::new(amount_minor, Currency::Cny).unwrap();
    RefundRequest {
        out_trade_no: number.to_owned(),
        refund_no: REFUND_NO.to_owned(),
        amount: fen(3_000),
        total: fen(19_900),
        reason: None,
        notify_url: None,
    }
}
