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
    assert_eq!(settings.roles.len(), Role::ALL.len());
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
