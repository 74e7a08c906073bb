//! The description of the API: whole, consistent, and true of the routes that are here.

use std::collections::BTreeSet;

use chassis::problem::Code;
use serde_json::Value;

use super::schema::{DOCUMENT, violations};
use super::stage::Stage;

/// Each operation with its method and path.
fn operations() -> Vec<(String, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |(method, operation)| (format!("{method} {path}"), operation)))
        .collect()
}

/// Each body of an operation: where it is, and its media type's schema and examples.
fn bodies() -> Vec<(String, &'static Value)> {
    let mut found = Vec::new();
    for (name, operation) in operations() {
        let responses = operation["responses"].as_object().unwrap();
        let contents = responses.iter().map(|(status, response)| (format!("{name} {status}"), &response["content"]));
        for (place, content) in contents.chain([(format!("{name} request"), &operation["requestBody"]["content"])]) {
            found.extend(content.as_object().into_iter().flatten().map(|(media, body)| (format!("{place} {media}"), body)));
        }
    }
    found
}

fn walk(value: &'static Value, look: &mut impl FnMut(&'static Value)) {
    look(value);
    match value {
        Value::Object(members) => members.values().for_each(|member| walk(member, look)),
        Value::Array(items) => items.iter().for_each(|item| walk(item, look)),
        _ => {}
    }
}

#[tokio::test]
async fn the_description_is_served_as_it_is() {
    let stage = Stage::new().await;
    let reply = stage.as_nobody().get("/openapi.json").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "application/json"));
    assert_eq!(reply.json(), *DOCUMENT);
    assert_eq!(DOCUMENT["openapi"], "3.1.0");
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let mut used = BTreeSet::new();
    walk(&DOCUMENT, &mut |value| {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            assert!(DOCUMENT.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
            used.insert(reference.rsplit('/').next().unwrap());
        }
    });
    let named: BTreeSet<&str> = DOCUMENT["components"]["schemas"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(used, named);
}

#[test]
fn every_body_has_an_example_that_its_schema_admits() {
    let mut checked = 0;
    for (place, body) in bodies() {
        let named = body["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
        let examples: Vec<&Value> = body.get("example").into_iter().chain(named).collect();
        assert!(!examples.is_empty(), "{place} has no example");
        for example in examples {
            assert_eq!(violations(&body["schema"], example, false), Vec::<String>::new(), "{place}: {example}");
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn every_way_to_make_an_order_has_an_example() {
    let body = &DOCUMENT["paths"]["/api/v1/orders"]["post"]["requestBody"]["content"]["application/json"];
    let sources: BTreeSet<&str> =
        body["examples"].as_object().unwrap().values().map(|example| example["value"]["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["business", "course_selection", "product"].into());
}

#[test]
fn every_parameter_has_an_example_that_its_schema_admits_and_every_member_of_a_path_is_one() {
    for (name, operation) in operations() {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in &parameters {
            assert_eq!(violations(&parameter["schema"], &parameter["example"], false), Vec::<String>::new(), "{name} {parameter}");
            assert!(parameter["description"].as_str().is_some_and(|words| !words.is_empty()), "{name} {parameter}");
        }
        let in_path: BTreeSet<&str> =
            parameters.iter().filter(|parameter| parameter["in"] == "path").map(|parameter| parameter["name"].as_str().unwrap()).collect();
        let in_template: BTreeSet<&str> = name.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        assert_eq!(in_path, in_template, "{name}");
        let names: Vec<&Value> = parameters.iter().map(|parameter| &parameter["name"]).collect();
        assert!(names.iter().enumerate().all(|(index, one)| !names[..index].contains(one)), "{name} {names:?}");
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_a_group_and_says_how_it_is_protected() {
    let groups: Vec<&Value> = DOCUMENT["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut names = BTreeSet::new();
    for (name, operation) in operations() {
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{name}");
        assert!(groups.contains(&&operation["tags"][0]) && operation["summary"].is_string(), "{name}");
        let is_protected = !operation["security"].as_array().unwrap().is_empty();
        assert_eq!(is_protected, operation["responses"]["401"].is_object() && !name.starts_with("post /api/v1/sessions"), "{name}");
        assert!(operation["responses"]["500"].is_object(), "{name}");
    }
}

#[test]
fn the_problems_that_are_described_are_those_that_are_answered() {
    let mut seen = BTreeSet::new();
    for (place, body) in bodies().into_iter().filter(|(place, _)| place.ends_with("application/problem+json")) {
        for (word, example) in body["examples"].as_object().unwrap() {
            let code = Code::ALL.iter().find(|code| code.word() == word).unwrap();
            assert_eq!(example["value"]["status"], code.status().as_u16(), "{place}");
            assert!(place.contains(&format!(" {} ", code.status().as_u16())), "{place} {word}");
            seen.insert(word.as_str());
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
}

/// The routes of the contract that exist by now.
#[test]
fn every_route_is_described() {
    let described: BTreeSet<String> = operations().into_iter().map(|(name, _)| name).collect();
    let expected = [
        "post /api/v1/course-selections",
        "get /api/v1/course-selections/{selection_id}",
        "get /api/v1/course-table",
        "post /api/v1/orders",
        "get /api/v1/orders",
        "get /api/v1/orders/{order_id}",
        "get /api/v1/orders/{order_id}/watch",
        "post /api/v1/orders/{order_id}/cancel",
        "post /api/v1/orders/{order_id}/pay-records",
        "post /api/v1/orders/{order_id}/refunds",
        "post /api/v1/refunds/{refund_no}/retry",
        "post /api/v1/refunds/{refund_no}/settle",
        "get /api/v1/refunds/{refund_no}",
        "get /api/v1/surplus-payments",
        "post /api/v1/surplus-payments/{id}/resolve",
        "get /api/v1/notices",
        "post /api/v1/notices/{id}/rejudge",
        "post /api/v1/notices/{id}/assign",
        "post /api/v1/notices/{id}/dismiss",
        "get /api/v1/operations/reconciliations",
        "post /api/v1/operations/reconciliations",
        "get /api/v1/points",
        "get /api/v1/coupons",
        "get /api/v1/entitlements",
        "get /api/v1/parked",
        "post /api/v1/operations/parked",
        "get /api/v1/stock/{sku_id}",
        "post /api/v1/pay-records/{pay_no}/sync",
        "get /api/v1/pay-records/{pay_no}",
        "get /api/v1/pay-records/{pay_no}/qr",
        "post /api/v1/sessions",
        "delete /api/v1/sessions",
        "post /api/v1/sessions/refresh",
        "get /api/v1/me",
        "get /api/v1/products",
        "get /api/v1/products/{id}",
        "get /api/v1/products/{id}/wechat-qr",
        "get /api/v1/audit/events",
        "get /api/v1/audit/streams/{stream_id}",
        "get /api/v1/audit/orders/{order_id}/trail",
        "get /pay/{token}",
        "get /return/{token}",
        "get /checkout/offer",
        "get /checkout/{token}",
        "get /checkout/{token}/watch",
        "post /checkout/{token}/pay-records",
        "post /checkout/{token}/sync",
        "post /checkout/{token}/renew",
        "post /api/v1/operations/views/{view}/rebuild",
        "post /notify/alipay",
        "post /notify/wechat/v3",
        "post /notify/wechat/v3/refund",
        "post /wechat/native-callback",
        "post /notify/wechat/v2",
        "post /notify/wechat/v2/refund",
        "get /wechat/oauth/{token}",
        "get /healthz",
        "get /readyz",
        "get /metrics",
        "get /openapi.json",
        "get /docs",
        "post /api/v1/stock/{sku_id}/receipts",
        "post /api/v1/stock/{sku_id}/adjustments",
    ];
    assert_eq!(described, expected.into_iter().map(str::to_owned).collect());
}

/// What a refusal names beside its code.
#[test]
fn a_refusal_for_want_of_stock_names_the_sku_and_how_much_there_is() {
    let answers = &DOCUMENT["paths"]["/api/v1/orders"]["post"]["responses"]["409"]["content"]["application/problem+json"]["examples"];
    for (code, member) in [("insufficient_stock", "available"), ("buyer_limit_exceeded", "limit")] {
        let example = &answers[code]["value"];
        assert!(example["sku_id"].is_string() && example[member].is_u64(), "{example}");
    }
    let adjustment = &DOCUMENT["paths"]["/api/v1/stock/{sku_id}/adjustments"]["post"]["responses"]["409"]["content"];
    assert!(adjustment["application/problem+json"]["examples"]["insufficient_stock"].is_object());
}

/// Every route of the read side is reached under the path that the description has for it.
#[tokio::test]
async fn the_queries_are_where_they_are_described() {
    let stage = Stage::new().await;
    let queries = operations().into_iter().filter(|(name, _)| {
        let path = name.strip_prefix("get /api/v1/").unwrap_or_default();
        ["orders", "pay-records", "refunds", "surplus-payments", "points", "coupons", "stock", "course-", "audit"]
            .iter()
            .any(|begin| path.starts_with(begin))
    });
    let mut tried = 0;
    for (name, operation) in queries {
        let mut path = name.strip_prefix("get ").unwrap().to_owned();
        for parameter in operation["parameters"].as_array().unwrap().iter().filter(|parameter| parameter["in"] == "path") {
            let (name, example) = (parameter["name"].as_str().unwrap(), parameter["example"].as_str().unwrap());
            path = path.replace(&format!("{{{name}}}"), example);
        }
        stage.as_nobody().get(&path).await.assert_problem(401, "unauthenticated");
        tried += 1;
    }
    assert_eq!(tried, 15);
}
