//! Joining the parts of a process: what each role is given.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chassis::admission::Admission;
use chassis::clock::{Clock, SystemClock};
use chassis::health::Readiness;
use chassis::identity::{TokenIssuer, TokenVerifier};
use chassis::ids::{IdSource, SystemIds};
use chassis::problem::Chain;
use chassis::seal::KeyRing;
use chassis::shutdown::Shutdown;
use chrono::TimeDelta;
use command_api::process_managers::{
    Assignments, AttemptPatience, DailyStatements, OrderUpkeep, ParkedUpkeep, SqlAssignmentTodo, SqlOrderTodo,
};
use command_api::{
    ApiState, Caller, CallerKey, Channels, CommandConfig, Commands, ConfiguredChannel, Links, ParkedActs, Ports, SqlInbox,
    SqlStatementBook, StockChange,
};
use database::Database;
use domain::Channel;
use event_store::lineage;
use followers::nats::Nats;
use followers::{LogFeed, ParkingDesk, SqlLeases};
use gateway::alipay::{AlipayConfig, AlipayGateway, AlipaySettings, CODE_LIFE, PAGE_PRODUCT_CODE, WAP_PRODUCT_CODE};
use gateway::{BreakerConfig, CircuitBreaker};
use query_api::{QueryPorts, QueryState};
use sandbox::AlipayCredentials;
use storefront::accounts::{Accounts, Passwords};
use storefront::catalogue::{Catalogue, SqlCatalogue};
use storefront::order_ids::LeasedIds;
use storefront::person_keys::SqlPersonKeys;
use storefront::routes::RouteState;
use storefront::sessions::{RevocationList, SessionConfig, SessionParts, Sessions};

use crate::broker::{self, BrokerCheck};
use crate::certificates::{self, Certified};
use crate::chosen::Trouble;
use crate::follow::Background;
use crate::key_watch::KeyWatch;
use crate::keys;
use crate::operations;
use crate::pages::WebPages;
use crate::readiness::{DatabaseCheck, LogCheck, SkewCheck};
use crate::settings::{Role, Settings};
use crate::stores::{self, Log};
use crate::wechat::WechatMerchant;

/// What the process manager leaves an attempt alone for beyond the channel's time limit.
const PATIENCE_MARGIN: Duration = Duration::from_secs(2);

/// The parts that every role of a process shares.
pub(crate) struct Parts {
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) log: Log,
    pub(crate) views: Database,
    pub(crate) state: Database,
    pub(crate) nats: Option<Nats>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) issuer: Arc<TokenIssuer>,
    pub(crate) verifier: Arc<TokenVerifier>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) revoked: Arc<RevocationList>,
    pub(crate) ring: Arc<KeyRing>,
}

impl Parts {
    /// Opens the stores and reads the keys.
    pub(crate) async fn open(
        settings: Settings,
        clock: Arc<SystemClock>,
        issuer: TokenIssuer,
        ring: Arc<KeyRing>,
        holder: &str,
    ) -> Result<Self, Trouble> {
        let port = Arc::clone(&clock) as Arc<dyn Clock>;
        let log = Log::open(&settings, &port, holder).await?;
        let ids: Arc<dyn IdSource> = Arc::new(SystemIds::new(Arc::clone(&port)));
        lineage::ensure(log.store().as_ref(), ids.event_id()).await?;
        let nats = broker::connect(settings.nats.as_ref()).await?;
        let views = stores::open_views(&settings).await?;
        let state = stores::open_state(&settings).await?;
        let revoked = Arc::new(RevocationList::load(state.clone(), Arc::clone(&port)).await?);
        let known = keys::verifying(&settings)?;
        let (token_issuer, audience) = (settings.token_issuer.clone(), settings.token_audience.clone());
        let verifier = TokenVerifier::new(known, token_issuer, audience, Arc::clone(&port)).with_revoked(Arc::clone(&revoked) as _);
        let verifier = Arc::new(verifier);
        let admission = Admission::new(&settings.admission, Arc::clone(&verifier), Arc::clone(&port));
        Ok(Self {
            ids,
            nats,
            issuer: Arc::new(issuer),
            admission: Arc::new(admission),
            verifier,
            settings,
            clock,
            log,
            views,
            state,
            revoked,
            ring,
        })
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    /// This process's name among those that share its stores, for leases. It is the same after a restart on the same address,
    /// which then need not wait for its own former lease. In containers all listen on the same address, so the host's name
    /// belongs to it.
    pub(crate) fn holder(&self) -> String {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        format!("http://{} on {host}", self.settings.listen)
    }

    /// What operators do about messages that consumers could not take.
    pub(crate) fn parked_acts(&self) -> Arc<ParkedActs> {
        let desk = Arc::new(ParkingDesk::new(self.views.clone()));
        Arc::new(ParkedActs::new(self.log.store(), desk, self.clock(), Arc::clone(&self.ids)))
    }

    fn links(&self) -> Links {
        Links::new(Arc::clone(&self.ring), self.settings.public_url.clone())
    }

    /// The routes and the background work of the roles that this process plays.
    pub(crate) async fn join(
        self: &Arc<Self>,
        alipay: Option<AlipaySettings>,
        wechat: Option<WechatMerchant>,
        background: &mut Background,
        readiness: Readiness,
    ) -> Result<(Router, Readiness), Trouble> {
        let settings = &self.settings;
        let mut router = Router::new();
        let mut readiness = readiness
            .with("log", Arc::new(LogCheck(self.log.clone())))
            .with("views", Arc::new(DatabaseCheck(self.views.clone())))
            .with("state", Arc::new(DatabaseCheck(self.state.clone())))
            .with("revoked tokens", Arc::clone(&self.revoked) as _);
        let shutdown = background.shutdown();
        let revoked = Arc::clone(&self.revoked);
        background.run(async move { revoked.run(&shutdown).await });
        let keys = KeyWatch::new(settings, Arc::clone(&self.issuer), Arc::clone(&self.verifier), Arc::clone(&self.ring));
        background.run(keys.run(background.shutdown()));
        if settings.asks_channels() {
            let (channels, checks) = self.channels(alipay, wechat, background, readiness)?;
            readiness = checks;
            let commands = self.commands(channels, background).await?;
            let (cleaning, shutdown) = (commands.clone(), background.shutdown());
            background.run(async move { clean_up(&cleaning, &shutdown).await });
            if settings.plays(Role::CommandApi) {
                if settings.demo {
                    stock_the_demo(&commands, self.ids.as_ref()).await?;
                }
                router = router.merge(self.write_side(commands.clone(), background));
            }
            if settings.plays(Role::ProcessManagers) {
                self.process_managers(commands, background);
            }
        }
        if let Some(nats) = &self.nats {
            let relay = broker::relay(self);
            readiness = readiness.with("broker", Arc::new(BrokerCheck::new(nats.clone(), relay.clone(), self)));
            if let Some(relay) = relay {
                background.follow(relay, self.clock(), &self.log.reader());
            }
        }
        if settings.plays(Role::QueryApi) {
            router = router.merge(self.read_side());
        }
        if settings.plays(Role::Projections) {
            let followers = match &self.nats {
                None => projections::all(&self.views, &self.log.reader(), &self.clock()),
                Some(nats) => {
                    crate::consumers::begin(self, nats, background);
                    projections::without_consumers(&self.views, &self.log.reader())
                }
            };
            for follower in followers {
                #[cfg(debug_assertions)]
                let follower = crate::stop_point::around_follower(follower, &self.log.reader());
                background.follow(follower, self.clock(), &self.log.reader());
            }
        }
        Ok((router.merge(operations::routes(Arc::clone(self))), readiness))
    }

    /// The channels of both wallets, with what their clocks and certificates are watched by.
    fn channels(
        &self,
        alipay: Option<AlipaySettings>,
        wechat: Option<WechatMerchant>,
        background: &mut Background,
        mut readiness: Readiness,
    ) -> Result<(Channels, Readiness), Trouble> {
        let gateway = alipay.map(|alipay| self.alipay(&alipay)).transpose()?;
        let mut certified: Vec<Arc<dyn Certified>> = Vec::new();
        if let Some((gateway, _)) = &gateway {
            certified.push(Arc::clone(gateway) as _);
            readiness = readiness.with("channel clock", Arc::new(SkewCheck(Arc::clone(gateway))));
        }
        let mut channels = gateway.map_or_else(Channels::default, |(_, channels)| channels);
        if let Some(wechat) = wechat {
            let parts = wechat.join(channels, &self.settings.public_url, self.settings.channel_timeout, &self.clock())?;
            if let Some(client) = parts.client {
                readiness = readiness.with("clock of WeChat Pay", Arc::new(SkewCheck(Arc::clone(&client))));
                certified.push(client);
            }
            if let Some(old) = parts.old {
                readiness = readiness.with("clock of WeChat Pay v2", Arc::new(SkewCheck(Arc::clone(&old))));
                certified.push(old);
            }
            channels = parts.channels;
        }
        background.run(certificates::watch(certified, self.clock(), background.shutdown()));
        Ok((channels, readiness))
    }

    /// Alipay behind its circuit breaker, as the channels of its products.
    fn alipay(&self, alipay: &AlipaySettings) -> Result<(Arc<AlipayGateway>, Channels), Trouble> {
        let timeout_ms = u64::try_from(self.settings.channel_timeout.as_millis()).unwrap_or(u64::MAX);
        let config = AlipayConfig::new(&AlipaySettings { timeout_ms: Some(timeout_ms), ..alipay.clone() })?;
        let gateway = Arc::new(AlipayGateway::new(config, self.clock())?);
        let breaker = CircuitBreaker::new(Arc::clone(&gateway), Channel::AlipayQr, BreakerConfig::default(), self.clock());
        let qr = ConfiguredChannel {
            product_code: gateway.product_code().to_owned(),
            notify_url: format!("{}/notify/alipay", self.settings.public_url),
            refund_notify_url: None,
            code_life: CODE_LIFE,
            gateway: Arc::new(breaker),
        };
        let by_form = |product_code: &str| ConfiguredChannel { product_code: product_code.to_owned(), ..qr.clone() };
        let all = [
            (Channel::AlipayPage, by_form(PAGE_PRODUCT_CODE)),
            (Channel::AlipayWap, by_form(WAP_PRODUCT_CODE)),
            (Channel::AlipayQr, qr.clone()),
        ];
        // What was begun through a product that is offered no more goes on.
        let channels = all.into_iter().fold(Channels::default(), |channels, (channel, configured)| {
            let is_offered = self.settings.alipay_products.contains(&channel);
            if is_offered { channels.with(channel, configured) } else { channels.with_earlier(channel, configured) }
        });
        Ok((gateway, channels))
    }

    async fn commands(&self, channels: Channels, background: &mut Background) -> Result<Commands, Trouble> {
        let holder = format!("{} (process {})", self.holder(), std::process::id());
        let worker = self.settings.snowflake_worker;
        let order_ids = Arc::new(LeasedIds::acquire(self.state.clone(), holder, worker, self.clock.as_ref().now()).await?);
        let (leased, clock, shutdown) = (Arc::clone(&order_ids), self.clock(), background.shutdown());
        background.run(async move { leased.run(clock.as_ref(), &shutdown).await });
        let inbox = SqlInbox::new(self.state.clone(), Arc::clone(&self.ring), SqlInbox::DEFAULT_UNVERIFIED_QUOTA_BYTES);
        let ports = Ports {
            log: self.log.store(),
            clock: self.clock(),
            ids: Arc::clone(&self.ids),
            order_ids,
            catalogue: Arc::new(SqlCatalogue::new(self.state.clone())),
            person_keys: Arc::new(SqlPersonKeys::new(self.state.clone(), Arc::clone(&self.ring), Arc::clone(&self.ids), self.clock())),
            inbox: Arc::new(inbox),
            statements: Arc::new(SqlStatementBook::new(self.state.clone())),
            channels,
        };
        Ok(Commands::new(ports, CommandConfig { order_life: self.settings.order_life, coupon: self.settings.coupon }))
    }

    fn write_side(&self, commands: Commands, background: &mut Background) -> Router {
        let api = ApiState::new(commands, self.links(), Arc::new(WebPages), Arc::clone(&self.verifier), Arc::clone(&self.admission));
        let shop = self.shop();
        let (sessions, shutdown) = (Arc::clone(&shop.sessions), background.shutdown());
        background.run(async move { sessions.run(&shutdown).await });
        command_api::routes(api).merge(storefront::routes::write_routes(shop))
    }

    fn read_side(&self) -> Router {
        let links = self.links();
        let state = QueryState::new(QueryPorts {
            views: self.views.clone(),
            log: self.log.reader(),
            verifier: Arc::clone(&self.verifier),
            admission: Arc::clone(&self.admission),
            clock: self.clock(),
            pay_url: Arc::new(move |pay_no| links.pay_url(pay_no)),
        });
        query_api::routes(state).merge(storefront::routes::read_routes(self.shop())).merge(web::router(if self.settings.demo {
            web::DemoAccounts::Offered
        } else {
            web::DemoAccounts::Absent
        }))
    }

    fn shop(&self) -> RouteState {
        let parts = SessionParts {
            database: self.state.clone(),
            passwords: Passwords::new(),
            issuer: Arc::clone(&self.issuer),
            revoked: Arc::clone(&self.revoked),
            ids: Arc::clone(&self.ids),
            clock: self.clock(),
        };
        RouteState {
            catalogue: Arc::new(SqlCatalogue::new(self.state.clone())) as Arc<dyn Catalogue>,
            accounts: Arc::new(Accounts::new(self.state.clone())),
            sessions: Arc::new(Sessions::new(parts, &SessionConfig::default())),
            verifier: Arc::clone(&self.verifier),
        }
    }

    fn process_managers(&self, commands: Commands, background: &mut Background) {
        let log = self.log.reader();
        let feed = Arc::new(LogFeed::new(Arc::clone(&log), OrderUpkeep::events()));
        let todo = Arc::new(SqlOrderTodo::new(self.views.clone()));
        let leases = Arc::new(SqlLeases::new(self.state.clone()));
        let holder = self.holder();
        let patience = self.settings.channel_timeout + PATIENCE_MARGIN;
        let patience = AttemptPatience(TimeDelta::from_std(patience).unwrap_or(TimeDelta::MAX));
        let statements = DailyStatements::new(commands.clone(), Arc::clone(&leases) as _, holder.clone());
        background.follow(Arc::new(statements), self.clock(), &log);
        let decided = Arc::new(LogFeed::new(Arc::clone(&log), Assignments::events()));
        let decisions = Arc::new(SqlAssignmentTodo::new(self.views.clone()));
        let assignments = Assignments::new(commands.clone(), decided, decisions, Arc::clone(&leases) as _, holder.clone());
        background.follow(Arc::new(assignments), self.clock(), &log);
        let upkeep = OrderUpkeep::new(commands, feed, todo, leases, holder, patience);
        background.follow(Arc::new(upkeep), self.clock(), &log);
        let feed = Arc::new(LogFeed::new(Arc::clone(&log), ParkedUpkeep::events()));
        let parked = ParkedUpkeep::new(self.parked_acts(), feed, Arc::clone(&log));
        background.follow(Arc::new(parked), self.clock(), &log);
    }
}

/// The sandbox's merchant as a configuration of Alipay.
pub(crate) fn sandbox_settings(credentials: AlipayCredentials) -> AlipaySettings {
    AlipaySettings {
        gateway_url: credentials.gateway_url,
        app_id: credentials.app_id,
        seller_id: credentials.seller_id,
        app_private_key: credentials.app_private_key.into(),
        alipay_public_keys: vec![credentials.alipay_public_key],
        certificates: None,
        product_code: credentials.product_code,
        timeout_ms: None,
    }
}

/// How long kept notifications may lie over their time or quota.
const BETWEEN_CLEAN_UPS: Duration = Duration::from_mins(10);

/// Keeps the inbox of notifications within its bounds until the end.
async fn clean_up(commands: &Commands, shutdown: &Shutdown) {
    while !shutdown.is_triggered() {
        if let Err(error) = commands.clean_up_notices().await {
            tracing::warn!(error = %Chain(&error), "the inbox was not cleaned up");
        }
        drop(tokio::time::timeout(BETWEEN_CLEAN_UPS, shutdown.triggered()).await);
    }
}

/// The demo's goods come into the house, once: a second start finds its key used.
async fn stock_the_demo(commands: &Commands, ids: &dyn IdSource) -> Result<(), Trouble> {
    const DEMO: &str = "demo";
    let operator = Caller::Operator(DEMO.to_owned());
    for (sku_id, quantity) in storefront::demo::stock() {
        let key = CallerKey::new(DEMO, "stock", sku_id.as_str(), "");
        let change = StockChange::Receipt(quantity);
        let received = commands.change_stock(&operator, &sku_id, change, "the demo's stock".to_owned(), Some(&key), ids.event_id()).await;
        received.map_err(Trouble::DemoStock)?;
    }
    Ok(())
}
