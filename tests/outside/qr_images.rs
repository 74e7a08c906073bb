//! The payment code as an image, with the contract's options (S58–S69).

use super::harness::journey::open_order;
use super::harness::random::unique;
use super::harness::{SharedPaystream, qr, run};

static SHARED: SharedPaystream = SharedPaystream::new("qr-images");

#[test]
fn the_image_holds_what_the_record_says_in_every_size_and_level() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("qr"));
        let order = open_order(&buyer).await;
        for options in ["", "?level=L", "?level=M", "?level=Q", "?level=H", "?size=400", "?format=png&size=250&level=H"] {
            let image = buyer.get(&format!("/api/v1/pay-records/{}/qr{options}", order.pay_no)).send().await.expect(200);
            assert_eq!(image.content_type(), "image/png", "{options}");
            assert_eq!(qr::read_png(&image.body), order.qr_content, "{options}");
        }
    });
}

#[test]
fn the_image_has_the_size_and_the_colours_that_were_asked_for() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("qr"));
        let order = open_order(&buyer).await;
        let path = format!("/api/v1/pay-records/{}/qr?size=300&foreground=1677ff&background=fff5e6", order.pay_no);
        let image = buyer.get(&path).send().await.expect(200);
        let (width, height, pixels) = qr::rgb_pixels(&image.body);
        assert_eq!((width, height), (300, 300));
        let colours: std::collections::BTreeSet<_> = pixels.into_iter().collect();
        assert_eq!(colours.into_iter().collect::<Vec<_>>(), [[0x16, 0x77, 0xff], [0xff, 0xf5, 0xe6]]);
        assert_eq!(qr::read_png(&image.body), order.qr_content);
    });
}

#[test]
fn the_code_is_also_a_drawing_that_scales() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("qr"));
        let order = open_order(&buyer).await;
        let drawing = buyer.get(&format!("/api/v1/pay-records/{}/qr?format=svg&foreground=112233", order.pay_no)).send().await.expect(200);
        assert!(drawing.content_type().starts_with("image/svg+xml"), "{}", drawing.content_type());
        let text = drawing.text();
        assert!(text.contains("<svg") && text.contains("112233") && !text.contains("<script"), "{text:.200}");
    });
}

#[test]
fn options_that_are_not_there_are_refused() {
    run(async {
        let server = SHARED.get().await;
        let buyer = server.buyer(&unique("qr"));
        let order = open_order(&buyer).await;
        for options in [
            "format=gif",
            "size=0",
            "size=-1",
            "size=100000",
            "size=big",
            "level=X",
            "foreground=red%22",
            "background=12",
            "foreground=ffffff&background=ffffff",
        ] {
            let refused = buyer.get(&format!("/api/v1/pay-records/{}/qr?{options}", order.pay_no)).send().await;
            assert!(matches!(refused.status, 400 | 422), "{options}: {refused}");
            refused.problem();
        }
    });
}
