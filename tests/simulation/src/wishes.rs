//! What comes from outside: commands and notifications, as plain data, so that whoever got no answer sends the same again.

use std::pin::Pin;
use std::sync::Arc;

use command_api::{Caller, CallerKey, Cancelled, CommandFailure, Commands, Created, NoticeVerdict, OrderRequest};
use domain::{BuyerId, Channel, OrderId, PayNo, ProductId};
use event_store::Position;
use followers::{FollowerError, Progress};
use gateway::{NotificationReply, RawNotification};
use uuid::Uuid;

use crate::ports::Notice;

/// What somebody outside wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Select { buyer: BuyerId, course: ProductId, key: Option<CallerKey> },
    Order { caller: Caller, request: OrderRequest, key: Option<CallerKey> },
    Pay { caller: Caller, order_id: OrderId, key: Option<CallerKey>, if_match: Option<u64> },
    Sync { caller: Caller, pay_no: PayNo, key: Option<CallerKey> },
    Cancel { caller: Caller, order_id: OrderId, key: Option<CallerKey>, if_match: Option<u64> },
    Notice(Notice),
}

impl Wish {
    /// The caller's key.
    pub(crate) fn key(&self) -> Option<&CallerKey> {
        match self {
            Self::Select { key, .. }
            | Self::Order { key, .. }
            | Self::Pay { key, .. }
            | Self::Sync { key, .. }
            | Self::Cancel { key, .. } => key.as_ref(),
            Self::Notice(_) => None,
        }
    }

    /// For the trace.
    pub(crate) fn describe(&self) -> String {
        let keyed = |key: &Option<CallerKey>| if key.is_some() { " with a key" } else { "" };
        match self {
            Self::Select { buyer, course, key } => format!("{buyer} selects {course}{}", keyed(key)),
            Self::Order { caller, request, key } => {
                let what = match request {
                    OrderRequest::CourseSelection { selection_id, .. } => format!("selection {selection_id}"),
                    OrderRequest::Product { product_id, quantity, .. } => format!("{quantity} of {product_id}"),
                    OrderRequest::Business(order) => format!("business {} of {}", order.out_business_id, order.buyer_id),
                };
                format!("{} orders {what}{}", caller.actor(), keyed(key))
            }
            Self::Pay { caller, order_id, key, .. } => format!("{} wants to pay {order_id}{}", caller.actor(), keyed(key)),
            Self::Sync { caller, pay_no, key } => format!("{} has paid {pay_no}{}", caller.actor(), keyed(key)),
            Self::Cancel { caller, order_id, key, .. } => format!("{} cancels {order_id}{}", caller.actor(), keyed(key)),
            Self::Notice(notice) => {
                let content = &notice.content;
                format!("{:?} notice {} of {}: {:?}", notice.kind, content.notify_id, content.out_trade_no, content.word)
            }
        }
    }
}

/// An order or pay record as an answer tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) pay_no: PayNo,
    pub(crate) position: Position,
    pub(crate) replayed: bool,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Answer {
    Selected(Created),
    Ordered(Created),
    Attempted(Told),
    Synced(Told),
    Cancelled(Cancelled),
    Noticed(NoticeVerdict, NotificationReply),
    Failed(CommandFailure),
    Followed(Result<Progress, FollowerError>),
}

/// Something under way in a process.
pub(crate) type Work = Pin<Box<dyn Future<Output = Answer>>>;

/// How a notification is taken; the product's own way, but for tests of the simulator itself.
pub(crate) type TakeNotice =
    dyn Fn(Commands, RawNotification, Uuid) -> Pin<Box<dyn Future<Output = Result<(NoticeVerdict, NotificationReply), CommandFailure>>>>;

/// Does what is wished, in the process that `commands` are of.
pub(crate) fn perform(commands: Commands, wish: Wish, correlation_id: Uuid, take_notice: &Arc<TakeNotice>) -> Work {
    let take_notice = Arc::clone(take_notice);
    Box::pin(async move {
        match answered(commands, wish, correlation_id, &take_notice).await {
            Ok(answer) => answer,
            Err(failure) => Answer::Failed(failure),
        }
    })
}

async fn answered(commands: Commands, wish: Wish, correlation_id: Uuid, take_notice: &Arc<TakeNotice>) -> Result<Answer, CommandFailure> {
    Ok(match wish {
        Wish::Select { buyer, course, key } => {
            let (created, _) = commands.select_course(&buyer, &course, key.as_ref(), correlation_id).await?;
            Answer::Selected(created)
        }
        Wish::Order { caller, request, key } => {
            let (created, _) = commands.create_order(&caller, request, key.as_ref(), correlation_id).await?;
            Answer::Ordered(created)
        }
        Wish::Pay { caller, order_id, key, if_match } => {
            let attempted =
                commands.create_pay_record(&caller, order_id, Channel::AlipayQr, key.as_ref(), if_match, correlation_id).await?;
            let position = attempted.order.position;
            Answer::Attempted(Told { pay_no: attempted.pay_no, position, replayed: attempted.replayed })
        }
        Wish::Sync { caller, pay_no, key } => {
            let (standing, replayed) = commands.sync_pay_record(&caller, pay_no, key.as_ref(), None, correlation_id).await?;
            Answer::Synced(Told { pay_no, position: standing.position, replayed })
        }
        Wish::Cancel { caller, order_id, key, if_match } => {
            Answer::Cancelled(commands.cancel_order(&caller, order_id, None, key.as_ref(), if_match, correlation_id).await?)
        }
        Wish::Notice(notice) => {
            let (verdict, reply) = take_notice(commands, notice.raw(), correlation_id).await?;
            Answer::Noticed(verdict, reply)
        }
    })
}
