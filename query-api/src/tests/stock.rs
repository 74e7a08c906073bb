use chassis::identity::Role;
use serde_json::json;

use super::rows::SKU;
use super::stage::Stage;

fn path() -> String {
    format!("/api/v1/stock/{SKU}")
}

#[tokio::test]
async fn what_is_available_is_what_is_in_the_house_and_not_held() {
    let stage = Stage::new().await;
    stage.stock(20, 3, 7, 12).await;
    let shown = stage.as_buyer("alice").read(&path()).await;
    assert_eq!(shown, json!({ "sku_id": SKU, "on_hand": 20, "reserved": 3, "available": 17, "sold": 7 }));
}

#[tokio::test]
async fn every_role_may_read_it_and_nobody_without_one() {
    let stage = Stage::new().await;
    stage.stock(20, 0, 0, 0).await;
    for role in Role::ALL {
        assert_eq!(stage.as_role("sam", role).read(&path()).await["available"], 20, "{role:?}");
    }
    stage.as_bearer(stage.token("sam", &[])).get(&path()).await.assert_problem(403, "forbidden");
    stage.as_nobody().get(&path()).await.assert_problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_article_to_which_nothing_ever_happened_is_not_found() {
    let stage = Stage::new().await;
    stage.stock(20, 0, 0, 0).await;
    for sku_id in ["goods-mug-red", "%E6%9D%AF", "a%20b"] {
        stage.as_buyer("alice").get(&format!("/api/v1/stock/{sku_id}")).await.assert_problem(404, "not_found");
    }
}

#[tokio::test]
async fn the_entity_tag_is_the_streams_revision() {
    let stage = Stage::new().await;
    stage.stock(20, 0, 0, 4).await;
    let shown = async |tag: &str| {
        let reply = stage.as_buyer("alice").get_with(&path(), &[("if-none-match", tag)]).await;
        (reply.status.as_u16(), reply.header("etag").to_owned(), reply.body.is_empty())
    };
    assert_eq!(shown("\"4\"").await, (304, "\"4\"".to_owned(), true));
    assert_eq!(shown("\"3\"").await, (200, "\"4\"".to_owned(), false));
    stage.stock(20, 1, 0, 5).await;
    assert_eq!(shown("\"4\"").await, (200, "\"5\"".to_owned(), false));
}

#[tokio::test]
async fn a_wrong_parameter_is_refused_by_name() {
    let stage = Stage::new().await;
    for (query, field) in [("limit=1", "limit"), ("after_position=-1", "after_position")] {
        assert_eq!(stage.as_buyer("alice").refused_field(&format!("{}?{query}", path())).await, field);
    }
}
