//! The certificates that something depends on: how long each counts, in the metrics and in the logs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chassis::clock::Clock;
use chassis::shutdown::Shutdown;
use chrono::{DateTime, TimeDelta, Utc};
use gateway::alipay::{AlipayGateway, CertificateInUse};
use gateway::wechat_pay::{v2, v3};
use metrics::{describe_gauge, gauge};

use crate::variables;

/// Seconds to the end of a certificate's time, below 0 when it has ended. `NaN` once nothing depends on it any more.
pub(crate) const EXPIRES_IN: &str = "paystream_certificate_expires_in_seconds";

/// How long before its end a certificate is told of: whoever has to ask for a new one needs some days.
pub(crate) const NOTICE_BEFORE_END: TimeDelta = TimeDelta::days(30);

/// Each of them is told of anew.
const STAGES: [TimeDelta; 4] = [NOTICE_BEFORE_END, TimeDelta::days(7), TimeDelta::days(1), TimeDelta::zero()];

/// How often it is looked.
const INTERVAL: Duration = Duration::from_secs(10);

/// At every how many looks fetched certificates are refreshed if that is due: while a channel refuses to give them, each time
/// is a call and a warning.
const LOOKS_PER_REFRESH: usize = 6;

/// A certificate and the end of its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateEnd {
    /// `alipay` or `wechat`.
    pub(crate) wallet: &'static str,
    /// `merchant` or `channel`.
    pub(crate) owner: &'static str,
    /// Where it is configured, or would be.
    pub(crate) variable: &'static str,
    pub(crate) serial: String,
    /// When its time begins, where that is of interest: no other is used before.
    pub(crate) valid_from: Option<DateTime<Utc>>,
    pub(crate) valid_until: DateTime<Utc>,
}

/// Whoever depends on certificates.
#[async_trait]
pub(crate) trait Certified: Send + Sync {
    /// Fetches them anew if that is done and due.
    async fn refresh(&self) {}

    /// Those that it depends on now.
    fn ends(&self) -> Vec<CertificateEnd>;
}

#[async_trait]
impl Certified for AlipayGateway {
    fn ends(&self) -> Vec<CertificateEnd> {
        self.certificates().into_iter().map(CertificateEnd::from).collect()
    }
}

impl From<CertificateInUse> for CertificateEnd {
    fn from(certificate: CertificateInUse) -> Self {
        let is_ours = certificate.member == "app_certificate";
        Self {
            wallet: "alipay",
            owner: if is_ours { "merchant" } else { "channel" },
            variable: if is_ours { variables::ALIPAY_APP_CERT_FILE } else { variables::ALIPAY_CERT_FILES },
            serial: certificate.serial,
            valid_from: Some(certificate.valid_from),
            valid_until: certificate.valid_until,
        }
    }
}

#[async_trait]
impl Certified for v3::WechatPayClient {
    async fn refresh(&self) {
        self.refresh_if_due().await;
    }

    fn ends(&self) -> Vec<CertificateEnd> {
        let end = |expiry: v3::KeyExpiry| {
            let is_ours = self.is_merchants(&expiry.serial);
            let theirs = variables::WECHAT_PLATFORM_CERTIFICATE_FILES;
            let variable = if is_ours { variables::WECHAT_MERCHANT_CERTIFICATE_FILE } else { theirs };
            of_wechat(is_ours, variable, expiry.serial, expiry.expires_at)
        };
        self.key_expiries().into_iter().map(end).collect()
    }
}

#[async_trait]
impl Certified for v2::WechatPayV2 {
    fn ends(&self) -> Vec<CertificateEnd> {
        let own = self.certificate_serial().zip(self.certificate_expires_at());
        let end = |(serial, until): (&str, _)| of_wechat(true, variables::WECHAT_MERCHANT_CERTIFICATE_FILE, serial.to_owned(), until);
        own.map(end).into_iter().collect()
    }
}

fn of_wechat(is_ours: bool, variable: &'static str, serial: String, valid_until: DateTime<Utc>) -> CertificateEnd {
    let owner = if is_ours { "merchant" } else { "channel" };
    CertificateEnd { wallet: "wechat", owner, variable, serial, valid_from: None, valid_until }
}

/// Looks at the certificates until the end.
pub(crate) async fn watch(certified: Vec<Arc<dyn Certified>>, clock: Arc<dyn Clock>, shutdown: Shutdown) {
    describe_gauge!(EXPIRES_IN, "seconds to the end of a certificate's time");
    watch_each(INTERVAL, &certified, clock.as_ref(), &shutdown).await;
}

async fn watch_each(interval: Duration, certified: &[Arc<dyn Certified>], clock: &dyn Clock, shutdown: &Shutdown) {
    let mut watched = Watched::default();
    for look in (0..LOOKS_PER_REFRESH).cycle() {
        if shutdown.is_triggered() {
            return;
        }
        if look == 0 {
            for each in certified {
                each.refresh().await;
            }
        }
        watched.look(certified.iter().flat_map(|each| each.ends()), clock.now());
        drop(tokio::time::timeout(interval, shutdown.triggered()).await);
    }
}

/// The certificates that were there at the last look, by wallet and serial, with what was told of their end.
#[derive(Default)]
struct Watched(BTreeMap<(&'static str, String), Seen>);

struct Seen {
    owner: &'static str,
    /// The stages of the end that were told of.
    told: usize,
    is_there: bool,
}

impl Watched {
    fn look(&mut self, ends: impl Iterator<Item = CertificateEnd>, now: DateTime<Utc>) {
        self.0.values_mut().for_each(|seen| seen.is_there = false);
        for end in ends {
            let left = end.valid_until - now;
            let key = (end.wallet, end.serial.clone());
            let seen = self.0.entry(key).or_insert(Seen { owner: end.owner, told: 0, is_there: true });
            seen.is_there = true;
            show(end.wallet, end.owner, &end.serial).set(i32::try_from(left.num_seconds()).unwrap_or(i32::MAX));
            let stage = stage(left);
            if stage > seen.told {
                tell(&end, left);
            }
            seen.told = stage;
        }
        self.0.retain(|(wallet, serial), seen| {
            if !seen.is_there {
                show(wallet, seen.owner, serial).set(f64::NAN);
            }
            seen.is_there
        });
    }
}

/// How far towards its end a certificate is of which so much time is left.
fn stage(left: TimeDelta) -> usize {
    STAGES.iter().filter(|stage| left < **stage).count()
}

fn show(wallet: &'static str, owner: &'static str, serial: &str) -> metrics::Gauge {
    gauge!(EXPIRES_IN, "wallet" => wallet, "owner" => owner, "serial" => serial.to_owned())
}

fn tell(end: &CertificateEnd, left: TimeDelta) {
    let said = if left < TimeDelta::zero() { "has ended" } else { "ends soon" };
    tracing::warn!(
        certificate.wallet = end.wallet,
        certificate.variable = end.variable,
        certificate.serial = end.serial,
        certificate.valid_until = %end.valid_until,
        "a certificate {said}"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use chassis::clock::ManualClock;

    use super::*;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::days(day)
    }

    fn end(serial: &str) -> CertificateEnd {
        of_wechat(true, variables::WECHAT_MERCHANT_CERTIFICATE_FILE, serial.to_owned(), at(100))
    }

    #[test]
    fn each_stage_of_the_end_is_told_of_once() {
        let mut watched = Watched::default();
        let mut told = Vec::new();
        for day in 0..110 {
            watched.look([end("A")].into_iter(), at(day));
            told.push(watched.0[&("wechat", "A".to_owned())].told);
        }
        let changes: Vec<_> = (1..told.len()).filter(|day| told[*day] != told[day - 1]).collect();
        assert_eq!(changes, [71, 94, 100, 101]);
        assert_eq!((told[0], told[109]), (0, 4));
    }

    #[test]
    fn a_certificate_that_is_gone_is_forgotten_and_two_wallets_are_two() {
        let mut watched = Watched::default();
        watched.look([end("A"), end("B"), CertificateEnd { wallet: "alipay", ..end("A") }].into_iter(), at(0));
        assert_eq!(watched.0.len(), 3);
        watched.look([end("B"), end("B")].into_iter(), at(1));
        assert_eq!(watched.0.keys().collect::<Vec<_>>(), [&("wechat", "B".to_owned())]);
    }

    /// Writes down what is asked of it, and ends it all at the thirteenth look.
    struct Asked(Mutex<Vec<&'static str>>, Shutdown);

    #[async_trait]
    impl Certified for Asked {
        async fn refresh(&self) {
            self.0.lock().unwrap().push("refresh");
        }

        fn ends(&self) -> Vec<CertificateEnd> {
            let mut asked = self.0.lock().unwrap();
            asked.push("look");
            if asked.iter().filter(|word| **word == "look").count() == 13 {
                self.1.trigger();
            }
            Vec::new()
        }
    }

    #[tokio::test]
    async fn it_is_looked_more_often_than_certificates_are_fetched() {
        let shutdown = Shutdown::new();
        let asked = Arc::new(Asked(Mutex::default(), shutdown.clone()));
        let certified: [Arc<dyn Certified>; 1] = [asked.clone()];
        watch_each(Duration::ZERO, &certified, &ManualClock::new(at(0)), &shutdown).await;
        let [minute, last] = [&["refresh", "look", "look", "look", "look", "look", "look"][..], &["refresh", "look"]];
        assert_eq!(*asked.0.lock().unwrap(), [minute, minute, last].concat());
    }
}
