use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use command_api::process_managers::{
    AssignmentTodo, DueAssignment, DueOrder, Looked, LookedAssignment, OrderTodo, TodoError, Touched, TouchedAssignment,
};
use command_api::{KeptNotice, NoticeDesk, NoticeInbox};
use database::DatabaseError;
use domain::{OrderId, ProductId, SelectionId, SkuId};
use event_store::Position;
use followers::{Checkpoint, LeaseError, Leases};
use projections::{StoreError, ViewStore};
use storefront::StorefrontError;
use storefront::catalogue::{Catalogue, Product, ProductDraft, ProductFilter, PutProductError};
use storefront::order_ids::{OrderIdError, OrderIdSource};

use super::MOST_POLLS;
use crate::chance::Chance;
use crate::weather::{Place, Weather};

/// A table's way of failing and of waiting.
#[derive(Clone, Debug)]
struct Door {
    chance: Chance,
    weather: Weather,
}

impl Door {
    async fn enter(&self) -> Result<(), DatabaseError> {
        self.chance.pause(MOST_POLLS).await;
        if self.weather.strikes(Place::Tables) { Err(DatabaseError::TransactionFailed) } else { Ok(()) }
    }

    /// After it was done: the answer may be lost.
    async fn leave(&self) -> Result<(), DatabaseError> {
        self.enter().await
    }
}

macro_rules! port {
    ($(#[$doc:meta])* $name:ident, $port:ty) => {
        $(#[$doc])*
        pub(crate) struct $name {
            inner: Arc<$port>,
            door: Door,
        }

        impl $name {
            pub(crate) fn new(inner: Arc<$port>, chance: Chance, weather: Weather) -> Self {
                Self { inner, door: Door { chance, weather } }
            }
        }
    };
}

port!(
    /// The inbox of notifications.
    SimulatedInbox,
    dyn NoticeInbox
);
port!(
    /// What is sold.
    SimulatedCatalogue,
    dyn Catalogue
);
port!(
    /// Numbers of orders and selections.
    SimulatedNumbers,
    dyn OrderIdSource
);
port!(
    /// The to-do list of orders.
    SimulatedTodo,
    dyn OrderTodo
);
port!(
    /// The to-do list of unmatched money on which operators decided.
    SimulatedAssignments,
    dyn AssignmentTodo
);
port!(
    /// Who does what one process at a time should do.
    SimulatedLeases,
    dyn Leases
);

#[async_trait]
impl NoticeInbox for SimulatedInbox {
    async fn keep(&self, notice: KeptNotice) -> Result<(), DatabaseError> {
        self.door.enter().await?;
        self.inner.keep(notice).await?;
        self.door.leave().await
    }

    fn desk(&self) -> Option<&dyn NoticeDesk> {
        self.inner.desk()
    }
}

#[async_trait]
impl Catalogue for SimulatedCatalogue {
    async fn product(&self, product_id: &ProductId) -> Result<Option<Product>, StorefrontError> {
        self.door.enter().await?;
        self.inner.product(product_id).await
    }

    async fn product_at(&self, product_id: &ProductId, price_version: i64) -> Result<Option<Product>, StorefrontError> {
        self.door.enter().await?;
        self.inner.product_at(product_id, price_version).await
    }

    async fn products(&self, filter: &ProductFilter, after: Option<&ProductId>, limit: u32) -> Result<Vec<Product>, StorefrontError> {
        self.door.enter().await?;
        self.inner.products(filter, after, limit).await
    }

    async fn has_sku(&self, sku_id: &SkuId) -> Result<bool, StorefrontError> {
        self.door.enter().await?;
        self.inner.has_sku(sku_id).await
    }

    async fn put_product(&self, draft: ProductDraft, now: DateTime<Utc>) -> Result<Product, PutProductError> {
        self.inner.put_product(draft, now).await
    }
}

#[async_trait]
impl OrderIdSource for SimulatedNumbers {
    async fn next_order_id(&self, now: DateTime<Utc>) -> Result<OrderId, OrderIdError> {
        self.door.enter().await.map_err(StorefrontError::from)?;
        self.inner.next_order_id(now).await
    }

    async fn next_selection_id(&self, now: DateTime<Utc>) -> Result<SelectionId, OrderIdError> {
        self.door.enter().await.map_err(StorefrontError::from)?;
        self.inner.next_selection_id(now).await
    }
}

#[async_trait]
impl OrderTodo for SimulatedTodo {
    async fn checkpoint(&self) -> Result<Checkpoint, TodoError> {
        self.door.enter().await?;
        self.inner.checkpoint().await
    }

    async fn advance(&self, from: Checkpoint, to: Position, touched: &[Touched]) -> Result<(), TodoError> {
        self.door.enter().await?;
        self.inner.advance(from, to, touched).await?;
        Ok(self.door.leave().await?)
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<DueOrder>, TodoError> {
        self.door.enter().await?;
        self.inner.due(now, limit).await
    }

    async fn looked(&self, looked: &[Looked]) -> Result<(), TodoError> {
        self.door.enter().await?;
        self.inner.looked(looked).await?;
        Ok(self.door.leave().await?)
    }
}

#[async_trait]
impl AssignmentTodo for SimulatedAssignments {
    async fn checkpoint(&self) -> Result<Checkpoint, TodoError> {
        self.door.enter().await?;
        self.inner.checkpoint().await
    }

    async fn advance(&self, from: Checkpoint, to: Position, touched: &[TouchedAssignment]) -> Result<(), TodoError> {
        self.door.enter().await?;
        self.inner.advance(from, to, touched).await?;
        Ok(self.door.leave().await?)
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<DueAssignment>, TodoError> {
        self.door.enter().await?;
        self.inner.due(now, limit).await
    }

    async fn looked(&self, looked: &[LookedAssignment]) -> Result<(), TodoError> {
        self.door.enter().await?;
        self.inner.looked(looked).await?;
        Ok(self.door.leave().await?)
    }
}

#[async_trait]
impl Leases for SimulatedLeases {
    async fn try_acquire(&self, name: &str, holder: &str, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<bool, LeaseError> {
        self.door.enter().await?;
        let is_ours = self.inner.try_acquire(name, holder, now, until).await?;
        self.door.leave().await?;
        Ok(is_ours)
    }

    async fn release(&self, name: &str, holder: &str) -> Result<(), LeaseError> {
        self.door.enter().await?;
        self.inner.release(name, holder).await
    }
}

/// The rows of a view.
pub(crate) struct SimulatedView<R> {
    inner: Arc<dyn ViewStore<R>>,
    door: Door,
}

impl<R> SimulatedView<R> {
    pub(crate) fn new(inner: Arc<dyn ViewStore<R>>, chance: Chance, weather: Weather) -> Self {
        Self { inner, door: Door { chance, weather } }
    }
}

#[async_trait]
impl<R: Send + 'static> ViewStore<R> for SimulatedView<R> {
    async fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.door.enter().await?;
        self.inner.checkpoint().await
    }

    async fn load(&self, keys: &[String]) -> Result<Vec<(String, R)>, StoreError> {
        self.door.enter().await?;
        self.inner.load(keys).await
    }

    async fn commit(&self, rows: Vec<(String, R)>, from: Checkpoint, to: Position) -> Result<Checkpoint, StoreError> {
        self.door.enter().await?;
        let committed = self.inner.commit(rows, from, to).await?;
        self.door.leave().await?;
        Ok(committed)
    }
}
