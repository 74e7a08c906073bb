use chassis::identity::Role;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::schema::{self, list, named};

/// Every view by its name.
const VIEWS: [&str; 10] = [
    "orders",
    "pay_records",
    "refunds",
    "surplus_payments",
    "course_selections",
    "course_table",
    "points",
    "stock",
    "coupons",
    "entitlements",
];

/// What monitors and developers ask.
pub(super) fn group() -> Group {
    Group {
        tag: "Operations",
        about: "What monitors and developers ask of the process.",
        schemas: vec![
            ("Alive", schema::answer("The process runs", &[("status", schema::word("Always this", &["alive"]))], &[])),
            ("Readiness", readiness()),
            ("ReadinessReason", reason()),
            ("RebuildAnswer", rebuilt()),
            ("RebuiltTable", rebuilt_table()),
        ],
        operations: vec![
            Operation::get("/healthz", "showHealth", "Whether the process is alive").json(200, "It is.", "Alive"),
            Operation::get("/readyz", "showReadiness", "Whether the process may take traffic").json(200, "It may.", "Readiness").answers(
                503,
                "It may not; `missing` says why.",
                not_ready(),
            ),
            Operation::get("/metrics", "showMetrics", "Metrics for Prometheus").answers(200, "The metrics.", metrics()),
            Operation::post("/api/v1/operations/views/{view}/rebuild", "rebuildView", "Make a view again from the log")
                .about("Beside the one that is read, which goes on being read; what `paystream rebuild` asks of a running server.")
                .roles(&[Role::Operator])
                .in_path("view", schema::word("The view", &VIEWS))
                .json(200, "It is made again.", "RebuildAnswer"),
            Operation::get("/openapi.json", "showDescription", "This document").answers(200, "It.", description()),
            Operation::get("/docs", "showDocs", "This document as a page").answers(
                200,
                "The page.",
                json!({ "text/html": { "schema": { "type": "string" }, "example": "<!doctype html>" } }),
            ),
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

fn rebuilt() -> Value {
    let mut tables = list("Its tables", &named("RebuiltTable"));
    tables["examples"] = json!([[{ "table": "order_view", "rows": 120 }]]);
    schema::answer(
        "A view that was made again",
        &[
            ("events", schema::count("Events read", 0, 1_000_000_000_000, 4711)),
            ("events_per_second", schema::count("How fast", 0, 1_000_000_000_000, 80_000)),
            ("tables", tables),
            ("position", schema::digits("Up to where", "4711")),
        ],
        &[],
    )
}

fn rebuilt_table() -> Value {
    schema::answer(
        "One table of it",
        &[("table", schema::text("Its name", "order_view")), ("rows", schema::count("Its rows", 0, 1_000_000_000_000, 120))],
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
