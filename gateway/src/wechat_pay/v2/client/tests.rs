use super::*;
use crate::Gateway;
use crate::wechat_pay::v2::tests::{APP_ID, MCH_ID, MOBILE_APP_ID, World, assert_refused, settings};

fn at() -> DateTime<Utc> {
    "2026-03-05T06:08:09.9Z".parse().unwrap()
}

fn signed(channel: Channel, prepay_id: &str, nonce: &str) -> Result<ClientParameters, GatewayError> {
    World::new(&settings()).gateway(channel).client_parameters(channel, prepay_id, at(), nonce)
}

#[test]
fn a_page_and_an_app_get_their_own_spelling_and_application() {
    let page = signed(Channel::WechatJsapiV2, "wx2014", "n1").unwrap();
    assert_eq!(
        (page.get("appId"), page.get("timeStamp"), page.get("package")),
        (Some(APP_ID), Some("1772690889"), Some("prepay_id=wx2014"))
    );
    let app = signed(Channel::WechatAppV2, "wx2014", "n1").unwrap();
    assert_eq!((app.get("appid"), app.get("partnerid"), app.get("prepayid")), (Some(MOBILE_APP_ID), Some(MCH_ID), Some("wx2014")));
    assert_eq!((page.get("paySign").map(str::len), app.get("sign").map(str::len)), (Some(32), Some(32)));
}

#[test]
fn what_cannot_be_signed_is_refused() {
    for channel in [Channel::WechatNativeV2, Channel::WechatH5V2] {
        assert_refused(signed(channel, "wx2014", "n1"), "paystream.no_client_parameters");
    }
    let other = World::new(&settings()).gateway(Channel::WechatAppV2).client_parameters(Channel::WechatJsapiV2, "wx2014", at(), "n1");
    assert_refused(other, "paystream.other_channel");
    for prepay_id in ["", "a b", &"1".repeat(129)] {
        assert_refused(signed(Channel::WechatAppV2, prepay_id, "n1"), "paystream.invalid_prepay_id");
    }
    for nonce in ["", "a-b", &"1".repeat(33)] {
        assert_refused(signed(Channel::WechatAppV2, "wx2014", nonce), "paystream.invalid_nonce");
    }
}
