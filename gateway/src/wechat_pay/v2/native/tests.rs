use proptest::prelude::*;

use super::*;
use crate::wechat_pay::v2::tests::{APP_ID, MCH_ID, World, assert_refused, settings, signed_message};

const SCAN: [(&str, &str); 6] = [
    ("appid", APP_ID),
    ("openid", "o8GeHuLAsgefS_80exEr1cTqekUs"),
    ("mch_id", MCH_ID),
    ("is_subscribe", "N"),
    ("nonce_str", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"),
    ("product_id", "88888"),
];

fn native() -> WechatPayV2Gateway {
    World::new(&settings()).native()
}

fn read(changed: &str, value: &str) -> Result<ProductScan, NotificationRefusal> {
    let members = SCAN.map(|(name, old)| (name, if name == changed { value } else { old }));
    native().read_scan(signed_message(&settings(), &members).as_bytes())
}

#[test]
fn a_callback_tells_who_scanned_what() {
    let expected = ProductScan {
        openid: "o8GeHuLAsgefS_80exEr1cTqekUs".to_owned(),
        product_id: "88888".to_owned(),
        nonce: "5K8264ILTKCH16CQ2502SI8ZNMTM67VS".to_owned(),
    };
    assert_eq!(read("", ""), Ok(expected));
}

#[test]
fn a_callback_for_another_merchant_or_without_its_members_is_refused() {
    assert_eq!(read("appid", "wx0"), Err(NotificationRefusal::AppIdMismatch));
    assert_eq!(read("mch_id", "1900000999"), Err(NotificationRefusal::MerchantIdMismatch));
    for name in ["appid", "mch_id", "openid", "product_id", "nonce_str"] {
        assert_eq!(read(name, ""), Err(NotificationRefusal::Incomplete), "{name}");
    }
    let genuine = signed_message(&settings(), &SCAN);
    for (body, refusal) in [
        (genuine.replace("88888", "88889"), NotificationRefusal::BadSignature),
        (genuine.replace("<xml>", "<!DOCTYPE xml><xml>"), NotificationRefusal::UnsafeXml),
        (genuine.replace("</xml>", "<openid>1</openid></xml>"), NotificationRefusal::DuplicateParam),
        (genuine[..40].to_owned(), NotificationRefusal::Malformed),
        ("<xml><appid>1</appid></xml>".to_owned(), NotificationRefusal::MissingSign),
    ] {
        assert_eq!(native().read_scan(body.as_bytes()), Err(refusal), "{body}");
    }
}

#[test]
fn a_reply_is_signed_whatever_it_says() {
    let native = native();
    let read = |answer: &ScanAnswer| xml::read(native.scan_reply(answer, "n1").as_bytes(), xml::ROOT).unwrap();
    let prepared = read(&ScanAnswer::Prepared { prepay_id: "wx2014".to_owned() });
    assert_eq!((prepared["result_code"].as_str(), prepared["prepay_id"].as_str()), ("SUCCESS", "wx2014"));
    let declined = read(&ScanAnswer::Declined { shown: format!("]]>\u{0}{}", "课".repeat(100)) });
    assert_eq!(
        (declined["result_code"].as_str(), declined["err_code_des"].as_str()),
        ("FAIL", format!("]]> {}", "课".repeat(41)).as_str())
    );
    for reply in [prepared, declined] {
        assert_eq!(native.merchant.config.signer.verify(&reply), Ok(()));
        assert_eq!((reply["return_code"].as_str(), reply["appid"].as_str(), reply["mch_id"].as_str()), ("SUCCESS", APP_ID, MCH_ID));
    }
    assert_eq!(xml::read(native.scan_refusal().as_bytes(), xml::ROOT).unwrap()["return_code"], "FAIL");
}

#[test]
fn a_link_names_a_product_that_the_channel_takes_and_is_encoded() {
    let at = "2026-03-05T06:08:09Z".parse().unwrap();
    let link = |product_id: &str, nonce: &str| native().product_link(product_id, at, nonce);
    assert_eq!(link("SKU-1", "n1").unwrap(), link("SKU-1", "n1").unwrap());
    assert!(link("a/b+c", "n1").unwrap().contains("&product_id=a%2Fb%2Bc&time_stamp=1772690889&sign="));
    for product_id in ["", "a b", "a&b", "a=b", "商品", &"1".repeat(33)] {
        assert_refused(link(product_id, "n1"), "paystream.invalid_product_id");
    }
    for nonce in ["", "a&b", &"1".repeat(33)] {
        assert_refused(link("SKU-1", nonce), "paystream.invalid_nonce");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(native().read_scan(&bytes).is_err());
    }
}
