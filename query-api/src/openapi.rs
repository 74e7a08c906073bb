//! The description of the whole public API, as OpenAPI 3.1.
//!
//! One module a group: its schemas stand beside its operations. Examples of bodies are put together from the examples of
//! their members, and problems are written by the code that answers them, so that neither can drift.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::response::IntoResponse;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

mod audit;
mod checkout;
mod coupons;
mod entitlements;
mod example;
mod notices;
mod operation;
mod operations;
mod orders;
mod parked;
mod pay_records;
mod points;
mod problems;
mod reconciliation;
mod refunds;
mod schema;
mod selections;
mod shop;
mod stock;
mod surplus_payments;

use operation::Operation;

/// The whole document as it is served.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi().to_string().into());

/// What one group adds to the document.
struct Group {
    tag: &'static str,
    about: &'static str,
    schemas: Vec<(&'static str, Value)>,
    operations: Vec<Operation>,
}

const ABOUT: &str = "Paystream takes payments: a course is selected, an order is made, a pay record holds the code that \
     the buyer scans, and the channel's notification confirms it.\n\n\
     Ids and log positions are text, money is a whole number of the currency's smallest unit (fen), times are RFC 3339 in \
     UTC. Every refusal is a problem document (RFC 9457) with a stable `code`; `Accept-Language: zh` has its words in \
     Chinese.\n\n\
     Commands answer the position of their last event in `Paystream-Position`; a query that gets it as `Paystream-After` \
     waits until it shows what the command did.";

/// The description of every route of Paystream's public API.
///
/// Shape: an OpenAPI 3.1 document. Routes of the sandbox channels and pages are not in it.
pub fn openapi() -> Value {
    let groups = [
        selections::group(),
        orders::group(),
        pay_records::group(),
        refunds::group(),
        reconciliation::group(),
        surplus_payments::group(),
        notices::group(),
        parked::group(),
        points::group(),
        coupons::group(),
        entitlements::group(),
        stock::group(),
        checkout::group(),
        shop::group(),
        audit::group(),
        operations::group(),
    ];
    let mut schemas = problems::schemas();
    let (mut tags, mut paths) = (Vec::new(), Map::new());
    for group in groups {
        tags.push(json!({ "name": group.tag, "description": group.about }));
        schemas.extend(group.schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)));
        for operation in group.operations {
            let (path, method, described) = operation.finish(group.tag);
            let item = paths.entry(path).or_insert_with(|| json!({}));
            item[method] = described;
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Paystream",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The server that this document comes from" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token from `POST /api/v1/sessions`, or one that an operator made with `paystream token`.",
                },
            },
        },
    });
    example::fill(&mut document);
    document
}

/// `GET /openapi.json`
pub(crate) async fn serve() -> impl IntoResponse {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], DOCUMENT.clone())
}
