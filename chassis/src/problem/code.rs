//! The one list of what can be wrong: word, HTTP status and texts in both languages.

use http::StatusCode;

use crate::language::Language;

/// The texts that people read of one code.
struct Texts {
    title: &'static str,
    detail: &'static str,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $status:ident $word:literal
        en $title:literal $detail:literal
        zh $title_zh:literal $detail_zh:literal;)*) => {
        /// What is wrong, as a stable word. The word and its status are part of the public contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable snake_case word that programs compare.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The HTTP status that an answer with this code has.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            fn texts(self, language: Language) -> Texts {
                match (self, language) {
                    $((Self::$name, Language::En) => Texts { title: $title, detail: $detail },
                      (Self::$name, Language::Zh) => Texts { title: $title_zh, detail: $detail_zh },)*
                }
            }
        }
    };
}

codes! {
    /// The body is not JSON.
    UnreadableJson BAD_REQUEST "unreadable_json"
        en "Unreadable JSON" "The body cannot be read as JSON."
        zh "无法读取的 JSON" "请求体不是可读取的 JSON。";
    /// The request cannot be understood for another reason than its JSON.
    BadRequest BAD_REQUEST "bad_request"
        en "Bad request" "The request cannot be understood."
        zh "请求有误" "无法理解该请求。";
    /// No identity was proven.
    Unauthenticated UNAUTHORIZED "unauthenticated"
        en "Not signed in" "This needs a valid bearer token. Please sign in."
        zh "未登录" "需要有效的访问令牌，请先登录。";
    /// The identity may not do this.
    Forbidden FORBIDDEN "forbidden"
        en "Not allowed" "Your role may not do this."
        zh "没有权限" "您的角色不允许此操作。";
    /// There is no such thing, or it is someone else's.
    NotFound NOT_FOUND "not_found"
        en "Not found" "There is nothing here by that name."
        zh "未找到" "未找到所请求的内容。";
    /// The route exists for other methods.
    MethodNotAllowed METHOD_NOT_ALLOWED "method_not_allowed"
        en "Method not allowed" "This route does not take this method."
        zh "不支持的方法" "该地址不支持此请求方法。";
    /// The body took too long to arrive.
    RequestTimeout REQUEST_TIMEOUT "request_timeout"
        en "Request too slow" "The request's body did not arrive in time."
        zh "请求超时" "请求体未能及时送达。";
    /// The first command with this idempotency key still runs.
    IdempotencyInProgress CONFLICT "idempotency_in_progress"
        en "Still running" "The first command with this idempotency key is still running. Ask again shortly."
        zh "正在处理" "使用此幂等键的首个请求仍在处理中，请稍后重试。";
    /// The business key belongs to an order with other content.
    BusinessIdConflict CONFLICT "business_id_conflict"
        en "Business key already used" "An order with this business key exists and has other content."
        zh "业务单号冲突" "该业务单号已有内容不同的订单。";
    /// The order is paid.
    OrderAlreadyPaid CONFLICT "order_already_paid"
        en "Already paid" "This order is already paid. Please do not pay again."
        zh "订单已支付" "该订单已支付，请勿重复支付。";
    /// The order ended without payment, or is about to.
    OrderClosed CONFLICT "order_closed"
        en "Order closed" "This order has ended and cannot be paid any more."
        zh "订单已关闭" "该订单已结束，不能再支付。";
    /// Too little of the order's time is left for another attempt.
    OrderExpiring CONFLICT "order_expiring"
        en "Order about to expire" "Too little time is left to start a payment of this order."
        zh "订单即将过期" "订单剩余时间不足，不能再发起支付。";
    /// All numbers for attempts of this order are used.
    AttemptsExhausted CONFLICT "attempts_exhausted"
        en "No attempts left" "This order has had as many payment attempts as it may have."
        zh "支付次数已用完" "该订单可发起支付的次数已用完。";
    /// More is to go back than was paid and is not on its way back yet.
    RefundExceedsPaid CONFLICT "refund_exceeds_paid"
        en "Refund exceeds payment" "More is to go back than was paid and is not on its way back yet."
        zh "退款金额超限" "退款金额超过可退余额。";
    /// All numbers for refunds of this order are used.
    RefundsExhausted CONFLICT "refunds_exhausted"
        en "No refunds left" "This order has had as many refunds as it may have."
        zh "退款次数已用完" "该订单的退款次数已用完。";
    /// A refund's state does not allow what is asked.
    RefundInFlight CONFLICT "refund_in_flight"
        en "Refund under way" "A refund of this payment is under way. Its outcome must be known first."
        zh "退款处理中" "该笔付款有退款正在处理，须先得知其结果。";
    /// Less stock is free than was asked for.
    InsufficientStock CONFLICT "insufficient_stock"
        en "Not enough stock" "Less is in stock than was asked for. Nothing was reserved."
        zh "库存不足" "库存不足，未预留任何商品。";
    /// The totals are no longer those that the buyer saw.
    PriceChanged CONFLICT "price_changed"
        en "Price changed" "The price has changed since it was shown. Please look at the new total."
        zh "价格已变动" "价格已变动，请确认新的金额。";
    /// The buyer has as many of this as one buyer may have.
    BuyerLimitExceeded CONFLICT "buyer_limit_exceeded"
        en "Limit per buyer reached" "One buyer may not have more of this."
        zh "超出限购数量" "已达到每位买家的限购数量。";
    /// The state does not allow a payment.
    NotPayable CONFLICT "not_payable"
        en "Not payable" "This cannot be paid in the state it is in."
        zh "不可支付" "当前状态下不能支付。";
    /// `If-Match` names a revision that is no longer the newest.
    PreconditionFailed PRECONDITION_FAILED "precondition_failed"
        en "Changed meanwhile" "This has changed since it was read. Read it again."
        zh "内容已变更" "读取之后内容已被修改，请重新读取。";
    /// The body is larger than allowed.
    PayloadTooLarge PAYLOAD_TOO_LARGE "payload_too_large"
        en "Body too large" "The request's body is larger than allowed."
        zh "请求体过大" "请求体超出允许的大小。";
    /// The body is of a kind that the route does not take.
    UnsupportedMediaType UNSUPPORTED_MEDIA_TYPE "unsupported_media_type"
        en "Unsupported media type" "This route takes `application/json` in UTF-8."
        zh "不支持的内容类型" "该地址只接受 UTF-8 编码的 application/json。";
    /// Readable, but not allowed; `errors` names the fields.
    Invalid UNPROCESSABLE_ENTITY "invalid"
        en "Invalid input" "The request can be read, but what it asks for is not allowed."
        zh "输入无效" "请求可以读取，但内容不符合要求。";
    /// The idempotency key was used before, with another body.
    IdempotencyKeyReused UNPROCESSABLE_ENTITY "idempotency_key_reused"
        en "Idempotency key reused" "This idempotency key was used before with another body."
        zh "幂等键已被使用" "该幂等键已用于内容不同的请求。";
    /// Courses are ordered through a course selection only.
    SelectionRequired UNPROCESSABLE_ENTITY "selection_required"
        en "Select the course first" "A course is ordered through a course selection."
        zh "请先选课" "课程须先选课，再下单。";
    /// The channel exists but is not configured here.
    ChannelNotConfigured UNPROCESSABLE_ENTITY "channel_not_configured"
        en "Channel not configured" "This payment channel is not configured here."
        zh "渠道未配置" "此处未配置该支付渠道。";
    /// Too many requests of one kind.
    RateLimited TOO_MANY_REQUESTS "rate_limited"
        en "Too many requests" "Too many requests. Please wait a little."
        zh "请求过多" "请求过于频繁，请稍候再试。";
    /// A defect or failure of ours; the answer tells nothing of it.
    Internal INTERNAL_SERVER_ERROR "internal"
        en "Internal error" "Something failed here. It has been logged."
        zh "内部错误" "系统内部出错，已记录。";
    /// The channel understood and said no.
    ChannelRefused BAD_GATEWAY "channel_refused"
        en "Refused by the channel" "The payment channel refused this."
        zh "渠道拒绝" "支付渠道拒绝了该请求。";
    /// The channel cannot be asked at the moment.
    ChannelUnavailable SERVICE_UNAVAILABLE "channel_unavailable"
        en "Channel unavailable" "The payment channel cannot be reached at the moment. Please try again shortly."
        zh "渠道暂不可用" "支付渠道暂时无法连接，请稍后重试。";
    /// The view has not reached the asked-for position in time.
    ViewBehind SERVICE_UNAVAILABLE "view_behind"
        en "View is behind" "What is read here has not caught up yet. Please try again shortly."
        zh "数据尚未更新" "所读数据尚未更新到指定位置，请稍后重试。";
    /// A queue is full; nothing was done.
    Busy SERVICE_UNAVAILABLE "busy"
        en "Busy" "Too much is waiting here at the moment. Nothing was done; please try again shortly."
        zh "系统繁忙" "系统繁忙，未做任何处理，请稍后重试。";
    /// The log or a database cannot be used at the moment.
    StoreUnavailable SERVICE_UNAVAILABLE "store_unavailable"
        en "Storage unavailable" "The storage cannot be used at the moment. Please try again shortly."
        zh "存储暂不可用" "存储暂时不可用，请稍后重试。";
}

impl Code {
    /// The URI reference that names the kind of problem.
    pub fn type_uri(self) -> String {
        format!("/problems/{}", self.word())
    }

    /// The short text that is the same for every occurrence.
    pub fn title(self, language: Language) -> &'static str {
        self.texts(language).title
    }

    /// The text for an occurrence of which nothing more is known.
    pub fn detail(self, language: Language) -> &'static str {
        self.texts(language).detail
    }

    /// True where asking again later may help, so that the answer names a time.
    pub(super) fn is_temporary(self) -> bool {
        self.status() == StatusCode::SERVICE_UNAVAILABLE || matches!(self, Self::IdempotencyInProgress | Self::RateLimited)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn words_are_snake_case_and_each_names_one_code() {
        let words: HashSet<&str> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    }

    #[test]
    fn every_code_is_an_error_with_texts_in_both_languages() {
        for &code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
            assert!(code.title(Language::En).is_ascii() && code.detail(Language::En).is_ascii(), "{code:?}");
            assert!(!code.title(Language::Zh).is_ascii() && !code.detail(Language::Zh).is_ascii(), "{code:?}");
        }
    }

    #[test]
    fn what_may_help_later_is_temporary_and_nothing_else() {
        assert!(Code::ViewBehind.is_temporary() && Code::RateLimited.is_temporary() && Code::IdempotencyInProgress.is_temporary());
        assert!(!Code::Internal.is_temporary() && !Code::OrderClosed.is_temporary() && !Code::ChannelRefused.is_temporary());
    }
}
