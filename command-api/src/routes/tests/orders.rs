use super::*;

fn of_product() -> serde_json::Value {
    json!({ "source": "product", "product_id": "notes", "quantity": 2 })
}

fn of_business() -> serde_json::Value {
    json!({
        "source": "business",
        "buyer_id": "member-1",
        "order_type": "workshop",
        "out_business_id": "seat-1",
        "title": "Evening workshop",
        "items": [{ "goods_id": "workshop-1", "name": "A seat", "unit_price_amount": 4_200, "quantity": 1 }],
        "currency": "CNY",
    })
}

#[tokio::test]
async fn an_order_is_answered_as_the_contract_says_and_replayed_to_the_byte() {
    let world = World::new().await;
    let api = Api::new(&world);
    let create = || api.post("/api/v1/orders").by_alice().with("idempotency-key", "k");
    let first = create().json(&of_product()).answer().await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, None));
    assert_eq!(first.header("paystream-position"), Some(world.head().await.to_string().as_str()));
    let body = first.json();
    assert_eq!((&body["status"], &body["order_type"]), (&json!("awaiting_payment"), &json!("material")));
    assert_eq!((&body["amount"], &body["amount_text"], &body["currency"]), (&json!(1_198), &json!("11.98"), &json!("CNY")));
    assert_eq!((body["order_id"].is_string(), &body["expires_at"]), (true, &json!("2026-07-20T08:30:00Z")));
    let order_id = body["order_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(body["checkout_url"].as_str(), Some(api.links.checkout_url(order_id).as_str()));

    world.commands.cancel_order(&alice(), order_id, None, None, None, CORRELATION).await.unwrap();
    // Members in another order are the same content.
    let text = r#"{ "quantity": 2, "product_id": "notes", "source": "product" }"#;
    let replayed = create().body("application/json", text).answer().await;
    assert_eq!((replayed.status.as_u16(), replayed.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!(replayed.json(), body, "as it was made, however it stands by now");
    let mut other = of_product();
    other["quantity"] = json!(3);
    assert_eq!(create().json(&other).answer().await.problem(), (422, "idempotency_key_reused".to_owned()));
    let bobs = api.post("/api/v1/orders").by("bob", Role::Buyer).with("idempotency-key", "k").json(&other).answer().await;
    assert_eq!(bobs.status, 201, "a key is its subject's own");
}

#[tokio::test]
async fn an_order_that_owes_nothing_is_answered_as_paid() {
    let world = World::new().await;
    let gift = json!({ "source": "product", "product_id": "gift", "quantity": 1 });
    let answer = Api::new(&world).post("/api/v1/orders").by_alice().json(&gift).answer().await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (201, &json!("paid")));
}

#[tokio::test]
async fn a_business_is_created_found_refused_and_created_again() {
    let world = World::new().await;
    let api = Api::new(&world);
    let create = |body: &serde_json::Value| api.post("/api/v1/orders").by("school", Role::Service).json(body);
    let first = create(&of_business()).answer().await;
    assert_eq!((first.status.as_u16(), &first.json()["out_business_id"]), (201, &json!("seat-1")));
    let found = create(&of_business()).answer().await;
    assert_eq!((found.status.as_u16(), found.json()), (200, first.json()));
    let mut other = of_business();
    other["title"] = json!("Morning workshop");
    assert_eq!(create(&other).answer().await.problem(), (409, "business_id_conflict".to_owned()));
    let order_id = first.json()["order_id"].as_str().unwrap().parse().unwrap();
    world.commands.cancel_order(&service(), order_id, None, None, None, CORRELATION).await.unwrap();
    let next = create(&other).answer().await;
    assert_eq!(next.status, 201);
    assert_ne!(next.json()["order_id"], first.json()["order_id"]);
}

#[tokio::test]
async fn each_source_is_its_roles() {
    let world = World::new().await;
    let api = Api::new(&world);
    let by = |role, body: &serde_json::Value| api.post("/api/v1/orders").by("somebody", role).json(body).answer();
    assert_eq!(by(Role::Buyer, &of_business()).await.problem(), (403, "forbidden".to_owned()));
    assert_eq!(by(Role::Service, &of_product()).await.problem(), (403, "forbidden".to_owned()));
    assert_eq!(by(Role::Buyer, &json!({ "source": "dream" })).await.json()["errors"][0]["field"], "source");
    assert_eq!(by(Role::Buyer, &json!({})).await.json()["errors"][0]["code"], "required");
    assert_eq!(world.head().await, 0);
}

#[tokio::test]
async fn members_out_of_bounds_are_named() {
    let world = World::new().await;
    let api = Api::new(&world);
    let cases = [
        ("order_type", "/order_type", json!("course")),
        ("order_type", "/order_type", json!("Workshop")),
        ("out_business_id", "/out_business_id", json!("")),
        ("out_business_id", "/out_business_id", json!("x".repeat(129))),
        ("title", "/title", json!("  ")),
        ("title", "/title", json!("a\u{0}b")),
        ("title", "/title", json!("长".repeat(257))),
        ("items", "/items", json!([])),
        ("items[0].quantity", "/items/0/quantity", json!(0)),
        ("items[0].quantity", "/items/0/quantity", json!(10_000)),
        ("items[0].name", "/items/0/name", json!("")),
        ("items[0].unit_price_amount", "/items/0/unit_price_amount", json!(-1)),
        ("items[0].unit_price_amount", "/items/0/unit_price_amount", json!("42.00")),
        ("currency", "/currency", json!("EUR")),
        ("buyer_id", "/buyer_id", json!("two words")),
    ];
    for (field, pointer, value) in cases {
        let mut body = of_business();
        *body.pointer_mut(pointer).unwrap() = value.clone();
        let answer = api.post("/api/v1/orders").by("school", Role::Service).json(&body).answer().await;
        assert_eq!(answer.problem(), (422, "invalid".to_owned()), "{field} {value}");
        assert_eq!(answer.json()["errors"][0]["field"], field, "{value}");
    }
    let mut body = of_business();
    body["description"] = json!("x".repeat(2_001));
    let answer = api.post("/api/v1/orders").by("school", Role::Service).json(&body).answer().await;
    assert_eq!(answer.json()["errors"][0]["field"], "description");
    for (member, value) in [("quantity", json!(0)), ("address_id", json!("a")), ("coupon_id", json!("c")), ("client", json!("fax"))] {
        let mut body = of_product();
        body[member] = value;
        let answer = api.post("/api/v1/orders").by_alice().json(&body).answer().await;
        assert_eq!(answer.json()["errors"][0]["field"], member);
    }
    assert_eq!(world.head().await, 0);
}

#[tokio::test]
async fn the_rules_of_the_shop_are_seen_as_their_codes() {
    let world = World::new().await;
    let api = Api::new(&world);
    let selection_id = world.select("alice", "course-rust").await;
    let create = |body: serde_json::Value| api.post("/api/v1/orders").by_alice().json(&body).answer();
    let course = json!({ "source": "product", "product_id": "course-rust", "quantity": 1 });
    assert_eq!(create(course).await.problem(), (422, "selection_required".to_owned()));
    assert_eq!(create(json!({ "source": "product", "product_id": "cup", "quantity": 1 })).await.problem().0, 404);
    let of_selection = json!({ "source": "course_selection", "selection_id": selection_id.to_string() });
    assert_eq!(create(of_selection.clone()).await.status, 201);
    assert_eq!(create(of_selection.clone()).await.status, 200);
    let bobs = api.post("/api/v1/orders").by("bob", Role::Buyer).json(&of_selection).answer().await;
    assert_eq!(bobs.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_cancel_is_answered_with_its_proof_or_without() {
    let world = World::new().await;
    let api = Api::new(&world);
    let pay_no = world.pending().await;
    let path = format!("/api/v1/orders/{}/cancel", pay_no.order_id());
    world.channel.queries(Err(unknown(gateway::Operation::Query)));
    let closing = api.post(&path).by_alice().with("if-match", "\"1\", \"2\"").with("idempotency-key", "k").answer().await;
    let expected = json!({ "order_id": pay_no.order_id(), "status": "closing" });
    assert_eq!((closing.status.as_u16(), closing.json()), (202, expected));
    assert_eq!(closing.header("paystream-position"), Some(world.head().await.to_string().as_str()));
    assert_eq!(api.post(&path).by("bob", Role::Buyer).answer().await.problem().0, 404);
    let replayed = api.post(&path).by_alice().with("if-match", "\"2\"").with("idempotency-key", "k").answer().await;
    assert_eq!((replayed.status.as_u16(), replayed.json()), (202, closing.json()), "what the key was answered");
    assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
    let cancelled = api.post(&path).by_alice().answer().await;
    assert_eq!((cancelled.status.as_u16(), &cancelled.json()["status"]), (200, &json!("cancelled")));
    let replayed = api.post(&path).by_alice().with("idempotency-key", "k").answer().await;
    assert_eq!(replayed.json(), closing.json(), "also when it stands otherwise by now");
    let again = api.post(&path).by("oscar", Role::Operator).json(&json!({ "reason": "asked for" })).answer().await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (200, None));
}

#[tokio::test]
async fn a_cancel_that_is_stale_wrong_or_too_late_is_refused() {
    let world = World::new().await;
    let api = Api::new(&world);
    let pay_no = world.pending().await;
    let path = format!("/api/v1/orders/{}/cancel", pay_no.order_id());
    for tag in ["\"0\"", "2", "W/\"2\"", "\"x\"", "\"0\", \"1\"", ","] {
        assert_eq!(api.post(&path).by_alice().with("if-match", tag).answer().await.problem(), (412, "precondition_failed".to_owned()));
    }
    for reason in ["", " ", &"x".repeat(501), "a\nb"] {
        let answer = api.post(&path).by_alice().json(&json!({ "reason": reason })).answer().await;
        assert_eq!(answer.json()["errors"][0]["field"], "reason");
    }
    assert_eq!(api.post("/api/v1/orders/abc/cancel").by_alice().answer().await.problem().0, 404);
    world.pay(pay_no).await;
    let refused = api.post(&path).by_alice().with("if-match", "*").answer().await;
    assert_eq!(refused.problem(), (409, "order_already_paid".to_owned()));
}
