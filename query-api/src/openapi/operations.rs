use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::schema::{self, list, named};

/// What monitors and developers ask.
pub(super) fn group() -> Group {
    Group {
        tag: "Operations",
        about: "What monitors and developers ask of the process.",
        schemas: vec![
            ("Alive", schema::answer("The process runs", &[("status", schema::word("Always this", &["alive"]))], &[])),
            ("Readiness", readiness()),
            ("ReadinessReason", reason()),
        ],
        operations: vec![
            Operation::get("/healthz", "showHealth", "Whether the process is alive").json(200, "It is.", "Alive"),
            Operation::get("/readyz", "showReadiness", "Whether the process may take traffic").json(200, "It may.", "Readiness").answers(
                503,
                "It may not; `missing` says why.",
                not_ready(),
            ),
            Operation::get("/metrics", "showMetrics", "Metrics for Prometheus").answers(200, "The metrics.", metrics()),
            Operation::get("/openapi.json", "showDescription", "This document").answers(200, "It.", description()),
        ],
    }
}

fn readiness() -> Value {
    let mut warnings = list("What should be looked at", &named("ReadinessReason"));
    warnings["examples"] = json!([[]]);
    let mut missing = list("What is missing; empty if and only if it is ready", &named("ReadinessReason"));
    missing["examples"] = json!([[]]);
    let status = schema::word("Whether the process may take traffic", &["ready", "not_ready"]);
    schema::answer("Whether the process may take traffic", &[("status", status), ("missing", missing), ("warnings", warnings)], &[])
}

fn reason() -> Value {
    schema::answer(
        "What one check says",
        &[("name", schema::text("The check", "log")), ("reason", schema::text("What it found", "the disk is full"))],
        &[],
    )
}

fn not_ready() -> Value {
    json!({ "application/json": {
        "schema": named("Readiness"),
        "example": { "status": "not_ready", "missing": [{ "name": "log", "reason": "the disk is full" }], "warnings": [] },
    }})
}

fn metrics() -> Value {
    json!({ "text/plain": { "schema": { "type": "string" }, "example": "http_requests_total 1\n" } })
}

fn description() -> Value {
    json!({ "application/json": { "schema": { "type": "object" }, "example": { "openapi": "3.1.0" } } })
}
