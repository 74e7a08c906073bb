use super::*;

fn seen(failure: CommandFailure) -> (u16, &'static str) {
    let problem = Problem::from(failure);
    (problem.code.status().as_u16(), problem.code.word())
}

fn cause() -> event_store::StoreFailure {
    "secret: the password of the log".into()
}

#[test]
fn every_failure_is_seen_as_its_code() {
    let stream_id = || StreamId::parse("order-1").unwrap();
    let invalid = CommandFailure::Invalid { field: "sku_id", code: "required", message: "Name one.".to_owned() };
    let damaged = ReadError::Damaged { position: 3, reason: "a gap" };
    let unknown_type = StoredFormError::UnknownType { event_type: "OrderTeleported".to_owned() };
    let cases = [
        (CommandFailure::NotFound, (404, "not_found")),
        (invalid, (422, "invalid")),
        (CommandFailure::SelectionRequired, (422, "selection_required")),
        (CommandFailure::KeyReused, (422, "idempotency_key_reused")),
        (CommandFailure::BusinessIdConflict, (409, "business_id_conflict")),
        (CommandFailure::ChannelNotConfigured, (422, "channel_not_configured")),
        (CommandFailure::ChannelRefused { code: "ACQ.NO_LUCK".to_owned() }, (502, "channel_refused")),
        (CommandFailure::ChannelUnavailable, (503, "channel_unavailable")),
        (CommandFailure::Stale, (412, "precondition_failed")),
        (CommandFailure::Contended(stream_id()), (503, "busy")),
        (CommandFailure::Append(AppendError::Busy), (503, "busy")),
        (CommandFailure::Append(AppendError::Unavailable(cause())), (503, "store_unavailable")),
        (CommandFailure::Append(AppendError::Unknown(cause())), (503, "store_unavailable")),
        (CommandFailure::Read(ReadError::Unavailable(cause())), (503, "store_unavailable")),
        (CommandFailure::Read(damaged), (500, "internal")),
        (CommandFailure::Stored(unknown_type), (500, "internal")),
        (CommandFailure::Storefront(StorefrontError::Corrupt { table: "product" }), (503, "store_unavailable")),
        (CommandFailure::OrderId(OrderIdError::NoFreeWorker), (503, "store_unavailable")),
        (CommandFailure::Inbox(database::DatabaseError::TransactionFailed), (503, "store_unavailable")),
        (CommandFailure::Broken("the sky fell"), (500, "internal")),
    ];
    for (failure, expected) in cases {
        let name = format!("{failure:?}");
        assert_eq!(seen(failure), expected, "{name}");
    }
}

#[test]
fn every_rejection_of_an_order_is_seen_as_its_code() {
    let cases = [
        (OrderRejection::Unknown, (404, "not_found")),
        (OrderRejection::UnknownPayRecord, (404, "not_found")),
        (OrderRejection::AlreadyPaid, (409, "order_already_paid")),
        (OrderRejection::Ended, (409, "order_closed")),
        (OrderRejection::Expiring, (409, "order_expiring")),
        (OrderRejection::AttemptsExhausted, (409, "attempts_exhausted")),
        (OrderRejection::WrongState, (409, "not_payable")),
        (OrderRejection::PayRecord(PayRecordRejection::WrongState), (409, "not_payable")),
        (OrderRejection::AlreadyCreated, (500, "internal")),
        (OrderRejection::WrongSum, (500, "internal")),
        (OrderRejection::PayRecord(PayRecordRejection::AlreadyIssued), (500, "internal")),
        (OrderRejection::PayRecord(PayRecordRejection::AmountDiffers), (500, "internal")),
    ];
    for (rejection, expected) in cases {
        assert_eq!(seen(ExecuteError::Rejected(rejection).into()), expected, "{rejection:?}");
    }
}

#[test]
fn a_failure_of_ours_tells_nothing_of_its_cause() {
    for failure in [CommandFailure::Append(AppendError::Unavailable(cause())), CommandFailure::Broken("secret")] {
        let problem = Problem::from(failure);
        assert!(problem.detail.is_none() && problem.errors.is_empty() && problem.extra.is_empty());
    }
}

#[test]
fn the_channels_own_word_is_shown_where_it_refused() {
    let problem = Problem::from(CommandFailure::ChannelRefused { code: "ACQ.NO_LUCK".to_owned() });
    assert_eq!(problem.extra["channel_code"], "ACQ.NO_LUCK");
}
