//! WeChat Pay's live configuration: API v3, API v2 for merchants who have it still, and the official account of pages inside
//! WeChat.

use std::collections::BTreeMap;

use chassis::clock::{Clock, SystemClock};
use chassis::problem::Chain;
use chassis::secret::Secret;
use domain::Channel;
use gateway::wechat_pay::official_account::{OfficialAccountSettings, WechatOfficialAccount};
use gateway::wechat_pay::{v2, v3};

use super::{SettingError, invalid, list, on_off};
use crate::variables::{self, Typed};
use crate::wechat::{V2_PRODUCTS, V3_PRODUCTS, WechatMerchant};

/// What API v3 needs.
const V3: [&str; 3] = [variables::WECHAT_API_V3_KEY_FILE, variables::WECHAT_MERCHANT_SERIAL, variables::WECHAT_MERCHANT_PRIVATE_KEY_FILE];

/// Everything else that is read here.
const OTHERS: [&str; 18] = [
    variables::WECHAT_BASE_URL,
    variables::WECHAT_MCHID,
    variables::WECHAT_APPID,
    variables::WECHAT_APP_APPID,
    variables::WECHAT_MINI_PROGRAM_APPID,
    variables::WECHAT_MERCHANT_CERTIFICATE_FILE,
    variables::WECHAT_PUBLIC_KEY_FILES,
    variables::WECHAT_PLATFORM_CERTIFICATE_FILES,
    variables::WECHAT_PLATFORM_AUTHORITY_FILE,
    variables::WECHAT_FETCH_CERTIFICATES,
    variables::WECHAT_PRODUCTS,
    variables::WECHAT_APP_SECRET_FILE,
    variables::WECHAT_V2_API_KEY_FILES,
    variables::WECHAT_V2_SIGN_TYPE,
    variables::WECHAT_V2_SERVER_IP,
    variables::WECHAT_V2_WAP_URL,
    variables::WECHAT_V2_WAP_NAME,
    variables::WECHAT_V2_PRODUCTS,
];

const BASE_URL: &str = "https://api.mch.weixin.qq.com";
const AUTHORIZE_URL: &str = "https://open.weixin.qq.com/connect/oauth2/authorize";
const ACCESS_TOKEN_URL: &str = "https://api.weixin.qq.com/sns/oauth2/access_token";

/// WeChat Pay's live merchant; `None` where nothing of it is configured.
pub(super) fn live(typed: &Typed) -> Result<Option<WechatMerchant>, SettingError> {
    let is_given = |variable: &&str| typed.get(variable).is_some();
    if !V3.iter().chain(&OTHERS).any(is_given) {
        return Ok(None);
    }
    let has_v2 = typed.get(variables::WECHAT_V2_API_KEY_FILES).is_some();
    // The merchant's private key belongs to both: API v2 refunds with it.
    let has_v3 = [variables::WECHAT_API_V3_KEY_FILE, variables::WECHAT_MERCHANT_SERIAL].iter().any(is_given) || !has_v2;
    let v3 = has_v3.then(|| api_v3(typed)).transpose()?;
    let v2 = has_v2.then(|| api_v2(typed, has_v3)).transpose()?;
    let account = official_account(typed)?;
    let mut products = Vec::new();
    if v3.is_some() {
        products.extend(contracted(typed, variables::WECHAT_PRODUCTS, "wechat_", &V3_PRODUCTS)?);
    }
    if v2.is_some() {
        let old = contracted(typed, variables::WECHAT_V2_PRODUCTS, "wechat_", &V2_PRODUCTS)?;
        if old.contains(&Channel::WechatH5V2) {
            let site = [variables::WECHAT_V2_WAP_URL, variables::WECHAT_V2_WAP_NAME];
            site.into_iter().try_for_each(|variable| required(typed, variable).map(drop))?;
        }
        products.extend(old);
    }
    Ok(Some(WechatMerchant { v3, v2, account, products }))
}

fn api_v3(typed: &Typed) -> Result<v3::WechatPaySettings, SettingError> {
    let (mchid, appid) = (required(typed, variables::WECHAT_MCHID)?.to_owned(), required(typed, variables::WECHAT_APPID)?.to_owned());
    required(typed, variables::WECHAT_API_V3_KEY_FILE)?;
    let texts = files(typed, variables::WECHAT_API_V3_KEY_FILE)?;
    let mut api_v3_keys = texts.into_iter().map(|text| Secret::new(text.trim().to_owned()));
    let api_v3_key = api_v3_keys.next().unwrap_or_default();
    let settings = v3::WechatPaySettings {
        base_url: typed.get(variables::WECHAT_BASE_URL).unwrap_or(BASE_URL).to_owned(),
        mchid,
        appid,
        app_appid: typed.get(variables::WECHAT_APP_APPID).map(str::to_owned),
        mini_program_appid: typed.get(variables::WECHAT_MINI_PROGRAM_APPID).map(str::to_owned),
        api_v3_key,
        other_api_v3_keys: api_v3_keys.collect(),
        merchant_serial: required(typed, variables::WECHAT_MERCHANT_SERIAL)?.to_owned(),
        merchant_private_key: secret(typed, variables::WECHAT_MERCHANT_PRIVATE_KEY_FILE)?,
        merchant_certificate: file(typed, variables::WECHAT_MERCHANT_CERTIFICATE_FILE)?,
        public_keys: public_keys(typed)?,
        platform_certificates: files(typed, variables::WECHAT_PLATFORM_CERTIFICATE_FILES)?,
        platform_authority: file(typed, variables::WECHAT_PLATFORM_AUTHORITY_FILE)?,
        fetch_platform_certificates: on_off(typed, variables::WECHAT_FETCH_CERTIFICATES)?.unwrap_or(false),
        timeout_ms: None,
    };
    let checked = v3::WechatPayConfig::new(&settings, SystemClock::default().now());
    checked.map_err(|error| invalid(variable_of_v3(error.member()), Chain(&error).to_string()))?;
    Ok(settings)
}

/// With the merchant's certificate where it is given: API v3 needs its private key alone.
fn api_v2(typed: &Typed, has_v3: bool) -> Result<v2::WechatPayV2Settings, SettingError> {
    let keys = files(typed, variables::WECHAT_V2_API_KEY_FILES)?;
    let client_certificate = file(typed, variables::WECHAT_MERCHANT_CERTIFICATE_FILE)?;
    let client_key = file(typed, variables::WECHAT_MERCHANT_PRIVATE_KEY_FILE)?.filter(|_| client_certificate.is_some() || !has_v3);
    let settings = v2::WechatPayV2Settings {
        base_url: typed.get(variables::WECHAT_BASE_URL).unwrap_or(BASE_URL).to_owned(),
        app_id: required(typed, variables::WECHAT_APPID)?.to_owned(),
        mobile_app_id: typed.get(variables::WECHAT_APP_APPID).map(str::to_owned),
        mch_id: required(typed, variables::WECHAT_MCHID)?.to_owned(),
        api_keys: keys.into_iter().map(|key| Secret::new(key.trim().to_owned())).collect(),
        sign_type: typed.get(variables::WECHAT_V2_SIGN_TYPE).unwrap_or("HMAC-SHA256").to_owned(),
        client_certificate,
        client_key: client_key.map(Secret::new),
        server_ip: required(typed, variables::WECHAT_V2_SERVER_IP)?.to_owned(),
        wap_url: typed.get(variables::WECHAT_V2_WAP_URL).map(str::to_owned),
        wap_name: typed.get(variables::WECHAT_V2_WAP_NAME).map(str::to_owned),
        timeout_ms: None,
    };
    v2::WechatPayV2Config::new(&settings).map_err(|error| invalid(variable_of_v2(error.member()), Chain(&error).to_string()))?;
    Ok(settings)
}

fn official_account(typed: &Typed) -> Result<Option<OfficialAccountSettings>, SettingError> {
    let Some(app_secret) = file(typed, variables::WECHAT_APP_SECRET_FILE)? else { return Ok(None) };
    let settings = OfficialAccountSettings {
        authorize_url: AUTHORIZE_URL.to_owned(),
        access_token_url: ACCESS_TOKEN_URL.to_owned(),
        appid: required(typed, variables::WECHAT_APPID)?.to_owned(),
        app_secret: Secret::new(app_secret.trim().to_owned()),
    };
    WechatOfficialAccount::new(&settings).map_err(|error| invalid(variables::WECHAT_APP_SECRET_FILE, error.to_string()))?;
    Ok(Some(settings))
}

/// The products that are contracted: codes to scan alone, unless more are named.
fn contracted(typed: &Typed, variable: &'static str, prefix: &str, all: &[Channel]) -> Result<Vec<Channel>, SettingError> {
    let Some(words) = typed.get(variable) else { return Ok(all.first().copied().into_iter().collect()) };
    let word_of = |channel: &Channel| {
        let word = channel.as_str().trim_start_matches(prefix);
        word.trim_end_matches("_v2").to_owned()
    };
    let known = |word: &String| all.iter().find(|channel| word_of(channel) == *word).copied();
    let products: Option<Vec<Channel>> = list(Some(words)).iter().map(known).collect();
    let words: Vec<String> = all.iter().map(word_of).collect();
    let expected = format!("{}, those that are contracted, separated by commas", words.join(", "));
    products.filter(|products| !products.is_empty()).ok_or_else(|| invalid(variable, expected))
}

/// `PUB_KEY_ID_…=file`, separated by commas.
fn public_keys(typed: &Typed) -> Result<BTreeMap<String, String>, SettingError> {
    let variable = variables::WECHAT_PUBLIC_KEY_FILES;
    let expected = || invalid(variable, "PUB_KEY_ID_…=<file>, separated by commas");
    let named = list(typed.get(variable)).into_iter().map(|pair| {
        let (id, path) = pair.split_once('=').ok_or_else(expected)?;
        Ok((id.to_owned(), read(variable, path)?))
    });
    named.collect()
}

fn required<'t>(typed: &'t Typed, variable: &'static str) -> Result<&'t str, SettingError> {
    typed.get(variable).ok_or_else(|| invalid(variable, "it is missing: WeChat Pay needs it"))
}

fn secret(typed: &Typed, variable: &'static str) -> Result<Secret<String>, SettingError> {
    Ok(Secret::new(read(variable, required(typed, variable)?)?.trim().to_owned()))
}

fn file(typed: &Typed, variable: &'static str) -> Result<Option<String>, SettingError> {
    typed.get(variable).map(|path| read(variable, path)).transpose()
}

fn files(typed: &Typed, variable: &'static str) -> Result<Vec<String>, SettingError> {
    list(typed.get(variable)).iter().map(|path| read(variable, path)).collect()
}

fn read(variable: &'static str, path: &str) -> Result<String, SettingError> {
    std::fs::read_to_string(path).map_err(|source| SettingError::KeyFile { variable, path: path.to_owned(), source })
}

fn variable_of_v3(member: &str) -> &'static str {
    match member {
        "base_url" => variables::WECHAT_BASE_URL,
        "mchid" => variables::WECHAT_MCHID,
        "appid" => variables::WECHAT_APPID,
        "app_appid" => variables::WECHAT_APP_APPID,
        "mini_program_appid" => variables::WECHAT_MINI_PROGRAM_APPID,
        "api_v3_key" => variables::WECHAT_API_V3_KEY_FILE,
        "merchant_serial" => variables::WECHAT_MERCHANT_SERIAL,
        "merchant_private_key" => variables::WECHAT_MERCHANT_PRIVATE_KEY_FILE,
        "merchant_certificate" => variables::WECHAT_MERCHANT_CERTIFICATE_FILE,
        "platform_certificates" => variables::WECHAT_PLATFORM_CERTIFICATE_FILES,
        "platform_authority" => variables::WECHAT_PLATFORM_AUTHORITY_FILE,
        _ => variables::WECHAT_PUBLIC_KEY_FILES,
    }
}

fn variable_of_v2(member: &str) -> &'static str {
    match member {
        "base_url" => variables::WECHAT_BASE_URL,
        "mch_id" => variables::WECHAT_MCHID,
        "app_id" => variables::WECHAT_APPID,
        "mobile_app_id" => variables::WECHAT_APP_APPID,
        "sign_type" => variables::WECHAT_V2_SIGN_TYPE,
        "client_certificate" => variables::WECHAT_MERCHANT_CERTIFICATE_FILE,
        "client_key" => variables::WECHAT_MERCHANT_PRIVATE_KEY_FILE,
        "server_ip" => variables::WECHAT_V2_SERVER_IP,
        "wap_url" => variables::WECHAT_V2_WAP_URL,
        "wap_name" => variables::WECHAT_V2_WAP_NAME,
        _ => variables::WECHAT_V2_API_KEY_FILES,
    }
}

#[cfg(test)]
mod tests;
