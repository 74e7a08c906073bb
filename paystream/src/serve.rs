//! `paystream serve`: start, take traffic, drain, stop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chassis::client_address::TrustedProxies;
use chassis::clock::{Clock, SystemClock};
use chassis::health::{self, Readiness};
use chassis::ids::SystemIds;
use chassis::layers;
use chassis::shutdown::{DRAIN_LIMIT, Shutdown, serve};
use chassis::telemetry::{init_logs, metrics_routes, metrics_upkeep};
use gateway::alipay::AlipaySettings;
use sandbox::{Sandbox, SandboxConfig};
use tokio::net::TcpListener;

use crate::app::{Parts, sandbox_settings};
use crate::chosen::Trouble;
use crate::follow::Background;
use crate::keys;
use crate::pages::unknown_address;
use crate::sandbox_link::SandboxLink;
use crate::settings::{AlipaySource, Role, Settings};
use crate::stores;
use crate::terminal::say;
use crate::wechat::{WechatMerchant, sandbox_merchant};

/// How long closing the log may take at the end.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// Serves until a signal says stop.
pub(crate) async fn run(config: Option<&Path>, roles: &[String]) -> Result<(), Trouble> {
    let settings = Settings::load(config, roles)?;
    init_logs(settings.log_format, &settings.log_filter)?;
    keys::prepare_folders(&settings)?;
    let shutdown = Shutdown::new();
    shutdown.trigger_on_signals().map_err(Trouble::Signals)?;
    let listener = listen(&settings).await?;
    let clock = Arc::new(SystemClock::default());
    let mut background = Background::new(shutdown.clone());
    let upkeep = background.shutdown();
    background.run(metrics_upkeep(upkeep));

    let mut router = metrics_routes();
    let (alipay, wechat, sandbox) = channel(&settings, &clock, &mut background).await?;
    if let Some(sandbox) = &sandbox {
        router = router.merge(sandbox.router());
    }
    let port = Arc::clone(&clock) as Arc<dyn Clock>;
    let mut readiness = Readiness::new(Arc::clone(&port));
    let mut log = None;
    let proxies = settings.trusted_proxies.clone();
    if settings.needs_stores() {
        let (issuer, ring) = (keys::issuer(&settings, Arc::clone(&port))?, keys::ring(&settings)?);
        let holder = format!("http://{}", settings.listen);
        let parts = Arc::new(Parts::open(settings, clock, issuer, ring, &holder).await?);
        if parts.settings.demo {
            storefront::demo::load(&parts.state, port.now()).await?;
        }
        let (of_roles, checks) = parts.join(alipay, wechat, &mut background, readiness).await?;
        router = router.merge(of_roles);
        readiness = checks;
        log = Some(parts.log.clone());
        welcome(&parts.settings);
    }
    let router = finished(router, readiness, port, proxies);
    tokio::join!(serve(listener, router, shutdown, DRAIN_LIMIT), background.ended(DRAIN_LIMIT));
    if let Some(log) = log {
        // What was answered is durable already; a database that does not answer now is not waited for.
        drop(tokio::time::timeout(CLOSE_LIMIT, log.shutdown()).await);
    }
    if let Some(sandbox) = sandbox {
        drop(tokio::time::timeout(CLOSE_LIMIT, sandbox.close()).await);
    }
    tracing::info!("stopped");
    Ok(())
}

/// Reads and checks the configuration, and nothing else.
pub(crate) fn check(config: Option<&Path>, roles: &[String]) -> Result<(), Trouble> {
    Settings::load(config, roles)?;
    say("The configuration is well formed. paystream doctor also looks at what it names.");
    Ok(())
}

fn finished(router: Router, readiness: Readiness, clock: Arc<dyn Clock>, proxies: TrustedProxies) -> Router {
    let ids = Arc::new(SystemIds::new(clock));
    layers::standard(router.merge(health::routes(Arc::new(readiness))), ids, proxies, unknown_address)
}

async fn listen(settings: &Settings) -> Result<TcpListener, Trouble> {
    let trouble = |source| Trouble::Listen { address: settings.listen.to_string(), source };
    TcpListener::bind(settings.listen).await.map_err(trouble)
}

/// Where Alipay and WeChat Pay are for this process, and the sandbox if it plays that role.
async fn channel(
    settings: &Settings,
    clock: &Arc<SystemClock>,
    background: &mut Background,
) -> Result<(Option<AlipaySettings>, Option<WechatMerchant>, Option<Arc<Sandbox>>), Trouble> {
    let own = if settings.plays(Role::Sandbox) {
        let database = stores::open_sandbox(settings).await?;
        let mut config = SandboxConfig::new(settings.public_url.clone());
        config.notify_scale = settings.notify_scale;
        config.notify_hosts.clone_from(&settings.notify_hosts);
        let sandbox = Sandbox::open(config, database, Arc::clone(clock)).await?;
        let (deliveries, shutdown) = (Arc::clone(&sandbox), background.shutdown());
        background.run(async move { deliveries.run(shutdown.triggered()).await });
        Some(sandbox)
    } else {
        None
    };
    let credentials = match &settings.alipay {
        AlipaySource::None => None,
        AlipaySource::Live(alipay) => return Ok((Some((**alipay).clone()), settings.wechat.clone(), own)),
        AlipaySource::OwnSandbox => own.as_ref().map(|sandbox| sandbox.credentials()),
        AlipaySource::SandboxAt(url) => {
            let link = SandboxLink::new(url)?;
            let credentials = link.credentials().await?;
            let source = link.follow_clock_once(clock).await;
            source.map_err(|source| Trouble::SandboxLink { url: url.clone(), source })?;
            let (clock, shutdown) = (Arc::clone(clock), background.shutdown());
            background.run(link.follow_clock(clock, shutdown));
            Some(credentials)
        }
    };
    Ok(match credentials {
        Some(credentials) => (Some(sandbox_settings(credentials.alipay)), Some(sandbox_merchant(credentials.wechat)), own),
        None => (None, settings.wechat.clone(), own),
    })
}

/// Tells whoever started it where to look.
fn welcome(settings: &Settings) {
    let url = &settings.public_url;
    say(&format!("Paystream runs at {url}"));
    say(&format!("  shop      {url}/"));
    say(&format!("  checkout  {url}/checkout/…   (each order's answer holds its own link: checkout_url)"));
    say(&format!("  API docs  {url}/docs         (the document itself: {url}/openapi.json)"));
    say(&format!("  data      {}", settings.data.display()));
    if settings.demo {
        say("  sign in   as alice or bob, with the buttons in the shop");
    }
    say("  a token   paystream token --sub alice --role buyer");
}
