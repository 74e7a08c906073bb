//! A small shop over ports in memory, for this crate's tests: a log, a channel and an inbox that fail as they are told.

mod api;
mod channel;
mod inbox;
mod log;

use std::sync::Arc;

use chassis::clock::{Clock, ManualClock};
use chassis::ids::SeededIds;
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::SnowflakeSequence;
use domain::order::{Client, Order, OrderType};
use domain::pay_record::{PayRecord, PayRecordStatus};
use domain::stock::Stock;
use domain::{BuyerId, Channel, Currency, MinorUnits, Money, OrderId, PayNo, ProductId, SelectionId};
use event_store::{EventStore, LogReader, MemoryEventStore, Position, RecordedEvent, StreamId};
use serde_json::Value;
use storefront::catalogue::{Catalogue, MemoryCatalogue, ProductDraft, ProductKind, Sku};
use storefront::order_ids::UnleasedIds;
use storefront::person_keys::{MemoryPersonKeys, PersonKeys};
use uuid::Uuid;

use crate::handler::Standing;
use crate::pay_records::Attempted;
use crate::{
    BusinessItem, BusinessOrder, Caller, CallerKey, Channels, CommandConfig, CommandFailure, Commands, ConfiguredChannel, CouponRule,
    Created, MemoryStatementBook, OrderRequest, Ports, StockChange, streams,
};

pub(crate) use api::{Answer, Api};
pub(crate) use channel::{ScriptedChannel, captured, notification, paid, paid_at, refused, unknown};
pub(crate) use inbox::ScriptedInbox;
pub(crate) use log::{Fault, ScriptedLog};

/// What the paid course costs, in fen.
pub(crate) const COURSE_PRICE: i64 = 19_900;
/// How long an order can be paid.
pub(crate) const ORDER_LIFE: TimeDelta = TimeDelta::minutes(30);
/// How long a code can be scanned: shorter than an order's life, so that codes die on live orders.
pub(crate) const CODE_LIFE: TimeDelta = TimeDelta::minutes(10);
/// Without coupons, which would stand between what a test looks for.
const CONFIG: CommandConfig = CommandConfig { order_life: ORDER_LIFE, coupon: None };
/// The correlation of every command that the helpers send.
pub(crate) const CORRELATION: Uuid = Uuid::from_u128(0xc0);

/// Everything that outlives a process, and the commands of one.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) memory: Arc<MemoryEventStore>,
    pub(crate) log: Arc<ScriptedLog>,
    pub(crate) channel: Arc<ScriptedChannel>,
    pub(crate) catalogue: Arc<MemoryCatalogue>,
    pub(crate) inbox: Arc<ScriptedInbox>,
    pub(crate) commands: Commands,
    ports: Ports,
}

impl World {
    pub(crate) async fn new() -> Self {
        let start: DateTime<Utc> = "2026-07-20T08:00:00.25Z".parse().unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let log_clock = Arc::clone(&clock);
        let memory = Arc::new(MemoryEventStore::new(Arc::new(move || log_clock.now())));
        let log = Arc::new(ScriptedLog::new(Arc::clone(&memory)));
        let channel = Arc::new(ScriptedChannel::new(Arc::clone(&memory)));
        let catalogue = Arc::new(MemoryCatalogue::default());
        let inbox = Arc::new(ScriptedInbox::default());
        let configured = ConfiguredChannel {
            gateway: channel.clone(),
            product_code: "QR_CODE_OFFLINE".to_owned(),
            notify_url: "https://pay.example/notify/alipay".to_owned(),
            refund_notify_url: None,
            code_life: CODE_LIFE,
        };
        let ids = Arc::new(SeededIds::new(1, clock.clone()));
        let ports = Ports {
            log: log.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            order_ids: Arc::new(UnleasedIds::new(SnowflakeSequence::new(1, start).unwrap())),
            catalogue: catalogue.clone(),
            person_keys: Arc::new(MemoryPersonKeys::new(ids)),
            inbox: inbox.clone(),
            statements: Arc::new(MemoryStatementBook::default()),
            channels: Channels::default().with(Channel::AlipayQr, configured),
        };
        let commands = Commands::new(ports.clone(), CONFIG);
        let world = Self { clock, memory, log, channel, catalogue, inbox, commands, ports };
        world.fill_the_shelves().await;
        world
    }

    async fn fill_the_shelves(&self) {
        let fen = |amount| Money::new(amount, Currency::Cny).unwrap();
        for (id, kind, price) in [
            ("course-rust", ProductKind::Course, COURSE_PRICE),
            ("course-free", ProductKind::Course, 0),
            ("notes", ProductKind::Material, 599),
            ("gift", ProductKind::Material, 0),
            ("withdrawn", ProductKind::Material, 100),
            ("course-withdrawn", ProductKind::Course, 100),
            ("mug", ProductKind::Goods, 2_500),
        ] {
            let sku = |sku_id: &str, name: &str, price| Sku { sku_id: sku_id.parse().unwrap(), name: name.to_owned(), price: fen(price) };
            let skus = if id == "mug" { vec![sku("mug-black", "black", 2_600), sku("mug-white", "white", 2_700)] } else { vec![] };
            self.put(ProductDraft {
                product_id: id.parse().unwrap(),
                kind,
                category_id: None,
                title: format!("The {id}"),
                description: String::new(),
                price: fen(price),
                valid_days: matches!(id, "course-rust" | "course-free").then_some(30),
                starts_at: None,
                on_sale: !id.ends_with("withdrawn"),
                buyer_limit: None,
                hold_s: None,
                skus,
            })
            .await;
        }
    }

    async fn put(&self, draft: ProductDraft) {
        self.catalogue.put_product(draft, self.clock.now()).await.unwrap();
    }

    /// Changes one product of the catalogue.
    pub(crate) async fn change(&self, id: &str, change: impl FnOnce(&mut ProductDraft)) {
        let product = self.catalogue.product(&product(id)).await.unwrap().unwrap();
        let mut draft = ProductDraft {
            product_id: product.product_id,
            kind: product.kind,
            category_id: product.category_id,
            title: product.title,
            description: product.description,
            price: product.price,
            valid_days: product.valid_days,
            starts_at: product.starts_at,
            on_sale: product.on_sale,
            buyer_limit: product.buyer_limit,
            hold_s: product.hold_s,
            skus: product.skus,
        };
        change(&mut draft);
        self.put(draft).await;
    }

    /// So many of a variant come into the house.
    pub(crate) async fn receive(&self, sku_id: &str, quantity: u32) {
        let (operator, change) = (Caller::Operator("olivia".to_owned()), StockChange::Receipt(quantity));
        let sku_id = sku_id.parse().unwrap();
        self.commands.change_stock(&operator, &sku_id, change, "from the factory".to_owned(), None, CORRELATION).await.unwrap();
    }

    /// The stock of a variant.
    pub(crate) async fn stock(&self, sku_id: &str) -> Stock {
        let standing = self.commands.stocks.load(&streams::stock(&sku_id.parse().unwrap())).await.unwrap();
        Stock::clone(&standing.state)
    }

    /// The commands of another process that grants coupons.
    pub(crate) fn granting(&self, rule: CouponRule) -> Commands {
        Commands::new(self.ports.clone(), CommandConfig { coupon: Some(rule), ..CONFIG })
    }

    /// The commands of another process over the same log and tables: it has folded nothing yet.
    pub(crate) fn other_process(&self) -> Commands {
        Commands::new(self.ports.clone(), CONFIG)
    }

    /// The commands of a process whose configuration names no channel.
    pub(crate) fn without_channels(&self) -> Commands {
        Commands::new(Ports { channels: Channels::default(), ..self.ports.clone() }, CONFIG)
    }

    /// The keys under which events hold what is known of persons.
    pub(crate) fn person_keys(&self) -> &dyn PersonKeys {
        self.ports.person_keys.as_ref()
    }

    /// The commands of a process whose channels `change` makes of those that are there and of one over the same adapter.
    pub(crate) fn with_channels(&self, change: impl FnOnce(Channels, &ConfiguredChannel) -> Channels) -> Commands {
        let configured = self.ports.channels.get(Channel::AlipayQr).unwrap();
        let channels = change(self.ports.channels.clone(), configured);
        Commands::new(Ports { channels, ..self.ports.clone() }, CONFIG)
    }

    /// The commands of a process that has `channel` beside `alipay_qr`, over the same adapter.
    pub(crate) fn with_channel(&self, channel: Channel) -> Commands {
        let configured = self.ports.channels.get(Channel::AlipayQr).unwrap().clone();
        let channels = self.ports.channels.clone().with(channel, configured);
        Commands::new(Ports { channels, ..self.ports.clone() }, CONFIG)
    }

    pub(crate) async fn select(&self, buyer_id: &str, course_id: &str) -> SelectionId {
        let (created, _) = self.commands.select_course(&buyer_id_of(buyer_id), &product(course_id), None, CORRELATION).await.unwrap();
        created.resource_id.parse().unwrap()
    }

    /// Alice's order for the paid course.
    pub(crate) async fn order(&self) -> OrderId {
        let selection_id = self.select("alice", "course-rust").await;
        let (created, _) = self.create(&alice(), of_selection(selection_id), None).await.unwrap();
        created.resource_id.parse().unwrap()
    }

    pub(crate) async fn create(
        &self,
        caller: &Caller,
        request: OrderRequest,
        key: Option<&CallerKey>,
    ) -> Result<(Created, Standing<Order>), CommandFailure> {
        self.commands.create_order(caller, request, key, CORRELATION).await
    }

    pub(crate) async fn try_attempt(&self, order_id: OrderId, key: Option<&CallerKey>) -> Result<Attempted, CommandFailure> {
        self.commands.create_pay_record(&alice(), order_id, Channel::AlipayQr, key, None, CORRELATION).await
    }

    pub(crate) async fn attempt(&self, order_id: OrderId) -> PayNo {
        self.try_attempt(order_id, None).await.unwrap().pay_no
    }

    /// An order with one attempt whose code is there.
    pub(crate) async fn pending(&self) -> PayNo {
        let order_id = self.order().await;
        self.attempt(order_id).await
    }

    /// Another buyer's order for the paid course.
    pub(crate) async fn order_of(&self, name: &str) -> OrderId {
        let selection_id = self.select(name, "course-rust").await;
        let (created, _) = self.create(&buyer(name), of_selection(selection_id), None).await.unwrap();
        created.resource_id.parse().unwrap()
    }

    /// An attempt for whoever's order it is.
    pub(crate) async fn attempt_of(&self, order_id: OrderId) -> PayNo {
        let attempted = self.commands.create_pay_record(&Caller::CheckoutLink, order_id, Channel::AlipayQr, None, None, CORRELATION);
        attempted.await.unwrap().pay_no
    }

    /// Another buyer's order with one attempt whose code is there.
    pub(crate) async fn pending_of(&self, name: &str) -> PayNo {
        let order_id = self.order_of(name).await;
        self.attempt_of(order_id).await
    }

    /// An order with one attempt whose channel did not answer.
    pub(crate) async fn preparing(&self) -> PayNo {
        let order_id = self.order().await;
        self.channel.precreates(Err(unknown(gateway::Operation::Precreate)));
        self.attempt(order_id).await
    }

    /// Alice pays the attempt, and its query tells of it.
    pub(crate) async fn pay(&self, pay_no: PayNo) {
        let owed = self.record(pay_no).await.issued.unwrap().amount;
        self.channel.queries(Ok(paid("trade-1", owed.amount_minor())));
        self.sync(pay_no).await.unwrap();
    }

    pub(crate) async fn sync(&self, pay_no: PayNo) -> Result<(Standing<Order>, bool), CommandFailure> {
        self.commands.sync_pay_record(&alice(), pay_no, None, None, CORRELATION).await
    }

    pub(crate) async fn load(&self, order_id: OrderId) -> Order {
        Order::clone(&self.other_process().orders.load(&streams::order(order_id)).await.unwrap().state)
    }

    pub(crate) async fn record(&self, pay_no: PayNo) -> PayRecord {
        self.load(pay_no.order_id()).await.pay_record(pay_no).unwrap().clone()
    }

    pub(crate) async fn status(&self, pay_no: PayNo) -> PayRecordStatus {
        self.record(pay_no).await.status
    }

    pub(crate) async fn events(&self, stream_id: &StreamId) -> Vec<RecordedEvent> {
        self.memory.read_stream(stream_id, 0, 1_000).await.unwrap()
    }

    /// The stored names of the events of a stream, in order.
    pub(crate) async fn types(&self, stream_id: &StreamId) -> Vec<String> {
        self.events(stream_id).await.into_iter().map(|event| event.event_type).collect()
    }

    pub(crate) async fn order_types(&self, order_id: OrderId) -> Vec<String> {
        self.types(&streams::order(order_id)).await
    }

    /// The contents of every event of one stored name, in the order of the log.
    pub(crate) async fn all(&self, event_type: &str) -> Vec<Value> {
        let events = self.memory.read_all(Position::START, 10_000).await.unwrap();
        let wanted = events.into_iter().filter(|event| event.event_type == event_type);
        wanted.map(|event| serde_json::from_str(&event.data).unwrap()).collect()
    }

    pub(crate) async fn head(&self) -> i64 {
        self.memory.head().await.unwrap().as_i64()
    }

    /// Puts an event of another version of Paystream at the end of a stream.
    pub(crate) async fn append_from_the_future(&self, stream_id: &StreamId) {
        let written = self.events(stream_id).await;
        let expected =
            written.last().map_or(event_store::ExpectedRevision::NoStream, |last| event_store::ExpectedRevision::Exactly(last.revision));
        let event = event_store::NewEvent {
            event_id: Uuid::from_u128(0xf07),
            event_type: "OrderTeleported".to_owned(),
            schema_version: 1,
            data: "{}".to_owned(),
            metadata: event_store::Metadata {
                correlation_id: CORRELATION,
                causation_id: None,
                actor: "process:tomorrow".to_owned(),
                source: "tomorrow".to_owned(),
            },
        };
        self.memory.append(stream_id, expected, vec![event]).await.unwrap();
    }
}

pub(crate) fn buyer_id_of(name: &str) -> BuyerId {
    BuyerId::parse(name).unwrap()
}

pub(crate) fn product(id: &str) -> ProductId {
    ProductId::parse(id).unwrap()
}

pub(crate) fn buyer(name: &str) -> Caller {
    Caller::Buyer(buyer_id_of(name))
}

pub(crate) fn alice() -> Caller {
    buyer("alice")
}

pub(crate) fn service() -> Caller {
    Caller::Service("school".to_owned())
}

/// Alice's key `name` with `content`, on one route.
pub(crate) fn key(name: &str, content: &str) -> CallerKey {
    CallerKey::new("alice", "POST /route", name, content)
}

pub(crate) fn of_selection(selection_id: SelectionId) -> OrderRequest {
    OrderRequest::CourseSelection { selection_id, client: Client::Web }
}

pub(crate) fn of_product(id: &str, sku_id: Option<&str>, quantity: u32) -> OrderRequest {
    OrderRequest::Product {
        product_id: product(id),
        sku_id: sku_id.map(|sku_id| sku_id.parse().unwrap()),
        quantity,
        coupon_id: None,
        client: Client::App,
    }
}

/// What the business system `school` wants to be paid.
pub(crate) fn business(out_business_id: &str) -> BusinessOrder {
    BusinessOrder {
        buyer_id: buyer_id_of("member-1"),
        order_type: OrderType::parse_foreign("workshop").unwrap(),
        out_business_id: out_business_id.to_owned(),
        title: "Evening workshop".to_owned(),
        description: None,
        items: vec![BusinessItem {
            goods_id: product("workshop-1"),
            name: "A seat".to_owned(),
            unit_price_amount: MinorUnits::new(4_200).unwrap(),
            quantity: 2,
        }],
        currency: Currency::Cny,
    }
}
