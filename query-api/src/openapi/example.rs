//! Examples of bodies, put together from those of their members.

use serde_json::{Map, Value, json};

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
            match choices(&media["schema"], schemas) {
                Some(examples) => media["examples"] = examples,
                None => media["example"] = of(&media["schema"], schemas),
            }
        }
    }
}

/// One example for each choice, where a body is one of several.
fn choices(schema: &Value, schemas: &Value) -> Option<Value> {
    let choices = schemas[name_of(schema)?]["oneOf"].as_array()?;
    let named = choices.iter().map(|choice| {
        let name = name_of(choice).unwrap_or_default();
        (name.to_owned(), json!({ "summary": schemas[name]["description"], "value": of(choice, schemas) }))
    });
    Some(named.collect())
}

/// The schema that a reference names.
fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// A value that the schema admits.
fn of(schema: &Value, schemas: &Value) -> Value {
    if let Some(name) = name_of(schema) {
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
