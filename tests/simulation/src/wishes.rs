//! What comes from outside: commands and notifications, as plain data, so that whoever got no answer sends the same again.

use std::pin::Pin;
use std::sync::Arc;

use command_api::{
    Caller, CallerKey, Cancelled, CommandFailure, Commands, Created, NoticeAnswer, NoticeFailure, NoticeVerdict, OperatorChoice,
    OrderRequest, RefundAnswer, RefundWish, Renewed, StockAnswer, StockChange,
};
use domain::order::Order;
use domain::{BuyerId, Channel, OrderId, PayNo, ProductId, RefundNo, SkuId};
use event_store::Position;
use followers::{FollowerError, Progress};
use gateway::{NotificationReply, RawNotification};
use uuid::Uuid;

use crate::ports::Notice;

/// What somebody outside wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Select {
        buyer: BuyerId,
        course: ProductId,
        key: Option<CallerKey>,
    },
    Order {
        caller: Caller,
        request: OrderRequest,
        key: Option<CallerKey>,
    },
    Pay {
        caller: Caller,
        order_id: OrderId,
        key: Option<CallerKey>,
        if_match: Option<u64>,
    },
    Sync {
        caller: Caller,
        pay_no: PayNo,
        key: Option<CallerKey>,
    },
    Cancel {
        caller: Caller,
        order_id: OrderId,
        key: Option<CallerKey>,
        if_match: Option<u64>,
    },
    Refund {
        caller: Caller,
        order_id: OrderId,
        wish: RefundWish,
        key: Option<CallerKey>,
        if_match: Option<u64>,
    },
    Choose {
        caller: Caller,
        refund_no: RefundNo,
        choice: OperatorChoice,
        key: Option<CallerKey>,
    },
    Resolve {
        caller: Caller,
        pay_no: PayNo,
        trade_no: String,
        key: Option<CallerKey>,
    },
    /// Unmatched money belongs to a pay record, says an operator, or to nobody here.
    Decide {
        caller: Caller,
        notice_id: i64,
        trade_no: String,
        pay_no: Option<PayNo>,
        key: Option<CallerKey>,
    },
    Stock {
        caller: Caller,
        sku_id: SkuId,
        change: StockChange,
        key: Option<CallerKey>,
    },
    /// The order as it stood when its link was opened.
    Renew {
        order_id: OrderId,
        order: Box<Order>,
    },
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
            | Self::Cancel { key, .. }
            | Self::Refund { key, .. }
            | Self::Choose { key, .. }
            | Self::Resolve { key, .. }
            | Self::Decide { key, .. }
            | Self::Stock { key, .. } => key.as_ref(),
            Self::Renew { .. } | Self::Notice(_) => None,
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
            Self::Refund { order_id, wish, key, .. } => {
                format!("an operator gives back {} of {order_id}{}", wish.amount.amount_minor(), keyed(key))
            }
            Self::Choose { refund_no, choice, key, .. } => format!("an operator wants {choice:?} of {refund_no}{}", keyed(key)),
            Self::Resolve { pay_no, trade_no, key, .. } => format!("an operator resolves {trade_no} of {pay_no}{}", keyed(key)),
            Self::Decide { trade_no, pay_no: Some(pay_no), key, .. } => {
                format!("an operator assigns {trade_no} to {pay_no}{}", keyed(key))
            }
            Self::Decide { trade_no, pay_no: None, key, .. } => format!("an operator dismisses {trade_no}{}", keyed(key)),
            Self::Stock { sku_id, change, key, .. } => format!("an operator changes {sku_id} by {change:?}{}", keyed(key)),
            Self::Renew { order_id, .. } => format!("the link of {order_id} is renewed"),
            Self::Notice(notice) => {
                let content = &notice.content;
                format!(
                    "{:?} notice {} of {}: {:?}, {} back",
                    notice.kind, content.notify_id, content.out_trade_no, content.word, content.refunded_minor
                )
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
    /// The refund, and the position of the answer.
    Refunded(RefundNo, Position),
    Resolved(Told),
    Decided(NoticeAnswer),
    /// What an operator wished of a notification was refused by a rule.
    Declined(NoticeFailure),
    Renewed(Renewed),
    Stocked(StockAnswer),
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
        Wish::Refund { caller, order_id, wish, key, if_match } => {
            refunded(&commands.request_refund(&caller, order_id, wish, key.as_ref(), if_match, correlation_id).await?)
        }
        Wish::Choose { caller, refund_no, choice, key } => {
            refunded(&commands.choose_refund(&caller, refund_no, choice, REASON.to_owned(), key.as_ref(), correlation_id).await?)
        }
        Wish::Resolve { caller, pay_no, trade_no, key } => {
            let resolved = commands.resolve_surplus(&caller, pay_no, trade_no, REASON.to_owned(), key.as_ref(), correlation_id).await?;
            Answer::Resolved(Told { pay_no, position: resolved.0.position, replayed: resolved.1 })
        }
        Wish::Decide { caller, notice_id, pay_no, key, .. } => {
            let decided = match pay_no {
                Some(pay_no) => commands.assign_notice(&caller, notice_id, pay_no, REASON, key.as_ref(), correlation_id).await,
                None => commands.dismiss_notice(&caller, notice_id, REASON, key.as_ref(), correlation_id).await,
            };
            match decided {
                Ok(answer) => Answer::Decided(answer),
                Err(NoticeFailure::Command(failure)) => return Err(failure),
                Err(refusal) => Answer::Declined(refusal),
            }
        }
        Wish::Stock { caller, sku_id, change, key } => {
            Answer::Stocked(commands.change_stock(&caller, &sku_id, change, REASON.to_owned(), key.as_ref(), correlation_id).await?)
        }
        Wish::Renew { order, .. } => Answer::Renewed(commands.renew_expired(&order, correlation_id).await?),
        Wish::Notice(notice) => {
            let (verdict, reply) = take_notice(commands, notice.raw(), correlation_id).await?;
            Answer::Noticed(verdict, reply)
        }
    })
}

/// What operators say.
pub(crate) const REASON: &str = "as agreed";

fn refunded(answer: &RefundAnswer) -> Answer {
    Answer::Refunded(answer.refund_no, answer.order.position)
}
