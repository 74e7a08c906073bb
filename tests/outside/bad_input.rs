//! Every command with everything that is wrong with a request: a typed problem, and nothing changes.

use reqwest::Method;
use serde_json::{Value, json};

use super::harness::journey::{OpenOrder, business_order, open_order};
use super::harness::random::unique;
use super::harness::{Api, Reply, SharedPaystream, run};

static SHARED: SharedPaystream = SharedPaystream::new("bad-input");

/// The contract's limit of a body.
const BODY_LIMIT: usize = 256 * 1024;

/// A command, with one body that is right.
struct Command {
    path: String,
    caller: Api,
    body: Value,
    /// A member of the body and a value of a wrong type for it.
    wrong_type: Option<(&'static str, Value)>,
    needs_token: bool,
}

struct Scene {
    server: super::harness::shared::Borrowed,
    order: OpenOrder,
    commands: Vec<Command>,
    log_before: Vec<Value>,
}

impl Scene {
    async fn set() -> Self {
        let server = SHARED.alone().await;
        let buyer = server.buyer(&unique("buyer"));
        let order = open_order(&buyer).await;
        let commands = commands(&server, &buyer, &order);
        let log_before = server.auditor().events().await;
        Self { server, order, commands, log_before }
    }

    async fn nothing_changed(&self, what: &str) {
        let log = self.server.auditor().events().await;
        assert_eq!(log.len(), self.log_before.len(), "{what} wrote {:?}", &log[self.log_before.len()..]);
    }
}

fn commands(server: &super::harness::Paystream, buyer: &Api, order: &OpenOrder) -> Vec<Command> {
    let (order_id, pay_no) = (&order.order_id, &order.pay_no);
    let checkout = order.checkout_url.strip_prefix(server.api().base()).unwrap_or(&order.checkout_url).to_owned();
    let bought =
        |path: &str, body: Value, wrong_type| Command { path: path.to_owned(), caller: buyer.clone(), body, wrong_type, needs_token: true };
    let public =
        |path: String, body: Value, wrong_type| Command { path, caller: server.api().clone(), body, wrong_type, needs_token: false };
    let selection = json!({"source": "course_selection", "selection_id": order.selection_id});
    let mut business = business_order("member-1", &unique("bad"), 4_200);
    business["order_type"] = json!("course");
    vec![
        bought("/api/v1/course-selections", json!({"course_id": "course-rust"}), Some(("course_id", json!(7)))),
        bought("/api/v1/orders", selection, Some(("selection_id", json!(7)))),
        bought(&format!("/api/v1/orders/{order_id}/pay-records"), json!({"channel": "alipay_qr"}), Some(("channel", json!(["alipay_qr"])))),
        bought(&format!("/api/v1/orders/{order_id}/cancel"), json!({}), Some(("reason", json!({"text": "no"})))),
        bought(&format!("/api/v1/pay-records/{pay_no}/sync"), json!({}), None),
        Command { caller: server.service(), ..bought("/api/v1/orders", business, Some(("items", json!("none")))) },
        public(format!("{checkout}/pay-records"), json!({"channel": "alipay_qr"}), Some(("channel", json!(7)))),
        public("/api/v1/sessions".to_owned(), json!({"username": "alice", "password": "demo-password"}), Some(("password", json!(7)))),
    ]
}

fn assert_problem(reply: &Reply, allowed: &[u16], what: &str) {
    assert!(allowed.contains(&reply.status), "{what}: {allowed:?} expected: {reply}");
    reply.problem();
}

#[test]
fn unreadable_bodies_are_refused_and_change_nothing() {
    run(async {
        let scene = Scene::set().await;
        for command in &scene.commands {
            for body in [&b"{"[..], b"{\"a\":}", b"\xff\xfe", b"{} trailing"] {
                let reply = command.caller.post_bytes(&command.path, "application/json", body.to_vec()).send().await;
                assert_problem(&reply, &[400], &format!("{} with {body:?}", command.path));
            }
        }
        scene.nothing_changed("an unreadable body").await;
    });
}

#[test]
fn readable_bodies_of_a_wrong_shape_are_refused_and_change_nothing() {
    run(async {
        let scene = Scene::set().await;
        for command in &scene.commands {
            let mut unknown = command.body.clone();
            unknown["surprise"] = json!(true);
            let mut shapes = vec![json!([]), json!("text"), json!(7), unknown];
            if let Some((member, value)) = &command.wrong_type {
                let mut wrong = command.body.clone();
                wrong[*member] = value.clone();
                shapes.push(wrong);
            }
            for shape in shapes {
                let reply = command.caller.post(&command.path, &shape).send().await;
                assert_problem(&reply, &[422], &format!("{} with {shape}", command.path));
            }
        }
        scene.nothing_changed("a body of a wrong shape").await;
    });
}

#[test]
fn a_refusal_of_a_field_names_it() {
    run(async {
        let scene = Scene::set().await;
        let reply = scene.commands[0].caller.post("/api/v1/course-selections", &json!({"course_id": ""})).send().await;
        assert_problem(&reply, &[422], "an empty course id");
        let errors = reply.json()["errors"].as_array().cloned().unwrap_or_default();
        assert!(
            errors.iter().any(|error| error["field"] == "course_id" && error["code"].is_string() && error["message"].is_string()),
            "{reply}"
        );
    });
}

#[test]
fn bodies_over_the_limit_are_refused_and_change_nothing() {
    run(async {
        let scene = Scene::set().await;
        for command in &scene.commands {
            let padding = " ".repeat(BODY_LIMIT + 1);
            let body = format!("{}{padding}", command.body);
            let reply = command.caller.post_bytes(&command.path, "application/json", body).send().await;
            assert_problem(&reply, &[413], &command.path);
        }
        scene.nothing_changed("a large body").await;
    });
}

#[test]
fn commands_without_a_token_or_with_a_bad_one_are_refused() {
    run(async {
        let scene = Scene::set().await;
        let expired = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MX0.AAAA";
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsInJvbGVzIjpbImJ1eWVyIl0sImV4cCI6OTk5OTk5OTk5OX0.";
        for command in scene.commands.iter().filter(|command| command.needs_token) {
            let nobody = scene.server.api().post(&command.path, &command.body).send().await;
            assert_problem(&nobody, &[401], &command.path);
            assert!(!nobody.header("www-authenticate").is_empty(), "{nobody}");
            for token in ["", "x", expired, unsigned] {
                let reply = scene.server.api().with_token(token).post(&command.path, &command.body).send().await;
                assert_problem(&reply, &[401], &command.path);
            }
        }
        scene.nothing_changed("a caller without a token").await;
    });
}

#[test]
fn commands_in_a_wrong_role_are_refused() {
    run(async {
        let scene = Scene::set().await;
        for command in scene.commands.iter().filter(|command| command.needs_token) {
            let reply = scene.server.auditor().post(&command.path, &command.body).send().await;
            assert_problem(&reply, &[403], &command.path);
        }
        scene.nothing_changed("an auditor").await;
    });
}

#[test]
fn commands_on_somebody_elses_or_unknown_objects_find_nothing() {
    run(async {
        let scene = Scene::set().await;
        let stranger = scene.server.buyer(&unique("stranger"));
        let own = ["/pay-records", "/cancel", "/sync"];
        for command in scene.commands.iter().filter(|command| command.needs_token && own.iter().any(|end| command.path.ends_with(end))) {
            let reply = stranger.post(&command.path, &command.body).send().await;
            assert_problem(&reply, &[404], &command.path);
            let known = if command.path.contains(&scene.order.pay_no) { &scene.order.pay_no } else { &scene.order.order_id };
            for unknown in ["7231000000000000001", "723100000000000000101", "0", "-1", "abc", "%00", "999999999999999999999999"] {
                let reply = command.caller.post(&command.path.replace(known.as_str(), unknown), &command.body).send().await;
                assert_problem(&reply, &[400, 404, 422], &format!("{} for {unknown}", command.path));
            }
        }
        let selection = json!({"source": "course_selection", "selection_id": scene.order.selection_id});
        assert_problem(&stranger.post("/api/v1/orders", &selection).send().await, &[404], "another's selection");
        let unknown = json!({"course_id": "course-nobody-gives"});
        assert_problem(&stranger.post("/api/v1/course-selections", &unknown).send().await, &[404, 422], "an unknown course");
        scene.nothing_changed("a stranger").await;
    });
}

#[test]
fn an_order_that_names_what_it_must_not_is_refused() {
    run(async {
        let scene = Scene::set().await;
        let (buyer, service) = (scene.server.buyer(&unique("buyer")), scene.server.service());
        let refused = buyer.post("/api/v1/orders", &json!({"source": "product", "product_id": "course-rust", "quantity": 1})).send().await;
        refused.expect_problem(422, "selection_required");
        assert_problem(&buyer.post("/api/v1/orders", &business_order("x", "y", 1)).send().await, &[403], "a buyer as a service");
        for (member, value) in [
            ("order_type", json!("course")),
            ("order_type", json!("Workshop")),
            ("order_type", json!("")),
            ("out_business_id", json!("")),
            ("buyer_id", json!("")),
            ("currency", json!("USD")),
            ("title", json!("")),
            ("items", json!([])),
            ("items", json!([{"goods_id": "a", "name": "a", "unit_price_amount": -1, "quantity": 1}])),
            ("items", json!([{"goods_id": "a", "name": "a", "unit_price_amount": 1, "quantity": 0}])),
            ("items", json!([{"goods_id": "a", "name": "a", "unit_price_amount": 1.5, "quantity": 1}])),
            ("items", json!([{"goods_id": "a", "name": "a", "unit_price_amount": 9_007_199_254_740_991_u64, "quantity": 4_000_000}])),
        ] {
            let mut order = business_order("member-1", &unique("bad"), 4_200);
            order[member] = value.clone();
            let reply = service.post("/api/v1/orders", &order).send().await;
            assert_problem(&reply, &[422], &format!("{member} = {value}"));
        }
        scene.nothing_changed("an order that must not be").await;
    });
}

#[test]
fn a_channel_that_is_unknown_or_not_configured_is_refused() {
    run(async {
        let scene = Scene::set().await;
        let buyer = scene.commands[0].caller.clone();
        let path = format!("/api/v1/orders/{}/pay-records", scene.order.order_id);
        let unknown = buyer.post(&path, &json!({"channel": "cheque"})).send().await;
        assert_problem(&unknown, &[422], "an unknown channel");
        buyer.post(&path, &json!({"channel": "cash_on_delivery"})).send().await.expect_problem(422, "channel_not_configured");
        scene.nothing_changed("a channel that is not there").await;
    });
}

#[test]
fn a_wrong_path_method_or_content_type_is_answered_with_a_problem() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("lost"));
        assert_problem(&buyer.get("/api/v1/nothing-here").send().await, &[404], "an unknown path");
        assert_problem(&buyer.call(Method::DELETE, "/api/v1/orders").send().await, &[405], "a method that is not there");
        let text = buyer.post_bytes("/api/v1/course-selections", "text/plain", "course-rust").send().await;
        assert_problem(&text, &[400, 415], "a body that is not said to be JSON");
    });
}

#[test]
fn a_checkout_token_that_we_did_not_make_finds_nothing() {
    run(async {
        let scene = Scene::set().await;
        let token = scene.order.checkout_url.rsplit_once('/').unwrap().1.to_owned();
        let flip = if token.ends_with('A') { "B" } else { "A" };
        let changed = format!("{}{flip}", &token[..token.len() - 1]);
        for token in [changed.as_str(), "x", "%2e%2e%2f", &"A".repeat(4_000)] {
            for (method, path) in [
                (Method::GET, format!("/checkout/{token}")),
                (Method::GET, format!("/checkout/{token}/watch")),
                (Method::GET, format!("/pay/{token}")),
                (Method::GET, format!("/return/{token}")),
                (Method::POST, format!("/checkout/{token}/sync")),
                (Method::POST, format!("/checkout/{token}/renew")),
            ] {
                let call = scene.server.api().call(method.clone(), &path);
                let reply =
                    if method == Method::POST { scene.server.api().post(&path, &json!({})).send().await } else { call.send().await };
                assert!(matches!(reply.status, 400 | 404 | 414), "{method} {path}: {reply}");
            }
        }
        scene.nothing_changed("a token that is not ours").await;
    });
}

#[test]
fn a_wrong_password_and_an_unknown_name_are_answered_alike() {
    run(async {
        let server = SHARED.get().await;
        let sign_in = async |username: &str, password: &str| {
            server.api().post("/api/v1/sessions", &json!({"username": username, "password": password})).send().await
        };
        let (wrong, unknown) = (sign_in("alice", "guess").await, sign_in("nobody-here", "guess").await);
        assert_eq!((wrong.status, unknown.status), (401, 401));
        assert_eq!(wrong.problem()["code"], unknown.problem()["code"]);
        assert_eq!(wrong.problem()["detail"], unknown.problem()["detail"]);
    });
}

#[test]
fn problems_are_told_in_chinese_to_who_asks_for_it() {
    run(async {
        let server = SHARED.get().await;
        let (english, chinese) = (
            server.api().get("/api/v1/orders").send().await,
            server.api().get("/api/v1/orders").header("accept-language", "zh-CN,zh;q=0.9").send().await,
        );
        assert_eq!(english.problem()["code"], chinese.problem()["code"]);
        let detail = chinese.problem()["detail"].as_str().unwrap().to_owned();
        assert!(detail.chars().any(|character| ('\u{4e00}'..='\u{9fff}').contains(&character)), "{detail}");
        assert!(english.problem()["detail"].as_str().unwrap().is_ascii());
    });
}

#[test]
fn an_address_that_nothing_has_is_a_page_to_browsers_and_a_problem_to_programs() {
    run(async {
        let server = SHARED.get().await;
        for path in ["/nowhere", "/api/v1/nowhere", "/assets/none.js/none"] {
            for accept in ["*/*", "application/json", "application/problem+json"] {
                server.api().get(path).header("accept", accept).send().await.expect_problem(404, "not_found");
            }
            let browsers = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
            for (language, words) in [("en", "There is no such page"), ("zh", "页面不存在")] {
                let page = server.api().get(path).header("accept", browsers).header("accept-language", language).send().await.expect(404);
                assert!(page.content_type().starts_with("text/html") && page.text().contains(words), "{page}");
            }
        }
    });
}
