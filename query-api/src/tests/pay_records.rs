use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chassis::identity::Role;
use serde_json::{Value, json};

use super::rows::{CODE, ORDER, PAY_NO};
use super::stage::Stage;

fn path() -> String {
    format!("/api/v1/pay-records/{PAY_NO}")
}

async fn with_code() -> Stage {
    let stage = Stage::new().await;
    stage.pay_record(PAY_NO, ORDER, Some("library"), Some(CODE)).await;
    stage
}

/// Width and colours of an image, row by row.
fn pixels(png: &[u8]) -> (usize, Vec<[u8; 3]>) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut buffer).unwrap();
    assert_eq!((info.width, info.color_type), (info.height, png::ColorType::Rgb));
    (usize::try_from(info.width).unwrap(), buffer.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect())
}

fn scan(png: &[u8]) -> String {
    let (width, colours) = pixels(png);
    // Only the red part is looked at: enough for the colours of these tests.
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, width, |x, y| colours[y * width + x][0]);
    let codes = image.detect_grids();
    assert_eq!(codes.len(), 1);
    codes[0].decode().unwrap().1
}

#[tokio::test]
async fn a_pay_record_is_shown_with_its_code_and_its_link() {
    let stage = with_code().await;
    let record = stage.as_buyer("alice").read(&path()).await;
    for (member, value) in [
        ("pay_no", json!(PAY_NO)),
        ("order_id", json!(ORDER)),
        ("channel", json!("alipay_qr")),
        ("amount", json!(19_900)),
        ("amount_text", json!("199.00")),
        ("status", json!("pending")),
        ("qr_content", json!(CODE)),
        ("pay_url", json!(format!("https://pay.example/pay/sealed-{PAY_NO}"))),
        ("expires_at", json!("2026-07-20T08:20:00Z")),
        ("trade_no", Value::Null),
        ("paid_at", Value::Null),
    ] {
        assert_eq!(record[member], value, "{member}");
    }
    let image = STANDARD.decode(record["qr_code"].as_str().unwrap().strip_prefix("data:image/png;base64,").unwrap()).unwrap();
    assert_eq!((scan(&image).as_str(), pixels(&image).0), (CODE, 200));
    assert_eq!(stage.as_buyer("alice").read(&path()).await, record, "a code that was drawn before is the same");
}

#[tokio::test]
async fn a_pay_record_without_a_code_has_no_image() {
    let stage = Stage::new().await;
    stage.pay_record(PAY_NO, ORDER, None, None).await;
    let alice = stage.as_buyer("alice");
    let record = alice.read(&path()).await;
    assert_eq!((&record["status"], &record["qr_content"], &record["qr_code"]), (&json!("preparing"), &Value::Null, &Value::Null));
    assert_eq!(record["expires_at"], "2026-07-20T08:30:00Z");
    alice.get(&format!("{}/qr", path())).await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn what_is_not_paid_online_has_no_link() {
    let stage = with_code().await;
    stage.views.execute("update pay_record_view set channel = 'none', code_url = null", Vec::new()).await.unwrap();
    assert_eq!(stage.as_buyer("alice").read(&path()).await["pay_url"], Value::Null);
}

#[tokio::test]
async fn the_entity_tag_is_the_revision_and_spares_the_body() {
    let stage = with_code().await;
    let alice = stage.as_buyer("alice");
    assert_eq!(alice.get(&path()).await.header("etag"), "\"2\"");
    assert_eq!(alice.get_with(&path(), &[("if-none-match", "\"2\"")]).await.status.as_u16(), 304);
    assert_eq!(alice.get_with(&path(), &[("if-none-match", "\"1\"")]).await.status.as_u16(), 200);
}

#[tokio::test]
async fn the_entity_tag_is_that_of_the_orders_stream_which_commands_compare() {
    let stage = with_code().await;
    stage.taken_in(ORDER, 5).await;
    let alice = stage.as_buyer("alice");
    assert_eq!(alice.get(&path()).await.header("etag"), "\"5\"");
    for (tags, status) in [("\"5\"", 304), ("\"2\", \"5\"", 304), ("\"1\" , W/\"5\"", 304), ("\"2\", \"4\"", 200)] {
        assert_eq!(alice.get_with(&path(), &[("if-none-match", tags)]).await.status.as_u16(), status, "{tags}");
    }
}

#[tokio::test]
async fn anothers_pay_record_and_code_are_not_found() {
    let stage = with_code().await;
    for (caller, status) in [
        (stage.as_buyer("alice"), 200),
        (stage.as_buyer("bob"), 404),
        (stage.as_role("library", Role::Service), 200),
        (stage.as_role("other", Role::Service), 404),
        (stage.as_role("olga", Role::Operator), 200),
        (stage.as_auditor(), 200),
        (stage.as_nobody(), 401),
    ] {
        for path in [path(), format!("{}/qr", path())] {
            assert_eq!(caller.get(&path).await.status.as_u16(), status, "{path}");
        }
    }
    for number in ["33128490532218470499", "1", "abc", "%00"] {
        stage.as_buyer("alice").get(&format!("/api/v1/pay-records/{number}")).await.assert_problem(404, "not_found");
    }
}

#[tokio::test]
async fn the_image_holds_the_records_content_in_every_size_and_level() {
    let stage = with_code().await;
    for (options, width) in [("", 200), ("?level=L", 200), ("?level=q", 200), ("?level=H&size=400", 400), ("?format=png&size=61", 61)] {
        let image = stage.as_buyer("alice").get(&format!("{}/qr{options}", path())).await;
        assert_eq!((image.status.as_u16(), image.header("content-type")), (200, "image/png"), "{options}");
        assert_eq!((scan(&image.body).as_str(), pixels(&image.body).0), (CODE, width), "{options}");
    }
}

#[tokio::test]
async fn the_image_has_the_colours_that_were_asked_for() {
    let stage = with_code().await;
    let image = stage.as_buyer("alice").get(&format!("{}/qr?foreground=1677ff&background=%23fff5e6", path())).await;
    let colours: std::collections::BTreeSet<_> = pixels(&image.body).1.into_iter().collect();
    assert_eq!(colours.into_iter().collect::<Vec<_>>(), [[0x16, 0x77, 0xff], [0xff, 0xf5, 0xe6]]);
    assert_eq!(scan(&image.body), CODE);
}

#[tokio::test]
async fn the_code_is_also_a_drawing() {
    let stage = with_code().await;
    let drawing = stage.as_buyer("alice").get(&format!("{}/qr?format=svg&foreground=112233", path())).await;
    assert_eq!(drawing.header("content-type"), "image/svg+xml");
    let text = drawing.text();
    assert!(text.contains("<svg") && text.contains("#112233") && !text.contains("<script"), "{text}");
}

#[tokio::test]
async fn only_the_client_itself_may_keep_the_image() {
    let stage = with_code().await;
    let (alice, path) = (stage.as_buyer("alice"), format!("{}/qr", path()));
    let image = alice.get(&path).await;
    assert!(image.header("cache-control").starts_with("private"), "{}", image.header("cache-control"));
    let tag = image.header("etag").to_owned();
    let kept = alice.get_with(&path, &[("if-none-match", &tag)]).await;
    assert_eq!((kept.status.as_u16(), kept.body.len()), (304, 0));
    let other = alice.get_with(&format!("{path}?size=300"), &[("if-none-match", &tag)]).await;
    assert_eq!(other.status.as_u16(), 200);
}

#[tokio::test]
async fn options_that_are_not_there_are_refused_by_name() {
    let stage = with_code().await;
    for (options, field) in [
        ("format=gif", "format"),
        ("size=0", "size"),
        ("size=-1", "size"),
        ("size=100000", "size"),
        ("size=big", "size"),
        ("level=X", "level"),
        ("foreground=red%22", "foreground"),
        ("background=12", "background"),
        ("foreground=ffffff&background=ffffff", "foreground"),
        ("value=https://evil.example", "value"),
    ] {
        let path = format!("{}/qr?{options}", path());
        assert_eq!(stage.as_buyer("alice").refused_field(&path).await, field, "{options}");
    }
}

#[tokio::test]
async fn a_code_that_does_not_fit_names_the_option_that_would_help() {
    let stage = with_code().await;
    let long = format!("https://qr.example/{}", "x".repeat(2_000));
    stage.views.execute("update pay_record_view set code_url = $1", database::values![long]).await.unwrap();
    let alice = stage.as_buyer("alice");
    assert_eq!(alice.refused_field(&format!("{}/qr?level=H&size=1000", path())).await, "level");
    assert_eq!(alice.refused_field(&format!("{}/qr?level=L&size=60", path())).await, "size");
    assert_eq!(alice.get(&format!("{}/qr?level=L&size=1000", path())).await.status.as_u16(), 200);
}
