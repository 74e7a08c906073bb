//! Asking a channel for what the buyer pays by, and recording what it gave.

use domain::order::{Attempt, Order, OrderCommand, OrderRejection, OrderStatus};
use domain::pay_record::{PayRecord, PayRecordStatus, Prepared};
use domain::{BuyerId, Decider};
use event_store::StreamId;
use gateway::{ClientParameters, GatewayError, PrecreateRequest, Precreated};

use super::{Attempted, PayWish, live_pay_no};
use crate::channels::ConfiguredChannel;
use crate::failure::CommandFailure;
use crate::handler::{Context, ExecuteError};
use crate::payer::Payer;
use crate::service::Commands;
use crate::streams;

/// How often what the channel gave is asked for anew because another's was recorded meanwhile.
const MOST_RENEWALS: usize = 3;

/// Why an attempt ends whose payer was erased before the channel was told.
const PAYER_ERASED: &str = "paystream.payer_erased";

impl Commands {
    /// The wish as the order decides it. A live attempt for another payer makes place for one of this payer: nobody can pay
    /// what was prepared for somebody else.
    pub(super) async fn attempt(&self, order: &Order, wish: &PayWish, configured: &ConfiguredChannel) -> Result<Attempt, CommandFailure> {
        let attempt = Attempt { by_scan: wish.by_scan, ..configured.wish(wish.channel, self.now()) };
        let Some(payer) = wish.payer.told_to(wish.channel)? else { return Ok(attempt) };
        let buyer_id = &order.created.as_ref().ok_or(CommandFailure::NotFound)?.draft.buyer_id;
        let live = order.live_pay_record(wish.channel).and_then(|record| record.issued.as_ref());
        let replaces = match live {
            Some(issued) => {
                let sealed = issued.request.as_ref().and_then(|request| request.payer.as_deref());
                let before = self.payer(buyer_id, sealed).await?;
                (before.as_ref() != Some(&payer)).then_some(issued.pay_no)
            }
            None => None,
        };
        Ok(Attempt { payer: Some(self.sealed_payer(buyer_id, &payer).await?), replaces, ..attempt })
    }

    async fn payer(&self, buyer_id: &BuyerId, sealed: Option<&str>) -> Result<Option<Payer>, CommandFailure> {
        match sealed {
            Some(sealed) => self.opened_payer(buyer_id, sealed).await,
            None => Ok(Some(Payer::default())),
        }
    }

    /// Asks the channel for the code of an attempt, and records what it says. Nothing is known where it does not answer: the
    /// record stays `preparing`, and the process manager asks what became of it.
    pub(crate) async fn precreate(
        &self,
        context: &Context,
        attempted: Attempted,
        configured: &ConfiguredChannel,
    ) -> Result<Attempted, CommandFailure> {
        let pay_no = attempted.pay_no;
        let asked_at = self.now();
        let command = match self.asked(&attempted, configured).await? {
            Ok((precreated, until)) => {
                // The channel counts from when it answered, at the latest now. A code that is taken for dead too soon could be
                // paid after its record was closed.
                let expires_at = (self.now() + configured.code_life).min(until);
                OrderCommand::RecordPrepared { pay_no, prepared: prepared(precreated), asked_at, expires_at, replaces: None }
            }
            Err(GatewayError::Refused { code, .. }) => OrderCommand::RecordRefused { pay_no, code },
            Err(error @ GatewayError::Unknown { .. }) => {
                tracing::warn!(pay.no = %pay_no, error = &error as &dyn std::error::Error, "the channel gave no code; it will be asked");
                return Ok(attempted);
            }
        };
        let refused = match &command {
            OrderCommand::RecordRefused { code, .. } => Some(code.clone()),
            _ => None,
        };
        let stream_id = streams::order(pay_no.order_id());
        match self.orders.execute(&stream_id, context, |order| Order::decide(order, command.clone())).await {
            Ok(executed) => match refused {
                Some(code) => Err(CommandFailure::ChannelRefused { code }),
                None => Ok(Attempted { order: executed.standing, ..attempted }),
            },
            // It ended while the channel was asked, and its code was never shown.
            Err(ExecuteError::Rejected(OrderRejection::PayRecord(_))) => self.ended_meanwhile(&stream_id, attempted).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Asks the channel to prepare a payment anew whose code has died. A channel that refuses may have been paid: it is asked.
    ///
    /// Where somebody else does the same at once, what the channel gave last is alive and the other is not, and nobody here
    /// knows which that is. Whoever finds the other's on the log asks once more: what is then recorded came after both.
    pub(super) async fn renew(
        &self,
        context: &Context,
        attempted: Attempted,
        configured: &ConfiguredChannel,
    ) -> Result<Attempted, CommandFailure> {
        let pay_no = attempted.pay_no;
        let mut attempted = attempted;
        for _ in 0..MOST_RENEWALS {
            let replaces = given(&attempted)?;
            let renewed = self.renew_once(context, &attempted, configured, replaces).await?;
            let is_recorded = renewed.is_new;
            let renewed = Attempted { is_new: false, ..renewed };
            // What has ended, or is another attempt by now, has nothing to renew any more.
            let is_over = renewed.pay_no != pay_no || renewed.record()?.status != PayRecordStatus::Pending;
            if is_recorded || is_over {
                return Ok(renewed);
            }
            attempted = renewed;
        }
        Ok(attempted)
    }

    /// One question for what takes the place of `replaces`; `is_new` says whether its answer is recorded.
    async fn renew_once(
        &self,
        context: &Context,
        attempted: &Attempted,
        configured: &ConfiguredChannel,
        replaces: Option<Prepared>,
    ) -> Result<Attempted, CommandFailure> {
        let pay_no = attempted.pay_no;
        let asked_at = self.now();
        let (precreated, until) = match self.asked(attempted, configured).await? {
            Ok(answered) => answered,
            Err(error @ GatewayError::Refused { .. }) => {
                self.settle_by_query(context, pay_no).await?;
                return Err(error.into());
            }
            Err(error @ GatewayError::Unknown { .. }) => return Err(error.into()),
        };
        let expires_at = (self.now() + configured.code_life).min(until);
        let command = OrderCommand::RecordPrepared { pay_no, prepared: prepared(precreated), asked_at, expires_at, replaces };
        let stream_id = streams::order(pay_no.order_id());
        match self.orders.execute(&stream_id, context, |order| Order::decide(order, command.clone())).await {
            Ok(executed) => {
                let is_new = !executed.events.is_empty();
                Ok(Attempted { pay_no, order: executed.standing, is_new, replayed: attempted.replayed })
            }
            Err(ExecuteError::Rejected(OrderRejection::PayRecord(_))) => {
                let attempted = Attempted { pay_no, order: attempted.order.clone(), is_new: false, replayed: attempted.replayed };
                self.ended_meanwhile(&stream_id, attempted).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What the channel gives for the attempt's members, and until when it takes money at all.
    async fn asked(
        &self,
        attempted: &Attempted,
        configured: &ConfiguredChannel,
    ) -> Result<Result<(Precreated, chrono::DateTime<chrono::Utc>), GatewayError>, CommandFailure> {
        const BROKEN: CommandFailure = CommandFailure::Broken("a pay record for a channel has no request");
        let order = &attempted.order.state;
        let issued = attempted.record()?.issued.as_ref().ok_or(BROKEN)?;
        let request = issued.request.as_ref().ok_or(BROKEN)?;
        let buyer_id = &order.created.as_ref().ok_or(BROKEN)?.draft.buyer_id;
        let Some(payer) = self.payer(buyer_id, request.payer.as_deref()).await? else {
            let (channel, operation, code) = (issued.channel, gateway::Operation::Precreate, PAYER_ERASED.to_owned());
            return Ok(Err(GatewayError::Refused { channel, operation, code }));
        };
        let asked = PrecreateRequest {
            out_trade_no: issued.pay_no.to_string(),
            channel: issued.channel,
            amount: issued.amount,
            subject: request.subject.clone(),
            product_code: request.product_code.clone(),
            time_expire: request.time_expire,
            notify_url: request.notify_url.clone(),
            payer_openid: payer.openid,
            payer_client_ip: payer.client_ip,
        };
        Ok(configured.gateway.precreate(&asked).await.map(|precreated| (precreated, request.time_expire)))
    }

    /// What is answered where an attempt ended while the channel was asked for its code: why, or what took its place.
    async fn ended_meanwhile(&self, stream_id: &StreamId, attempted: Attempted) -> Result<Attempted, CommandFailure> {
        let standing = self.orders.load(stream_id).await?;
        let order = &standing.state;
        match order.status {
            OrderStatus::Paid => return Err(CommandFailure::Order(OrderRejection::AlreadyPaid)),
            OrderStatus::AwaitingPayment => {}
            _ => return Err(CommandFailure::Order(OrderRejection::Ended)),
        }
        let channel = order.pay_record(attempted.pay_no).and_then(|record| record.issued.as_ref()).map(|issued| issued.channel);
        let successor = channel.and_then(|channel| live_pay_no(order, channel));
        match successor {
            Some(pay_no) => Ok(Attempted { pay_no, order: standing, is_new: false, ..attempted }),
            None => Ok(Attempted { order: standing, ..attempted }),
        }
    }

    /// What a page in the wallet, a mini program or an app hands to the wallet to pay the record, signed anew each time;
    /// `None` where the record is paid otherwise or cannot be paid now.
    pub(crate) fn client_parameters(&self, record: &PayRecord) -> Result<Option<ClientParameters>, CommandFailure> {
        let (Some(issued), Some((Prepared::Prepay { prepay_id }, _))) = (&record.issued, &record.prepared) else { return Ok(None) };
        let now = self.now();
        if record.status != PayRecordStatus::Pending || !record.code_is_usable(now) {
            return Ok(None);
        }
        let configured = self.ports.channels.get(issued.channel).ok_or(CommandFailure::ChannelNotConfigured)?;
        let nonce: [u8; 16] = chassis::ids::random_bytes(self.ports.ids.as_ref());
        let nonce = format!("{:032x}", u128::from_be_bytes(nonce));
        Ok(Some(configured.gateway.client_parameters(issued.channel, prepay_id, now, &nonce)?))
    }
}

/// What the channel gave for the attempt, as it stands.
fn given(attempted: &Attempted) -> Result<Option<Prepared>, CommandFailure> {
    Ok(attempted.record()?.prepared.as_ref().map(|(prepared, _)| prepared.clone()))
}

fn prepared(precreated: Precreated) -> Prepared {
    match precreated {
        Precreated::CodeAndPrepay { code_url, prepay_id } => Prepared::CodeAndPrepay { code_url, prepay_id },
        Precreated::Code { code_url } => Prepared::Code { code_url },
        Precreated::Link { url } => Prepared::Link { link_url: url },
        Precreated::Prepay { prepay_id } => Prepared::Prepay { prepay_id },
    }
}

#[cfg(test)]
mod tests;
