//! Who may reach which route, for every route that Paystream says it has (T23).

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::harness::journey::{OpenOrder, open_order};
use super::harness::random::unique;
use super::harness::{Api, Reply, SharedPaystream, run};

static SHARED: SharedPaystream = SharedPaystream::new("access");

/// What a scanner, a browser, a channel and a monitor reach without a token.
const PUBLIC: &[&str] = &[
    "/pay/",
    "/checkout/",
    "/notify/",
    "/return/",
    "/wechat/",
    "/sandbox/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/console",
    "/api/v1/products",
    "/api/v1/categories",
    "/api/v1/sessions",
    "/api/v1/accounts",
];

/// Roles that may call a route below `/api/v1`, by method and the beginning of its path.
const ALLOWED: &[(&str, &str, &[&str])] = &[
    ("post", "/api/v1/course-selections", &["buyer"]),
    ("get", "/api/v1/course-selections", &["buyer"]),
    ("get", "/api/v1/course-table", &["buyer"]),
    ("post", "/api/v1/orders/{order_id}/pay-records", &["buyer", "service"]),
    ("post", "/api/v1/orders/{order_id}/cancel", &["buyer", "operator"]),
    ("post", "/api/v1/orders/{order_id}/refunds", &["operator"]),
    ("post", "/api/v1/orders", &["buyer", "service"]),
    ("post", "/api/v1/refunds", &["operator"]),
    ("get", "/api/v1/surplus-payments", &["operator", "auditor"]),
    ("post", "/api/v1/surplus-payments", &["operator"]),
    ("get", "/api/v1/notices", &["operator", "auditor"]),
    ("post", "/api/v1/notices", &["operator"]),
    ("get", "/api/v1/stock", &ROLES),
    ("post", "/api/v1/stock", &["operator"]),
    ("get", "/api/v1/coupons", &["buyer"]),
    ("get", "/api/v1/points", &["buyer"]),
    ("post", "/api/v1/pay-records", &["buyer", "operator"]),
    ("get", "/api/v1/audit", &["auditor"]),
    ("post", "/api/v1/operations", &["operator"]),
];

const ROLES: [&str; 4] = ["buyer", "service", "operator", "auditor"];

struct Route {
    method: Method,
    template: String,
}

impl Route {
    /// The route's path with its members filled in from an order.
    fn path(&self, order: &OpenOrder) -> String {
        let token = order.checkout_url.rsplit_once('/').unwrap().1;
        let mut path = self.template.clone();
        while let Some((before, rest)) = path.split_once('{') {
            let (name, after) = rest.split_once('}').unwrap();
            let value = match name.trim_start_matches('*') {
                "order_id" => &order.order_id,
                "pay_no" | "out_trade_no" => &order.pay_no,
                "selection_id" => &order.selection_id,
                // Numbers of the order's own that nobody has used.
                "refund_no" => &format!("{}R01", order.order_id),
                "id" if before.contains("/surplus-payments/") => &format!("{}-T1", order.pay_no),
                "id" if before.contains("/notices/") => "1",
                "sku_id" => "sku-1",
                "id" if before.contains("/course-selections/") => &order.selection_id,
                "id" if before.contains("/orders/") => &order.order_id,
                "token" => token,
                "stream_id" => &format!("order-{}", order.order_id),
                _ => "course-rust",
            };
            path = format!("{before}{value}{after}");
        }
        path
    }

    fn is_public(&self) -> bool {
        // Signing in needs no token; signing out ends one.
        let signs_out = self.method == Method::DELETE;
        PUBLIC.iter().any(|beginning| self.template.starts_with(beginning)) && !self.template.ends_with("/qr") && !signs_out
    }

    async fn call(&self, caller: &Api, order: &OpenOrder) -> Reply {
        let path = self.path(order);
        match self.method {
            // A body that is no command: who is let in gets a refusal of the body, and nothing happens.
            Method::POST | Method::PUT | Method::PATCH => caller.post(&path, &json!("no command")).send().await,
            _ => caller.call(self.method.clone(), &path).send().await,
        }
    }
}

async fn described_routes(api: &Api) -> (Value, Vec<Route>) {
    let description = api.get("/openapi.json").send().await.expect(200).json();
    let mut routes = Vec::new();
    for (template, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|key| matches!(key.as_str(), "get" | "post" | "put" | "patch" | "delete"))
        {
            routes.push(Route { method: method.to_uppercase().parse().unwrap(), template: template.clone() });
        }
    }
    assert!(routes.len() > 20, "only {} routes are described", routes.len());
    (description, routes)
}

#[test]
fn without_a_token_nothing_is_answered_but_what_the_contract_makes_public() {
    run(async {
        let server = SHARED.alone().await;
        let order = open_order(&server.buyer(&unique("owner"))).await;
        let (_, routes) = described_routes(server.api()).await;
        for route in routes.iter().filter(|route| !route.is_public()) {
            let reply = route.call(server.api(), &order).await;
            assert_eq!(reply.status, 401, "{} {}: {reply}", route.method, route.template);
            reply.problem();
        }
    });
}

#[test]
fn a_role_that_a_route_does_not_name_is_refused() {
    run(async {
        let server = SHARED.alone().await;
        let order = open_order(&server.buyer(&unique("owner"))).await;
        let log = server.auditor().events().await.len();
        let (_, routes) = described_routes(server.api()).await;
        let mut met = BTreeSet::new();
        for route in &routes {
            let method = route.method.as_str().to_lowercase();
            let rule =
                ALLOWED.iter().find(|(rule_method, beginning, _)| method == *rule_method && matches_template(&route.template, beginning));
            let Some((rule_method, beginning, allowed)) = rule else { continue };
            met.insert((*rule_method, *beginning));
            for role in ROLES.iter().filter(|role| !allowed.contains(role)) {
                let reply = route.call(&server.as_role(&unique(role), role), &order).await;
                assert_eq!(reply.status, 403, "{method} {} as {role}: {reply}", route.template);
            }
        }
        assert_eq!(met.len(), ALLOWED.len(), "rules that met no route: only {met:?} met one");
        assert_eq!(server.auditor().events().await.len(), log);
    });
}

/// Whether a template begins as the rule does, whatever its members are called.
fn matches_template(template: &str, beginning: &str) -> bool {
    let mut own = template.split('/');
    beginning
        .split('/')
        .all(|part| own.next().is_some_and(|segment| segment == part || (segment.starts_with('{') && part.starts_with('{'))))
}

#[test]
fn another_buyers_ids_find_nothing_on_any_route() {
    run(async {
        let server = SHARED.alone().await;
        let owner = server.buyer(&unique("owner"));
        let order = open_order(&owner).await;
        let stranger = server.buyer(&unique("stranger"));
        let (_, routes) = described_routes(server.api()).await;
        let with_ids =
            routes.iter().filter(|route| route.template.starts_with("/api/v1/") && route.template.contains('{') && !route.is_public());
        let mut tried = 0;
        for route in with_ids {
            let path = route.path(&order);
            let body = if path.ends_with("/pay-records") { json!({"channel": "alipay_qr"}) } else { json!({}) };
            let reply = match route.method {
                Method::GET => stranger.get(&path).send().await,
                _ => stranger.post(&path, &body).send().await,
            };
            assert!(matches!(reply.status, 403 | 404), "{} {path}: {reply}", route.method);
            tried += 1;
        }
        assert!(tried >= 8, "only {tried} routes take ids");
        assert_eq!(owner.order(&order.order_id).await["status"], "awaiting_payment");
    });
}

#[test]
fn every_described_operation_says_how_it_is_protected_and_shows_an_example() {
    run(async {
        let server = SHARED.get().await;
        let (description, routes) = described_routes(server.api()).await;
        assert!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
        for route in routes.iter().filter(|route| route.template.starts_with("/api/v1/")) {
            let operation = &description["paths"][&route.template][route.method.as_str().to_lowercase()];
            let inherited = &description["security"];
            let security = if operation["security"].is_null() { inherited } else { &operation["security"] };
            let protected =
                security.as_array().is_some_and(|schemes| !schemes.is_empty() && schemes.iter().all(|scheme| scheme != &json!({})));
            assert_eq!(protected, !route.is_public(), "{} {}", route.method, route.template);
            assert!(operation["responses"].as_object().is_some_and(|responses| !responses.is_empty()), "{}", route.template);
        }
        assert!(description.to_string().contains("\"example"), "the description shows no example");
    });
}

#[test]
fn the_commands_and_queries_of_the_contract_are_all_described() {
    run(async {
        let server = SHARED.get().await;
        let (_, routes) = described_routes(server.api()).await;
        for (method, path) in [
            ("POST", "/api/v1/course-selections"),
            ("POST", "/api/v1/orders"),
            ("POST", "/api/v1/orders/{}/pay-records"),
            ("POST", "/api/v1/pay-records/{}/sync"),
            ("POST", "/api/v1/orders/{}/cancel"),
            ("POST", "/api/v1/sessions"),
            ("GET", "/api/v1/products"),
            ("GET", "/api/v1/products/{}"),
            ("GET", "/api/v1/orders"),
            ("GET", "/api/v1/orders/{}"),
            ("GET", "/api/v1/orders/{}/watch"),
            ("GET", "/api/v1/pay-records/{}"),
            ("GET", "/api/v1/pay-records/{}/qr"),
            ("GET", "/api/v1/course-selections/{}"),
            ("GET", "/api/v1/course-table"),
            ("GET", "/api/v1/points"),
            ("GET", "/api/v1/coupons"),
            ("GET", "/api/v1/stock/{}"),
            ("POST", "/api/v1/stock/{}/receipts"),
            ("POST", "/api/v1/stock/{}/adjustments"),
            ("GET", "/api/v1/notices"),
            ("POST", "/api/v1/notices/{}/rejudge"),
            ("POST", "/api/v1/notices/{}/assign"),
            ("POST", "/api/v1/notices/{}/dismiss"),
            ("GET", "/api/v1/audit/events"),
            ("GET", "/api/v1/audit/streams/{}"),
            ("POST", "/notify/alipay"),
        ] {
            let described = routes.iter().any(|route| {
                route.method.as_str() == method
                    && route.template.split('/').count() == path.split('/').count()
                    && matches_template(&route.template, path)
            });
            assert!(described, "{method} {path} is not described");
        }
    });
}

/// The names of the members that an answer has.
fn members(answer: &Value) -> BTreeSet<&str> {
    answer.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn orders_and_kept_notifications_have_the_members_that_are_described() {
    run(async {
        let server = SHARED.alone().await;
        let (description, _) = described_routes(server.api()).await;
        let described = |schema: &str| members(&description["components"]["schemas"][schema]["properties"]);
        let buyer = server.buyer(&unique("owner"));
        let order = open_order(&buyer).await;
        assert_eq!(members(&buyer.order(&order.order_id).await), described("Order"));
        let form = "application/x-www-form-urlencoded;charset=utf-8";
        server.api().post_bytes("/notify/alipay", form, format!("out_trade_no={}&sign=forged", order.pay_no)).send().await;
        let operator = server.as_role(&unique("operator"), "operator");
        let notices = operator.get("/api/v1/notices?limit=1").send().await.expect(200).json();
        let notice = &notices["items"][0];
        assert_eq!(members(notice), described("Notice"));
        let path = format!("/api/v1/notices/{}/dismiss", notice["id"].as_str().unwrap());
        let dismissed = operator.post(&path, &json!({"reason": "forged"})).send().await.expect(200).json();
        assert_eq!(members(&dismissed), described("NoticeAnswer"));
        assert_eq!((&dismissed["action"], &dismissed["state"]), (&json!("dismissed"), &json!("settled")));
    });
}

#[test]
fn the_documentation_is_readable_without_the_network() {
    run(async {
        let server = SHARED.get().await;
        let page = server.api().get("/docs").send().await;
        let page = if matches!(page.status, 301..=308) { server.api().get(page.header("location")).send().await } else { page };
        let html = page.expect(200).text();
        for elsewhere in ["src=\"http", "href=\"http", "src=\"//", "@import url(http"] {
            assert!(!html.contains(elsewhere), "/docs loads something from elsewhere: {elsewhere}");
        }
    });
}
