use proptest::prelude::*;

use super::*;

fn read(raw: &str) -> Result<Vec<(String, String)>, FormError> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Form::read(raw.as_bytes()).map(|form| form.iter().map(|(name, value)| (text(name), text(value))).collect())
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn members_are_decoded_once_and_sorted_by_bytes() {
    let members = read("b=%2B+%252B&B=1&_=%e4%B9%a6&a=x=y&c&d=&&").unwrap();
    let expected = [pair("B", "1"), pair("_", "书"), pair("a", "x=y"), pair("b", "+ %2B"), pair("c", ""), pair("d", "")];
    assert_eq!(members, expected);
    assert_eq!(read("").unwrap(), []);
}

#[test]
fn broken_escapes_are_refused() {
    for raw in ["a=%", "a=%4", "a=%zz", "%g0=1", "a=%+1", "a=1%2", "a=%4&b=1", "a=%é0"] {
        assert_eq!(read(raw), Err(FormError::Malformed), "{raw}");
    }
}

#[test]
fn a_name_twice_is_refused_also_when_it_says_the_same() {
    for raw in ["a=1&a=2", "a=1&a=1", "a=1&b=2&%61=1", "a&a"] {
        assert_eq!(read(raw), Err(FormError::Duplicate), "{raw}");
    }
    assert!(read("a=1&A=1").is_ok());
}

#[test]
fn names_that_could_hide_members_are_refused() {
    for raw in ["=1", "%26=1", "zz%3D%26total_amount=0.01", "a%3D=1"] {
        assert_eq!(read(raw), Err(FormError::Malformed), "{raw}");
    }
}

#[test]
fn a_form_has_a_bounded_number_of_members() {
    let form = |count: usize| (0..count).map(|number| format!("m{number}=1")).collect::<Vec<_>>().join("&");
    assert_eq!(read(&form(MEMBER_LIMIT)).unwrap().len(), MEMBER_LIMIT);
    assert_eq!(read(&form(MEMBER_LIMIT + 1)), Err(FormError::Malformed));
}

#[test]
fn an_empty_member_counts_as_absent_and_can_be_left_out_of_the_signed_text() {
    let form = Form::read(b"b=2&a=&sign=s&c=3").unwrap();
    assert_eq!((form.get("a"), form.get("b"), form.get("x")), (None, Some(&b"2"[..]), None));
    assert!(form.has_empty());
    assert_eq!(form.canonical(&["sign"], Empty::Kept), b"a=&b=2&c=3");
    assert_eq!(form.canonical(&["sign"], Empty::Dropped), b"b=2&c=3");
    assert!(!Form::read(b"b=2").unwrap().has_empty());
}

#[test]
fn a_value_that_looks_like_members_is_ambiguous() {
    for value in ["a=1%26b=2", "x%26total_amount=199.00", "%26=", "%26x%26y=1", "x%26=y"] {
        assert!(Form::read(format!("subject={value}").as_bytes()).unwrap().is_ambiguous(), "{value}");
    }
    for value in ["", "a=1", "=", "a%26b", "a=1%26b", "%26", "%5B%7B%22a%22%3A%22b%22%7D%5D"] {
        assert!(!Form::read(format!("subject={value}").as_bytes()).unwrap().is_ambiguous(), "{value}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    let value = "a b+c&d=e%/书*~\"🎓";
    let form = write([("name", value), ("empty", "")]);
    assert_eq!(read(&form).unwrap(), [pair("empty", ""), pair("name", value)]);
    assert!(form.contains("%2B"), "a plus sign must not arrive as a blank: {form}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(raw in proptest::collection::vec(any::<u8>(), 0..512)) {
        if let Ok(form) = Form::read(&raw) {
            let _ = (form.is_ambiguous(), form.has_empty(), form.get("sign"), form.canonical(&["sign"], Empty::Kept));
        }
    }

    #[test]
    fn of_all_splits_of_a_signed_text_at_most_one_is_not_ambiguous(
        members in proptest::collection::btree_map("[ab]{1,2}", "[ab&=]{0,3}", 1..4),
    ) {
        let raw = write(members.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let form = Form::read(raw.as_bytes()).unwrap();
        let text = String::from_utf8(form.canonical(&[], Empty::Kept)).unwrap();
        let readings = splits(&text);
        let clear: Vec<_> = readings.iter().filter(|reading| !is_ambiguous(reading)).collect();
        let own: Vec<(String, String)> = members.into_iter().collect();
        prop_assert!(readings.contains(&own));
        prop_assert_eq!(form.is_ambiguous(), !clear.contains(&&own), "{}", text);
        prop_assert!(clear.len() <= 1, "{}", text);
    }
}

fn is_ambiguous(reading: &[(String, String)]) -> bool {
    let raw = write(reading.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    Form::read(raw.as_bytes()).unwrap().is_ambiguous()
}

/// Every way to split a signed text into members with sorted, distinct names that hold no `&` and no `=`.
fn splits(text: &str) -> Vec<Vec<(String, String)>> {
    let cuts: Vec<usize> = text.match_indices('&').map(|(place, _)| place).collect();
    let mut readings = Vec::new();
    for chosen in 0_u32..1 << cuts.len() {
        let (mut parts, mut start) = (Vec::new(), 0);
        for (number, cut) in cuts.iter().enumerate() {
            if chosen & (1 << number) != 0 {
                parts.push(&text[start..*cut]);
                start = cut + 1;
            }
        }
        parts.push(&text[start..]);
        let members: Option<Vec<(String, String)>> =
            parts.iter().map(|part| part.split_once('=').map(|(name, value)| pair(name, value))).collect();
        let is_reading = |members: &Vec<(String, String)>| {
            members.iter().all(|(name, _)| !name.is_empty() && !name.contains('&')) && members.windows(2).all(|pair| pair[0].0 < pair[1].0)
        };
        readings.extend(members.filter(is_reading));
    }
    readings
}
