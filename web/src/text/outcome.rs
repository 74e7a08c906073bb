//! The page after the wallet, and the small pages that say one thing.

use super::Text;

pub(super) const TEXTS: &[Text] = &[
    Text::new("return.page", "Your payment", "支付结果"),
    Text::new("return.open.title", "Checking your payment …", "正在确认您的支付……"),
    Text::new(
        "return.open.words",
        "We are waiting for the payment channel's confirmation. Please do not pay again; this page follows by itself.",
        "正在等待支付渠道确认。请勿重复支付，本页会自动更新。",
    ),
    Text::new("return.paid.title", "Payment received, thank you", "支付成功，感谢购买"),
    Text::new("return.paid.words", "There is nothing more to pay.", "无需再次支付。"),
    Text::new("return.partially_refunded.title", "Partly refunded", "已部分退款"),
    Text::new(
        "return.partially_refunded.words",
        "A part of the amount has been returned the way it was paid. There is nothing more to pay.",
        "部分款项已按原支付方式退回，无需再次支付。",
    ),
    Text::new("return.refunded.title", "Refunded", "已退款"),
    Text::new("return.refunded.words", "The amount has been returned the way it was paid.", "款项已按原支付方式退回。"),
    Text::new("return.cancelled.title", "This order was cancelled", "订单已取消"),
    Text::new("return.cancelled.words", "Please do not pay it any more.", "请勿再支付该订单。"),
    Text::new("return.expired.title", "This order has expired", "订单已过期"),
    Text::new("return.expired.words", "No payment has reached us for it.", "我们未收到该订单的付款。"),
    Text::new("return.to_checkout", "Back to the checkout", "返回收银台"),
    Text::new("outcome.paid.title", "Already paid", "订单已支付"),
    Text::new("outcome.paid.words", "This order has been paid. Please do not pay it again.", "该订单已支付，请勿重复支付。"),
    Text::new("outcome.expired.title", "This code has expired", "二维码已过期"),
    Text::new(
        "outcome.expired.words",
        "It can no longer be paid. You can get a fresh one here.",
        "该二维码已不能支付，您可以在此重新获取。",
    ),
    Text::new("outcome.renew", "Get a new code", "获取新的二维码"),
    Text::new("outcome.closed.title", "This order is closed", "订单已关闭"),
    Text::new("outcome.closed.words", "It can no longer be paid. Nothing is owed for it.", "该订单已不能支付，您无需付款。"),
    Text::new("outcome.unknown.title", "This address leads nowhere", "链接无效"),
    Text::new(
        "outcome.unknown.words",
        "It is not complete or not of this shop. Please fetch the code again from your order.",
        "链接不完整或不属于本商店，请从订单重新获取二维码。",
    ),
    Text::new("outcome.no_page.title", "There is no such page", "页面不存在"),
    Text::new("outcome.no_page.words", "Please look whether the address is complete.", "请检查地址是否完整。"),
    Text::new("outcome.unavailable.title", "Not possible at the moment", "暂时无法处理"),
    Text::new("outcome.unavailable.words", "Please try again in a moment.", "请稍后重试。"),
];
