//! Examples of bodies, put together from those of their members.

use serde_json::{Map, Value};

/// Gives every body in the document that has none an example.
pub(super) fn fill(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let items = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for operation in items.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        if let Some(content) = operation.pointer_mut("/requestBody/content") {
            fill_content(content, &schemas);
        }
        let responses = operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut);
        for content in responses.filter_map(|response| response.get_mut("content")) {
            fill_content(content, &schemas);
        }
    }
}

fn fill_content(content: &mut Value, schemas: &Value) {
    for media in content.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if media.get("example").is_none() && media.get("examples").is_none() {
            media["example"] = of(&media["schema"], schemas);
        }
    }
}

/// A value that the schema admits.
fn of(schema: &Value, schemas: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return of(&schemas[name], schemas);
    }
    if let Some(example) = schema["examples"].get(0) {
        return example.clone();
    }
    if let Some(first) = schema["oneOf"].get(0) {
        return of(first, schemas);
    }
    if schema["items"].is_object() {
        return Value::Array(vec![of(&schema["items"], schemas)]);
    }
    let members = schema["properties"].as_object();
    members.into_iter().flatten().map(|(name, member)| (name.clone(), of(member, schemas))).collect::<Map<_, _>>().into()
}
