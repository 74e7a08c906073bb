use super::*;

/// The settings of these variables, with no file and nothing else in the environment.
fn settings(pairs: &[(&str, &str)], roles: &[&str]) -> Result<Settings, SettingError> {
    let environment = pairs.iter().map(|(name, value)| (name.into(), value.into()));
    let roles: Vec<_> = roles.iter().map(|role| (*role).to_owned()).collect();
    Settings::of(&Typed::read(None, environment)?, &roles)
}

#[track_caller]
fn refused(pairs: &[(&str, &str)]) -> String {
    settings(pairs, &[]).err().unwrap_or_else(|| panic!("{pairs:?} was taken")).to_string()
}

#[test]
fn without_a_variable_it_runs_whole_with_embedded_stores() {
    let settings = settings(&[], &[]).unwrap();
    assert_eq!(settings.roles.len(), Role::ALL.len() - 1, "all but the relay, which needs a broker");
    assert!(settings.nats.is_none() && !settings.plays(Role::Relay));
    assert!(settings.event_store.sqlite_path().is_some() && settings.demo);
    assert!(matches!(settings.alipay, AlipaySource::OwnSandbox));
    assert_eq!(settings.admission, AdmissionConfig::default());
    assert_eq!(settings.trusted_proxies, TrustedProxies::default());
}

#[test]
fn limits_and_proxies_are_taken_as_they_are_written() {
    let settings = settings(
        &[
            (variables::RATE_LIMIT_BUYER, "20/2"),
            (variables::RATE_LIMIT_SYSTEM, "30/3"),
            (variables::RATE_LIMIT_ADDRESS, "40/4"),
            (variables::TRUSTED_PROXIES, "10.0.0.0/8, 192.0.2.7"),
        ],
        &[],
    )
    .unwrap();
    let rate = |text: &str| text.parse::<Rate>().unwrap();
    let expected = AdmissionConfig { buyer: rate("20/2"), system: rate("30/3"), address: rate("40/4") };
    assert_eq!(settings.admission, expected);
    assert_eq!(settings.trusted_proxies, "10.0.0.0/8,192.0.2.7".parse().unwrap());
}

#[test]
fn a_value_that_cannot_be_meant_is_refused_by_its_variable() {
    for (variable, value) in [
        (variables::SNOWFLAKE_WORKER, "1024"),
        (variables::SNOWFLAKE_WORKER, "-1"),
        (variables::PUBLIC_URL, "https://pay.example.com/?shop=1"),
        (variables::PUBLIC_URL, "https://pay.example.com/#shop"),
        (variables::PUBLIC_URL, "https://user:secret@pay.example.com"),
        (variables::LOG, "debugg"),
        (variables::LOG, "info,paystream=loud"),
        (variables::LOG_FORMAT, "xml"),
        (variables::SANDBOX_NOTIFY_HOSTS, "http://paystream"),
        (variables::SANDBOX_NOTIFY_HOSTS, "paystream:8080"),
        (variables::SANDBOX_NOTIFY_HOSTS, "paystream,not a host"),
        (variables::RATE_LIMIT_BUYER, "20"),
        (variables::RATE_LIMIT_SYSTEM, "0/1"),
        (variables::RATE_LIMIT_ADDRESS, "many/few"),
        (variables::TRUSTED_PROXIES, "10.0.0.0/40"),
        (variables::TRUSTED_PROXIES, "proxy.example.com"),
        (variables::ROLES, "kitchen"),
        (variables::COUPON_AMOUNT, "-1"),
        (variables::COUPON_AMOUNT, "5.00"),
        (variables::COUPON_LEAST_AMOUNT, "much"),
        (variables::COUPON_DAYS, "0"),
    ] {
        let said = refused(&[(variable, value)]);
        assert!(said.starts_with(variable) && !said.contains("secret"), "{variable}={value}: {said}");
    }
}

#[test]
fn a_value_at_the_edge_is_taken() {
    for (variable, value) in [
        (variables::SNOWFLAKE_WORKER, "1023"),
        (variables::PUBLIC_URL, "https://pay.example.com/shop/"),
        (variables::LOG, "info,command_api=debug"),
        (variables::SANDBOX_NOTIFY_HOSTS, "paystream, Paystream.internal, 10.0.0.7, [2001:db8::7]"),
    ] {
        assert!(settings(&[(variable, value)], &[]).is_ok(), "{variable}={value}");
    }
}

#[test]
fn a_role_of_the_command_line_is_refused_by_the_command_line() {
    let said = settings(&[(variables::ROLES, "sandbox")], &["kitchen"]).err().unwrap().to_string();
    assert!(said.starts_with("--roles") && said.contains("kitchen"), "{said}");
}

#[test]
fn coupons_are_granted_by_the_demo_and_by_whoever_asks_for_it() {
    let amount = |pairs: &[(&str, &str)]| settings(pairs, &[]).unwrap().coupon.map(|rule| rule.discount_amount.as_i64());
    assert_eq!(amount(&[]), Some(500));
    assert_eq!(amount(&[(variables::DEMO, "off")]), None);
    assert_eq!(amount(&[(variables::DEMO, "off"), (variables::COUPON_AMOUNT, "700")]), Some(700));
    assert_eq!(amount(&[(variables::COUPON_AMOUNT, "0")]), None);
}

#[test]
fn with_a_broker_the_relay_is_one_of_all_roles() {
    let settings = settings(&[(variables::NATS, "nats://relay:s3cret@one:4222"), (variables::NATS_REPLICAS, "3")], &[]).unwrap();
    assert!(settings.plays(Role::Relay));
    let nats = settings.nats.unwrap();
    assert_eq!((nats.url.to_string().as_str(), nats.replicas), ("nats://relay:***@one:4222", 3));
}

#[test]
fn a_relay_without_a_broker_and_a_broker_that_is_none_are_refused() {
    for broker in [&[][..], &[(variables::NATS, "none")]] {
        let error = settings(broker, &["relay"]).err().unwrap().to_string();
        assert!(error.starts_with(variables::NATS), "{error}");
    }
    let error = refused(&[(variables::NATS, "http://relay:s3cret@one:4222")]);
    assert!(error.starts_with(variables::NATS) && !error.contains("s3cret"), "{error}");
    assert!(refused(&[(variables::NATS_REPLICAS, "2")]).starts_with(variables::NATS_REPLICAS));
}

#[test]
fn alipay_has_keys_or_certificates_and_all_of_them() {
    let common = [
        (variables::ALIPAY_APP_ID, "2026"),
        (variables::ALIPAY_SELLER_ID, "2088000000000001"),
        (variables::ALIPAY_APP_PRIVATE_KEY_FILE, "/nowhere"),
    ];
    let with = |more: &[(&'static str, &'static str)]| refused(&[&common[..], more].concat());
    let (own, theirs, roots) = (variables::ALIPAY_APP_CERT_FILE, variables::ALIPAY_CERT_FILES, variables::ALIPAY_ROOT_CERT_FILE);
    assert!(with(&[]).starts_with(variables::ALIPAY_PUBLIC_KEY_FILES));
    for given in [own, theirs, roots] {
        let missing = [own, theirs, roots].into_iter().find(|variable| *variable != given).unwrap();
        assert!(with(&[(given, "/nowhere")]).starts_with(missing), "{given}");
    }
    let all = [(own, "/nowhere"), (theirs, "/nowhere"), (roots, "/nowhere")];
    assert!(with(&all).starts_with(variables::ALIPAY_APP_PRIVATE_KEY_FILE), "it is read");
    let both = with(&[&all[..], &[(variables::ALIPAY_PUBLIC_KEY_FILES, "/nowhere")]].concat());
    assert!(both.starts_with(variables::ALIPAY_PUBLIC_KEY_FILES) && both.contains("certificates"), "{both}");
}

#[test]
fn the_sandbox_has_all_of_alipays_products_unless_some_are_named() {
    let products = |words: &str| settings(&[(variables::ALIPAY_PRODUCTS, words)], &[]).unwrap().alipay_products;
    assert_eq!(settings(&[], &[]).unwrap().alipay_products, [Channel::AlipayQr, Channel::AlipayPage, Channel::AlipayWap]);
    assert_eq!(products("wap, qr"), [Channel::AlipayWap, Channel::AlipayQr]);
    for wrong in ["app", "qr,app", ",", "QR"] {
        assert!(refused(&[(variables::ALIPAY_PRODUCTS, wrong)]).starts_with(variables::ALIPAY_PRODUCTS), "{wrong}");
    }
    assert_eq!(alipay::products(&Typed::default(), true).unwrap(), [Channel::AlipayQr], "live, only what is named");
}
