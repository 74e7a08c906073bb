use metrics::{counter, describe_counter};

const MESSAGES: &str = "paystream_relay_messages_total";
const TROUBLES: &str = "paystream_relay_troubles_total";

pub(super) fn describe() {
    describe_counter!(MESSAGES, "events that the relay has published and the broker has acknowledged");
    describe_counter!(TROUBLES, "times that the relay had to stop and look anew, by kind");
    counter!(MESSAGES).increment(0);
    for kind in ["moved", "full", "timeout", "refused", "no_stream", "absent"] {
        counter!(TROUBLES, "kind" => kind).increment(0);
    }
}

pub(super) fn count_messages(messages: usize) {
    counter!(MESSAGES).increment(u64::try_from(messages).unwrap_or(u64::MAX));
}

pub(super) fn count_trouble(kind: &'static str) {
    counter!(TROUBLES, "kind" => kind).increment(1);
}
