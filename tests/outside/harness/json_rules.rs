//! What holds for every JSON body that Paystream answers, checked wherever the tests read one.

use serde_json::Value;

/// The largest whole number up to which JavaScript tells all neighbours apart.
const LARGEST_SAFE: u64 = (1 << 53) - 1;

/// The places where an id or a position is a number, or where a number would not survive JavaScript.
pub(crate) fn unsafe_numbers(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk("", "", body, &mut found);
    found
}

/// Whether a member of this name holds an id or a position.
pub(crate) fn names_an_id(name: &str) -> bool {
    matches!(name, "id" | "position" | "cursor" | "next_cursor" | "next_after" | "after")
        || ["_id", "_no", "_position"].iter().any(|ending| name.ends_with(ending))
}

fn walk(path: &str, name: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| walk(&format!("{path}/{key}"), key, value, found)),
        // Members of a list are named as the list is.
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| walk(&format!("{path}/{index}"), name, item, found)),
        Value::Number(number) => {
            let unsafe_size = number.is_f64() || number.as_i64().map_or(u64::MAX, i64::unsigned_abs) > LARGEST_SAFE;
            if names_an_id(name) || unsafe_size {
                found.push(format!("{path} = {number}"));
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[test]
fn an_id_that_is_a_number_is_found_wherever_it_lies() {
    let body = serde_json::json!({"order_id": 7, "items": [{"goods": {"sku_id": 1}}], "position": "9", "amount": 19_900});
    assert_eq!(unsafe_numbers(&body), ["/items/0/goods/sku_id = 1", "/order_id = 7"]);
    let large = serde_json::json!({"amount": (1_u64 << 53), "rate": 0.5, "revision": 3});
    assert_eq!(unsafe_numbers(&large), ["/amount = 9007199254740992", "/rate = 0.5"]);
}
