//! Stock: held before its order is made, sold when it is paid, for sale again when it ends unpaid or its money went back.

use domain::order::OrderDraft;
use domain::stock::{CommandKey, ReleaseCause, Stock, StockCommand, StockEvent, StockRejection, StockReserved};
use domain::{Decider, OrderId, PayNo, SkuId};
use event_store::Position;
use uuid::Uuid;

use crate::caller::{Caller, CallerKey};
use crate::failure::CommandFailure;
use crate::handler::{Context, ExecuteError, Executed, Standing};
use crate::held::CHECK_AFTER;
use crate::orders::invalid;
use crate::service::Commands;
use crate::streams;

/// What an operator changes of a stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StockChange {
    /// So many more came into the house.
    Receipt(u32),
    /// A count found so many more than the books say; negative for fewer.
    Adjustment(i64),
}

/// How a stock stands after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockAnswer {
    /// What may be held for the next order.
    pub available: u64,
    /// The position of the last event that the answer is made from.
    pub position: Position,
    /// Whether the caller's key had done it before.
    pub replayed: bool,
}

impl Commands {
    /// An operator takes in stock, or sets the books to what was counted.
    pub async fn change_stock(
        &self,
        caller: &Caller,
        sku_id: &SkuId,
        change: StockChange,
        reason: String,
        key: Option<&CallerKey>,
        correlation_id: Uuid,
    ) -> Result<StockAnswer, CommandFailure> {
        if !self.ports.catalogue.has_sku(sku_id).await? {
            return Err(CommandFailure::NotFound);
        }
        // One of its own where the caller sent none: whoever decides for us may die after the append.
        let own = || (streams::hash(&["command", &self.ports.ids.event_id().to_string()]), String::new());
        let (key_hash, request_hash) = key.map_or_else(own, |key| (key.key_hash.clone(), key.request_hash.clone()));
        let command_key = CommandKey { key_hash, request_hash };
        let (sku, of_command) = (sku_id.clone(), Some(command_key.clone()));
        let command = move || match change {
            StockChange::Receipt(quantity) => {
                StockCommand::Receive { sku_id: sku.clone(), quantity, reason: reason.clone(), command_key: of_command.clone() }
            }
            StockChange::Adjustment(difference) => {
                StockCommand::Adjust { sku_id: sku.clone(), difference, reason: reason.clone(), command_key: of_command.clone() }
            }
        };
        let context = Context::of_caller(caller, correlation_id);
        let executed = self.on_stock(sku_id, &context, command).await?;
        // Others' commands may have been decided with it: the answer is how it stood right after this one.
        let standing = self.stock_when_done(sku_id, &command_key).await?;
        let replayed = key.is_some() && executed.events.is_empty();
        Ok(StockAnswer { available: standing.state.available(), position: standing.position, replayed })
    }

    /// The stock as it stood when the key changed it.
    async fn stock_when_done(&self, sku_id: &SkuId, key: &CommandKey) -> Result<Standing<Stock>, CommandFailure> {
        let is_done_by = |done: &Option<CommandKey>| done.as_ref().is_some_and(|done| done.key_hash == key.key_hash);
        let is_it = |event: &StockEvent| match event {
            StockEvent::StockReceived(event) => is_done_by(&event.command_key),
            StockEvent::StockAdjusted(event) => is_done_by(&event.command_key),
            _ => false,
        };
        let loaded = self.stocks.load_until(&streams::stock(sku_id), is_it).await;
        loaded.map_err(|error| of_stock(error, sku_id))
    }

    /// Holds the order's stock, SKU by SKU.
    pub(crate) async fn reserve_stock(&self, context: &Context, draft: &OrderDraft, pay_no: Option<PayNo>) -> Result<(), CommandFailure> {
        let order_skus: Vec<SkuId> = draft.stock.iter().map(|line| line.sku_id.clone()).collect();
        let check_at = self.now() + CHECK_AFTER;
        for line in &draft.stock {
            let wish = StockReserved {
                sku_id: line.sku_id.clone(),
                order_id: draft.order_id,
                buyer_id: draft.buyer_id.clone(),
                quantity: line.quantity,
                buyer_limit: line.buyer_limit,
                pay_no,
                order_skus: order_skus.clone(),
                check_at,
            };
            self.on_stock(&line.sku_id, &context.then(line.sku_id.as_str()), move || StockCommand::Reserve(wish.clone())).await?;
        }
        Ok(())
    }

    /// Lets the stock go that is held for the order.
    pub(crate) async fn release_stock(
        &self,
        context: &Context,
        order_id: OrderId,
        sku_id: &SkuId,
        held_for: &[Option<PayNo>],
        cause: ReleaseCause,
    ) -> Result<(), CommandFailure> {
        let (sku, held_for) = (sku_id.clone(), held_for.to_vec());
        let command = move || StockCommand::Release { sku_id: sku.clone(), order_id, held_for: held_for.clone(), cause };
        self.on_stock(sku_id, &context.then(sku_id.as_str()), command).await.map(drop)
    }

    /// The order was paid: its stock is the buyer's.
    pub(crate) async fn sell_stock(&self, context: &Context, draft: &OrderDraft) -> Result<(), CommandFailure> {
        for line in &draft.stock {
            let (sold, order_id, buyer_id, now) = (line.clone(), draft.order_id, draft.buyer_id.clone(), self.now());
            let command = move || StockCommand::Sell { line: sold.clone(), order_id, buyer_id: buyer_id.clone(), now };
            self.on_stock(&line.sku_id, &context.then(line.sku_id.as_str()), command).await?;
        }
        Ok(())
    }

    /// What was paid went back whole: the stock is for sale again.
    pub(crate) async fn return_stock(&self, context: &Context, draft: &OrderDraft) -> Result<(), CommandFailure> {
        for line in &draft.stock {
            let (sku_id, order_id) = (line.sku_id.clone(), draft.order_id);
            let command = move || StockCommand::Return { sku_id: sku_id.clone(), order_id };
            self.on_stock(&line.sku_id, &context.then(line.sku_id.as_str()), command).await?;
        }
        Ok(())
    }

    async fn on_stock(
        &self,
        sku_id: &SkuId,
        context: &Context,
        command: impl Fn() -> StockCommand + Send + Sync + 'static,
    ) -> Result<Executed<Stock>, CommandFailure> {
        let stream_id = streams::stock(sku_id);
        let executed = self.stocks.execute_together(&stream_id, context, move |stock| Stock::decide(stock, command())).await;
        executed.map_err(|error| of_stock(error, sku_id))
    }
}

fn of_stock(error: ExecuteError<StockRejection>, sku_id: &SkuId) -> CommandFailure {
    let rejection = match error {
        ExecuteError::Rejected(rejection) => rejection,
        ExecuteError::Contended(stream_id) => return CommandFailure::Contended(stream_id),
        ExecuteError::Append(error) => return CommandFailure::Append(error),
        ExecuteError::Read(error) => return CommandFailure::Read(error),
        ExecuteError::Stored(error) => return CommandFailure::Stored(error),
        ExecuteError::Stale => return CommandFailure::Stale,
    };
    match rejection {
        StockRejection::Insufficient { available } => CommandFailure::InsufficientStock { sku_id: sku_id.clone(), available },
        StockRejection::LimitExceeded { limit } => CommandFailure::BuyerLimitExceeded { sku_id: sku_id.clone(), limit },
        StockRejection::KeyReused => CommandFailure::KeyReused,
        StockRejection::WrongQuantity => invalid("quantity", "out_of_range", "The quantity is 0 or too large."),
        StockRejection::OtherwiseTaken => CommandFailure::StockTaken,
    }
}

#[cfg(test)]
mod tests;
