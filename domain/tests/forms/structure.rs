//! Whether a value is what a JSON Schema describes: those keywords that the published schemas use, and no others.

use serde_json::{Map, Value};

/// What speaks of the schema and not of the value, and the patterns of ids, which their own readers hold.
const SILENT: [&str; 7] = ["$schema", "$defs", "title", "description", "default", "format", "pattern"];

/// How much of what is optional a value is expected to have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every member that is described.
    Whole,
    /// Only what is required.
    Least,
    /// Anything that is described.
    Any,
}

/// Everything about `value` that is not as `schema` says, each with its place. Members that are not described are told too.
pub(crate) fn problems(schema: &Value, value: &Value, extent: Extent) -> Vec<String> {
    Check { root: schema, extent }.value(schema, value, "$")
}

/// Every described member of `schema`, at any depth, with its schema.
pub(crate) fn members(schema: &Value) -> Vec<(String, Value)> {
    match schema {
        Value::Object(object) => {
            let own = object.get("properties").and_then(Value::as_object).into_iter().flatten();
            let own = own.map(|(name, member)| (name.clone(), member.clone()));
            own.chain(object.values().flat_map(members)).collect()
        }
        Value::Array(all) => all.iter().flat_map(members).collect(),
        _ => vec![],
    }
}

struct Check<'s> {
    root: &'s Value,
    extent: Extent,
}

impl Check<'_> {
    fn value(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let schema = schema.as_object().unwrap_or_else(|| panic!("{at}: a schema is an object"));
        schema.iter().flat_map(|(keyword, rule)| self.keyword(schema, keyword, rule, value, at)).collect()
    }

    fn keyword(&self, schema: &Map<String, Value>, keyword: &str, rule: &Value, value: &Value, at: &str) -> Vec<String> {
        let problem = |what: &str| vec![format!("{at}: {value} {what} {rule}")];
        let holds = |held: bool, what: &str| if held { vec![] } else { problem(what) };
        match keyword {
            "format" if rule == "date-time" => {
                holds(value.as_str().is_none_or(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok()), "is no")
            }
            _ if SILENT.contains(&keyword) => vec![],
            "$ref" => {
                let pointer = rule.as_str().and_then(|text| text.strip_prefix('#')).unwrap();
                self.value(self.root.pointer(pointer).unwrap_or_else(|| panic!("{at}: {rule} leads nowhere")), value, at)
            }
            "type" => {
                let named: Vec<&str> =
                    rule.as_array().map_or_else(|| vec![rule], |all| all.iter().collect()).into_iter().filter_map(Value::as_str).collect();
                holds(named.iter().any(|name| is_a(name, value)), "is not of the type")
            }
            "const" => holds(value == rule, "is not"),
            "enum" => holds(rule.as_array().unwrap().contains(value), "is none of"),
            "minimum" => holds(value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()), "is below"),
            "maximum" => holds(value.as_i64().is_none_or(|number| number <= rule.as_i64().unwrap()), "is above"),
            "items" => value.as_array().into_iter().flatten().flat_map(|item| self.value(rule, item, &format!("{at}[]"))).collect(),
            "oneOf" | "anyOf" => {
                let branches = rule.as_array().unwrap().iter();
                holds(branches.filter(|branch| self.value(branch, value, at).is_empty()).count() >= 1, "is as none of")
            }
            "properties" | "required" | "additionalProperties" => {
                if keyword == "properties" {
                    self.object(schema, value, at)
                } else {
                    vec![]
                }
            }
            other => panic!("{at}: the keyword {other} is not known here: teach it to this check"),
        }
    }

    fn object(&self, schema: &Map<String, Value>, value: &Value, at: &str) -> Vec<String> {
        let Some(object) = value.as_object() else { return vec![] };
        let described = schema["properties"].as_object().unwrap();
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let mut problems = Vec::new();
        for (name, member) in described {
            let at = format!("{at}.{name}");
            match object.get(name) {
                Some(_) if self.extent == Extent::Least && !required.contains(&name.as_str()) => {
                    problems.push(format!("{at} is optional, and the least form has it"));
                }
                Some(value) => problems.extend(self.value(member, value, &at)),
                None if required.contains(&name.as_str()) => problems.push(format!("{at} is required and absent")),
                None if self.extent == Extent::Whole => problems.push(format!("{at} is described, and the whole form lacks it")),
                None => {}
            }
        }
        problems.extend(object.keys().filter(|name| !described.contains_key(*name)).map(|name| format!("{at}.{name} is not described")));
        problems
    }
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not known here"),
    }
}

#[test]
fn a_value_that_is_not_as_described_is_told() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "amount": {"type": "integer", "minimum": 0},
            "at": {"type": "string", "format": "date-time"},
            "cause": {"$ref": "#/$defs/Cause"},
            "note": {"type": ["string", "null"]},
        },
        "required": ["amount", "at", "cause"],
        "$defs": {"Cause": {"oneOf": [{"const": "late", "type": "string"}, {"const": "paid_twice", "type": "string"}]}},
    });
    let told = |value: Value, extent| problems(&schema, &value, extent).len();
    let whole = serde_json::json!({"amount": 1, "at": "2026-01-01T00:00:00Z", "cause": "late", "note": "n"});
    let least = serde_json::json!({"amount": 1, "at": "2026-01-01T00:00:00Z", "cause": "late"});
    assert_eq!((told(whole.clone(), Extent::Any), told(whole.clone(), Extent::Whole), told(whole, Extent::Least)), (0, 0, 1));
    assert_eq!((told(least.clone(), Extent::Any), told(least.clone(), Extent::Whole), told(least, Extent::Least)), (0, 1, 0));
    for (name, wrong) in [("amount", "-1"), ("amount", "1.5"), ("at", "\"noon\""), ("cause", "\"never\""), ("note", "7"), ("other", "1")] {
        let mut value = serde_json::json!({"amount": 1, "at": "2026-01-01T00:00:00Z", "cause": "late"});
        value[name] = serde_json::from_str(wrong).unwrap();
        assert_eq!(told(value, Extent::Any), 1, "{name}: {wrong}");
    }
    assert_eq!(told(serde_json::json!({}), Extent::Any), 3);
}
