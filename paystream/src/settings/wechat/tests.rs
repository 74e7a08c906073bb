use super::*;

fn typed(pairs: &[(&str, &str)]) -> Typed {
    Typed::read(None, pairs.iter().map(|(name, value)| (name.into(), value.into()))).unwrap()
}

#[track_caller]
fn refused(pairs: &[(&str, &str)]) -> String {
    live(&typed(pairs)).err().unwrap_or_else(|| panic!("{pairs:?} was taken")).to_string()
}

#[test]
fn without_a_variable_there_is_no_merchant() {
    assert!(live(&typed(&[])).unwrap().is_none());
}

#[test]
fn what_is_missing_or_cannot_be_read_is_refused_by_its_variable() {
    let first = refused(&[(variables::WECHAT_PRODUCTS, "native")]);
    assert!(first.starts_with(variables::WECHAT_MCHID), "{first}");
    let merchant = [(variables::WECHAT_MCHID, "1900000109"), (variables::WECHAT_APPID, "wx0123456789abcdef")];
    let no_key = refused(&merchant);
    assert!(no_key.starts_with(variables::WECHAT_API_V3_KEY_FILE), "{no_key}");
    let no_file = refused(&[&merchant[..], &[(variables::WECHAT_API_V3_KEY_FILE, "/nowhere/key")]].concat());
    assert!(no_file.starts_with(variables::WECHAT_API_V3_KEY_FILE) && no_file.contains("/nowhere/key"), "{no_file}");
    let no_address = refused(&[&merchant[..], &[(variables::WECHAT_V2_API_KEY_FILES, "/dev/null")]].concat());
    assert!(no_address.starts_with(variables::WECHAT_V2_SERVER_IP), "{no_address}");
}

#[test]
fn the_contracted_products_are_named_by_their_words() {
    let of = |words: &str| contracted(&typed(&[(variables::WECHAT_PRODUCTS, words)]), variables::WECHAT_PRODUCTS, "wechat_", &V3_PRODUCTS);
    assert_eq!(of("native, h5").unwrap(), [Channel::WechatNative, Channel::WechatH5]);
    assert_eq!(of("mini_program").unwrap(), [Channel::WechatMiniProgram]);
    let none = contracted(&typed(&[]), variables::WECHAT_PRODUCTS, "wechat_", &V3_PRODUCTS);
    assert_eq!(none.unwrap(), [Channel::WechatNative]);
    let old = typed(&[(variables::WECHAT_V2_PRODUCTS, "jsapi")]);
    assert_eq!(contracted(&old, variables::WECHAT_V2_PRODUCTS, "wechat_", &V2_PRODUCTS).unwrap(), [Channel::WechatJsapiV2]);
    for words in ["native,facepay", ",", "wechat_native"] {
        assert!(of(words).unwrap_err().to_string().starts_with(variables::WECHAT_PRODUCTS), "{words}");
    }
}

#[test]
fn a_public_key_without_its_id_is_refused() {
    let keys = public_keys(&typed(&[(variables::WECHAT_PUBLIC_KEY_FILES, "/run/secrets/pub_key.pem")]));
    assert!(keys.unwrap_err().to_string().starts_with(variables::WECHAT_PUBLIC_KEY_FILES));
}

/// A file of this test process with `text`, by its path.
fn file_of(name: &str, text: &str) -> String {
    let path = std::env::temp_dir().join(format!("paystream-wechat-{name}-{}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A merchant of API v2 alone, with more variables.
fn old_merchant<'v>(key: &'v str, more: &[(&'v str, &'v str)]) -> Vec<(&'v str, &'v str)> {
    let merchant = [
        (variables::WECHAT_MCHID, "1900000109"),
        (variables::WECHAT_APPID, "wx0123456789abcdef"),
        (variables::WECHAT_V2_API_KEY_FILES, key),
        (variables::WECHAT_V2_SERVER_IP, "203.0.113.7"),
    ];
    [&merchant[..], more].concat()
}

#[test]
fn a_phones_browser_without_a_site_is_refused_and_not_left_out() {
    let key = file_of("site", "0123456789abcdef0123456789abcdef");
    let products = (variables::WECHAT_V2_PRODUCTS, "native,h5");
    let without = refused(&old_merchant(&key, &[products]));
    assert!(without.starts_with(variables::WECHAT_V2_WAP_URL), "{without}");
    let site = [products, (variables::WECHAT_V2_WAP_URL, "https://shop.example"), (variables::WECHAT_V2_WAP_NAME, "Shop")];
    let merchant = live(&typed(&old_merchant(&key, &site))).unwrap().unwrap();
    assert_eq!(merchant.products, [Channel::WechatNativeV2, Channel::WechatH5V2]);
    std::fs::remove_file(key).unwrap();
}

#[test]
fn the_old_protocol_takes_the_private_key_only_with_its_certificate_where_the_new_one_needs_it_too() {
    let (key, private) = (file_of("key", "0123456789abcdef0123456789abcdef"), file_of("private", "no key at all"));
    let with_private = [(variables::WECHAT_MERCHANT_PRIVATE_KEY_FILE, private.as_str())];
    let pairs = old_merchant(&key, &with_private);
    assert!(api_v2(&typed(&pairs), true).unwrap().client_key.is_none());
    let alone = refused(&pairs);
    assert!(alone.starts_with(variables::WECHAT_MERCHANT_CERTIFICATE_FILE), "{alone}");
    std::fs::remove_file(key).unwrap();
    std::fs::remove_file(private).unwrap();
}
