//! Who looks at a page inside WeChat: an official account's OAuth with the least that can be asked for (`snsapi_base`, which
//! shows the person nothing).
//!
//! Source: WeChat's official accounts, pages of web authorization.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chassis::secret::Secret;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde::Deserialize;

use crate::http::{self, TransportError};
use crate::{OfficialAccount, OpenIdError};

/// How long the question may take; the payer waits.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The largest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;

/// The longest code, in bytes.
const CODE_LIMIT: usize = 512;

/// The configuration as it is typed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficialAccountSettings {
    /// The page that asks WeChat, for instance `https://open.weixin.qq.com/connect/oauth2/authorize`.
    pub authorize_url: String,
    /// Where codes are turned into names, for instance `https://api.weixin.qq.com/sns/oauth2/access_token`.
    pub access_token_url: String,
    /// The official account, bound to the merchant number.
    pub appid: String,
    /// Its secret (`AppSecret`), set on the official accounts platform. Not a key of WeChat Pay.
    pub app_secret: Secret<String>,
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum OfficialAccountError {
    /// A member cannot be right.
    #[error("{member}: {expected}")]
    Invalid {
        /// The member's name in [`OfficialAccountSettings`].
        member: &'static str,
        /// What is expected of it.
        expected: &'static str,
    },
    /// The HTTP client could not be made.
    #[error("the way to WeChat cannot be prepared")]
    Client(#[source] reqwest::Error),
}

/// An official account.
pub struct WechatOfficialAccount {
    authorize_url: Url,
    token_url: Url,
    appid: String,
    app_secret: Secret<String>,
    client: Client,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    openid: Option<String>,
    #[serde(default)]
    errcode: Option<i64>,
}

#[derive(Debug, thiserror::Error)]
enum AnswerError {
    #[error("the question failed on its way")]
    Transport(#[source] TransportError),
    #[error("the answer has the HTTP status {0}")]
    Status(u16),
    #[error("the answer is not readable")]
    Unreadable(#[source] serde_json::Error),
    #[error("the answer names nobody")]
    Empty,
}

impl WechatOfficialAccount {
    /// The account as configured. Makes no connection yet.
    pub fn new(settings: &OfficialAccountSettings) -> Result<Self, OfficialAccountError> {
        let url = |member, text: &str| {
            let invalid = OfficialAccountError::Invalid { member, expected: "an http or https URL without a query is expected" };
            let is_fit = |url: &Url| matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
            Url::parse(text).ok().filter(is_fit).ok_or(invalid)
        };
        let is_word = |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        for (member, value) in [("appid", settings.appid.as_str()), ("app_secret", settings.app_secret.expose())] {
            if !is_word(value) {
                return Err(OfficialAccountError::Invalid { member, expected: "1 to 64 letters and digits are expected" });
            }
        }
        let client = Client::builder().timeout(TIME_LIMIT).redirect(Policy::none()).build().map_err(OfficialAccountError::Client)?;
        Ok(Self {
            authorize_url: url("authorize_url", &settings.authorize_url)?,
            token_url: url("access_token_url", &settings.access_token_url)?,
            appid: settings.appid.clone(),
            app_secret: settings.app_secret.clone(),
            client,
        })
    }

    async fn ask(&self, code: &str) -> Result<Told, AnswerError> {
        let mut url = self.token_url.clone();
        url.query_pairs_mut()
            .append_pair("appid", &self.appid)
            .append_pair("secret", self.app_secret.expose())
            .append_pair("code", code)
            .append_pair("grant_type", "authorization_code");
        let answer = http::answer(self.client.get(url).send().await, ANSWER_LIMIT).await.map_err(AnswerError::Transport)?;
        if answer.status != 200 {
            return Err(AnswerError::Status(answer.status));
        }
        serde_json::from_slice(&answer.body).map_err(AnswerError::Unreadable)
    }
}

#[async_trait]
impl OfficialAccount for WechatOfficialAccount {
    fn authorization_url(&self, redirect_uri: &str, state: &str) -> String {
        let mut url = self.authorize_url.clone();
        // WeChat reads its parameters in this order only.
        url.query_pairs_mut()
            .append_pair("appid", &self.appid)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("response_type", "code")
            .append_pair("scope", "snsapi_base")
            .append_pair("state", state);
        url.set_fragment(Some("wechat_redirect"));
        url.into()
    }

    async fn openid(&self, code: &str) -> Result<String, OpenIdError> {
        if code.is_empty() || code.len() > CODE_LIMIT || !code.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(OpenIdError::Refused { code: "paystream.invalid_code".to_owned() });
        }
        let told = self.ask(code).await.map_err(|error| OpenIdError::Unknown(Box::new(error)))?;
        match (told.errcode, told.openid.filter(|openid| !openid.is_empty())) {
            // -1: WeChat is busy. Anything else will be said again.
            (Some(-1), _) => Err(OpenIdError::Unknown(Box::new(AnswerError::Empty))),
            (Some(errcode), _) if errcode != 0 => Err(OpenIdError::Refused { code: errcode.to_string() }),
            (_, Some(openid)) => Ok(openid),
            (_, None) => Err(OpenIdError::Unknown(Box::new(AnswerError::Empty))),
        }
    }
}

impl fmt::Debug for WechatOfficialAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WechatOfficialAccount").field("appid", &self.appid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
