//! One operation, put together from what operations have in common.

use chassis::identity::Role;
use chassis::problem::Code;
use serde_json::{Map, Value, json};

use super::problems;
use super::schema::{self, named};

/// What reading a body as JSON may end in.
const BODY: [Code; 5] = [Code::UnreadableJson, Code::RequestTimeout, Code::PayloadTooLarge, Code::UnsupportedMediaType, Code::Invalid];

/// One method of one path.
pub(super) struct Operation {
    path: String,
    method: &'static str,
    members: Map<String, Value>,
    parameters: Vec<Value>,
    responses: Map<String, Value>,
    problems: Vec<Code>,
}

impl Operation {
    /// A `GET`.
    pub(super) fn get(path: &str, id: &str, summary: &str) -> Self {
        Self::new("get", path, id, summary)
    }

    /// A `POST`.
    pub(super) fn post(path: &str, id: &str, summary: &str) -> Self {
        Self::new("post", path, id, summary)
    }

    /// A `DELETE`.
    pub(super) fn delete(path: &str, id: &str, summary: &str) -> Self {
        Self::new("delete", path, id, summary)
    }

    fn new(method: &'static str, path: &str, id: &str, summary: &str) -> Self {
        let members = [("operationId".to_owned(), json!(id)), ("summary".to_owned(), json!(summary)), ("security".to_owned(), json!([]))];
        Self {
            path: path.to_owned(),
            method,
            members: members.into_iter().collect(),
            parameters: Vec::new(),
            responses: Map::new(),
            problems: Vec::new(),
        }
    }

    /// Says more.
    pub(super) fn about(mut self, words: &str) -> Self {
        self.members.insert("description".to_owned(), json!(words));
        self
    }

    /// Needs a token with one of these roles.
    pub(super) fn roles(mut self, roles: &[Role]) -> Self {
        let ways: Vec<Value> = roles.iter().map(|role| json!({ "bearer": [role.word()] })).collect();
        self.members.insert("security".to_owned(), json!(ways));
        self.problems(&[Code::Unauthenticated, Code::Forbidden])
    }

    /// Needs a token, whatever its roles.
    pub(super) fn signed_in(mut self) -> Self {
        self.members.insert("security".to_owned(), json!([{ "bearer": [] }]));
        self.problems(&[Code::Unauthenticated])
    }

    /// Has this member in its path.
    pub(super) fn in_path(self, name: &str, schema: Value) -> Self {
        self.parameter("path", name, schema, true).problems(&[Code::NotFound])
    }

    /// Takes this in its query string.
    pub(super) fn in_query(self, name: &str, schema: Value) -> Self {
        self.parameter("query", name, schema, false).problems(&[Code::Invalid])
    }

    /// Takes this header.
    pub(super) fn in_header(self, name: &str, schema: Value) -> Self {
        self.parameter("header", name, schema, false)
    }

    fn parameter(mut self, place: &str, name: &str, mut schema: Value, required: bool) -> Self {
        let about = schema.as_object_mut().and_then(|schema| schema.remove("description")).unwrap_or_default();
        let example = schema.as_object_mut().and_then(|schema| schema.remove("examples")).and_then(|examples| examples.get(0).cloned());
        let mut parameter = json!({ "name": name, "in": place, "required": required, "description": about, "schema": schema });
        if let Some(example) = example {
            parameter["example"] = example;
        }
        self.parameters.push(parameter);
        self
    }

    /// Answers in pages.
    pub(super) fn paged(self) -> Self {
        let mut limit = schema::count("How many items a page has", 1, 200, 50);
        limit["default"] = json!(20);
        self.in_query("limit", limit)
            .in_query("cursor", schema::text("The `next_cursor` of the page before", "MTc4NDUyODQzMjEyMzQ1Ni43MjMx"))
    }

    /// Reads views, and so can wait for a command's effect.
    pub(super) fn of_views(self) -> Self {
        let about = "Waits, at most 5 s, until the answer shows this position, as a command answered it in `Paystream-Position`";
        self.in_header("Paystream-After", schema::digits(about, "4711"))
            .in_query("after_position", schema::digits("The same as `Paystream-After`", "4711"))
            .problems(&[Code::Invalid, Code::ViewBehind, Code::StoreUnavailable])
    }

    /// Shows one thing, which may be what the client has already.
    pub(super) fn tagged(mut self) -> Self {
        self = self.in_header("If-None-Match", schema::text("An `ETag` that the client has the answer of", "\"2\""));
        self.responses.insert("304".to_owned(), json!({ "description": "It is as the client has it." }));
        self
    }

    /// Is a command: may be repeated under a key.
    pub(super) fn command(self) -> Self {
        let about = "1 to 255 visible characters. The same key with the same body answers the same again, for at least 24 h.";
        self.in_header("Idempotency-Key", schema::text(about, "5f0c2f0e-2f4b-4f5e-9a53-0d9a9f9c2b11")).problems(&[
            Code::Invalid,
            Code::IdempotencyKeyReused,
            Code::IdempotencyInProgress,
            Code::RateLimited,
            Code::Busy,
            Code::StoreUnavailable,
        ])
    }

    /// Is done only while its object has the revision that the caller knows.
    pub(super) fn if_match(self) -> Self {
        self.in_header("If-Match", schema::text("The order's `ETag`; 412 if it has moved on", "\"2\""))
            .problems(&[Code::PreconditionFailed])
    }

    /// Takes a JSON body.
    pub(super) fn body(self, schema: &str) -> Self {
        self.json_body(&named(schema), true)
    }

    /// Takes a JSON body, or none.
    pub(super) fn optional_body(self, schema: &str) -> Self {
        self.json_body(&named(schema), false)
    }

    fn json_body(self, schema: &Value, required: bool) -> Self {
        self.content(required, json!({ "application/json": { "schema": schema } })).problems(&BODY)
    }

    /// Takes a body of these media types.
    pub(super) fn content(mut self, required: bool, content: Value) -> Self {
        let mut body = json!({ "required": required });
        body["content"] = content;
        self.members.insert("requestBody".to_owned(), body);
        self
    }

    /// Answers JSON.
    pub(super) fn json(self, status: u16, about: &str, schema: &str) -> Self {
        self.answers(status, about, json!({ "application/json": { "schema": named(schema) } }))
    }

    /// Answers a command: JSON, with its position.
    pub(super) fn done(self, status: u16, about: &str, schema: &str) -> Self {
        let position = schema::digits("The log position of the command's last event", "4711");
        let replayed = schema::word("Present if the answer is that of an earlier command with the same key", &["true"]);
        self.json(status, about, schema).with_header(status, "Paystream-Position", position).with_header(
            status,
            "Idempotency-Replayed",
            replayed,
        )
    }

    /// Answers one view: JSON, with its entity tag.
    pub(super) fn view(self, about: &str, schema: &str) -> Self {
        let tag = schema::text("The revision of its stream, in quotes", "\"2\"");
        self.json(200, about, schema).with_header(200, "ETag", tag).tagged()
    }

    /// Answers a body of these media types.
    pub(super) fn answers(mut self, status: u16, about: &str, content: Value) -> Self {
        let mut response = json!({ "description": about });
        response["content"] = content;
        self.responses.insert(status.to_string(), response);
        self
    }

    /// Answers without a body.
    pub(super) fn empty(mut self, status: u16, about: &str) -> Self {
        self.responses.insert(status.to_string(), json!({ "description": about }));
        self
    }

    /// Adds a header to an answer that was described before.
    pub(super) fn with_header(mut self, status: u16, name: &str, mut schema: Value) -> Self {
        let about = schema.as_object_mut().and_then(|schema| schema.remove("description")).unwrap_or_default();
        self.responses[&status.to_string()]["headers"][name] = json!({ "description": about, "schema": schema });
        self
    }

    /// May answer these problems.
    pub(super) fn problems(mut self, codes: &[Code]) -> Self {
        self.problems.extend(codes);
        self
    }

    /// The operation's path, method and description.
    pub(super) fn finish(self, tag: &str) -> (String, &'static str, Value) {
        let Self { path, method, mut members, parameters, mut responses, mut problems } = self;
        problems.push(Code::Internal);
        for (status, response) in problems::responses(&problems) {
            responses.entry(status).or_insert(response);
        }
        members.insert("tags".to_owned(), json!([tag]));
        members.insert("responses".to_owned(), responses.into());
        if !parameters.is_empty() {
            members.insert("parameters".to_owned(), parameters.into());
        }
        (path, method, members.into())
    }
}
