//! The route table of the read side.

use std::sync::Arc;

use axum::routing::get;
use axum::{Router, middleware};
use chassis::admission::admit;

use crate::state::QueryState;
use crate::{
    audit, coupons, course_selections, entitlements, openapi, orders, parked, pay_records, points, refunds, stock, surplus_payments,
};

/// Every route of the read side. Unknown addresses, problems' languages and security headers are the caller's, see
/// `chassis::layers::standard`.
pub fn routes(state: QueryState) -> Router {
    let admission = middleware::from_fn_with_state(Arc::clone(&state.ports.admission), admit);
    let drawn = Router::new().route("/api/v1/pay-records/{pay_no}/qr", get(pay_records::image)).route_layer(admission);
    Router::new()
        .route("/api/v1/orders", get(orders::list))
        .route("/api/v1/orders/{order_id}", get(orders::show))
        .route("/api/v1/orders/{order_id}/watch", get(orders::watch))
        .route("/api/v1/pay-records/{pay_no}", get(pay_records::show))
        .route("/api/v1/refunds/{refund_no}", get(refunds::show))
        .route("/api/v1/surplus-payments", get(surplus_payments::list))
        .route("/api/v1/course-selections/{selection_id}", get(course_selections::show))
        .route("/api/v1/course-table", get(course_selections::table))
        .route("/api/v1/points", get(points::list))
        .route("/api/v1/coupons", get(coupons::list))
        .route("/api/v1/entitlements", get(entitlements::list))
        .route("/api/v1/parked", get(parked::list))
        .route("/api/v1/stock/{sku_id}", get(stock::show))
        .route("/api/v1/audit/events", get(audit::events))
        .route("/api/v1/audit/streams/{stream_id}", get(audit::stream))
        .route("/api/v1/audit/orders/{order_id}/trail", get(audit::trail))
        .merge(drawn)
        .route("/openapi.json", get(openapi::serve))
        .with_state(state)
}
