use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

fn settings(access_token_url: &str) -> OfficialAccountSettings {
    OfficialAccountSettings {
        authorize_url: "https://open.weixin.qq.com/connect/oauth2/authorize".to_owned(),
        access_token_url: access_token_url.to_owned(),
        appid: "wx0123456789abcdef".to_owned(),
        app_secret: "topsecret0123456789".to_owned().into(),
    }
}

/// Asks a server that answers `body` with `status`; what it was asked comes back too.
async fn asked(status: &str, body: &str) -> (Result<String, OpenIdError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let account =
        WechatOfficialAccount::new(&settings(&format!("http://{}/sns/oauth2/access_token", listener.local_addr().unwrap()))).unwrap();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        String::from_utf8_lossy(&request[..read]).lines().next().unwrap().to_owned()
    };
    tokio::join!(account.openid("c0de"), serve)
}

#[tokio::test]
async fn a_code_becomes_the_wallets_name_for_the_payer() {
    let (openid, request) = asked("200 OK", r#"{"access_token":"t","openid":"oUpF8uMuAJO","scope":"snsapi_base"}"#).await;
    assert_eq!(openid.unwrap(), "oUpF8uMuAJO");
    let expected =
        "GET /sns/oauth2/access_token?appid=wx0123456789abcdef&secret=topsecret0123456789&code=c0de&grant_type=authorization_code HTTP/1.1";
    assert_eq!(request, expected);
}

#[tokio::test]
async fn a_used_code_is_refused_and_silence_is_unknown() {
    let (used, _) = asked("200 OK", r#"{"errcode":40163,"errmsg":"code been used"}"#).await;
    assert!(matches!(used, Err(OpenIdError::Refused { code }) if code == "40163"));
    for (status, body) in [
        ("200 OK", r#"{"errcode":-1,"errmsg":"system error"}"#),
        ("200 OK", r#"{"openid":""}"#),
        ("200 OK", "<html>"),
        ("502 Bad Gateway", "{}"),
    ] {
        assert!(matches!(asked(status, body).await.0, Err(OpenIdError::Unknown(_))), "{status} {body}");
    }
}

#[tokio::test]
async fn an_error_does_not_hold_the_secret() {
    let account = WechatOfficialAccount::new(&settings("http://127.0.0.1:1")).unwrap();
    let error = account.openid("c0de").await.unwrap_err();
    assert!(!format!("{error:?} {account:?}").contains("topsecret"), "{error:?}");
    for code in ["", "a b", &"c".repeat(513)] {
        assert!(matches!(account.openid(code).await, Err(OpenIdError::Refused { .. })), "{code}");
    }
}

#[test]
fn the_payer_is_sent_to_wechat_with_the_members_in_its_order() {
    let account = WechatOfficialAccount::new(&settings("https://api.weixin.qq.com/sns/oauth2/access_token")).unwrap();
    let url = account.authorization_url("https://pay.example/wechat/oauth/t?x=1", "pay");
    let expected = "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx0123456789abcdef\
                    &redirect_uri=https%3A%2F%2Fpay.example%2Fwechat%2Foauth%2Ft%3Fx%3D1&response_type=code&scope=snsapi_base&state=pay\
                    #wechat_redirect";
    assert_eq!(url, expected);
}

#[test]
fn a_configuration_that_cannot_be_right_is_refused_by_its_member() {
    let refused = |change: fn(&mut OfficialAccountSettings)| {
        let mut settings = settings("https://api.weixin.qq.com/sns/oauth2/access_token");
        change(&mut settings);
        match WechatOfficialAccount::new(&settings).unwrap_err() {
            OfficialAccountError::Invalid { member, .. } => member,
            other @ OfficialAccountError::Client(_) => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(|settings| settings.appid = String::new()), "appid");
    assert_eq!(refused(|settings| settings.app_secret = "a b".to_owned().into()), "app_secret");
    assert_eq!(refused(|settings| settings.authorize_url = "ftp://x".to_owned()), "authorize_url");
    assert_eq!(refused(|settings| settings.access_token_url = "nowhere".to_owned()), "access_token_url");
}
