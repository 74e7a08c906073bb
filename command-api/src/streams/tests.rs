use super::*;

#[test]
fn a_hash_tells_where_one_part_ends() {
    assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
    assert_ne!(hash(&["", "a"]), hash(&["a"]));
    assert_eq!(hash(&["a", "b"]), hash(&["a", "b"]));
    assert_eq!(hash(&[]).len(), 64);
}

#[test]
fn streams_are_named_after_what_they_hold() {
    let order_id = OrderId::parse("7231982345678901234").unwrap();
    assert_eq!(order(order_id).as_str(), "order-7231982345678901234");
    assert_eq!(course_selection(SelectionId::parse("7").unwrap()).as_str(), "course_selection-7");
    assert_eq!(idempotency("f00").as_str(), "idempotency-f00");
    assert_eq!(unknown_capture("alipay", "2026").as_str(), "unknown_capture-alipay-2026");
}

#[test]
fn a_channels_number_that_names_no_stream_is_hashed() {
    for trade_no in ["a b", "交易", &"x".repeat(StreamId::MAX_LEN)] {
        let expected = format!("unknown_capture-alipay-{}", hash(&[trade_no]));
        assert_eq!(unknown_capture("alipay", trade_no).as_str(), expected);
    }
}
