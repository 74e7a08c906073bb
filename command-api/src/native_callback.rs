//! Codes that name a product: what such a code holds, and what WeChat Pay is answered that tells of a scan (API v2, Native
//! mode 1). The order is made on the spot, at the price of that moment.

use chassis::problem::{Chain, field};
use chrono::DateTime;
use domain::idempotency::Intent;
use domain::order::{Client, OrderRejection};
use domain::pay_record::{PayRecordStatus, Prepared};
use domain::{BuyerId, Channel, OrderId, ProductId};
use gateway::{GatewayError, NotificationRefusal, ProductCodes, ProductScan, RawNotification, ScanAnswer};
use storefront::catalogue::{Product, ProductKind};
use uuid::Uuid;

use crate::caller::{Caller, CallerKey};
use crate::creation::NaturalKey;
use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::inbox::{KeptNotice, NoticeState};
use crate::orders::{invalid, line};
use crate::pay_records::PayWish;
use crate::service::Commands;
use crate::streams;
use crate::wallet::Wallet;

/// The scope of the keys under which scans are known.
const ROUTE: &str = "POST /wechat/native-callback";
/// How many characters of a hash name a buyer, or vary a code.
const HASH_CHARS: usize = 32;
/// The time in every product's code. It only varies the code, which is to be the same whenever it is asked for.
const CODE_TIME_S: i64 = 1_767_225_600;

impl Commands {
    /// The text of the code that names the product; always the same while product and key are.
    ///
    /// Errors: `NotFound` where such codes are not configured, or for an unknown product; `SelectionRequired` and `Invalid` for
    /// one that no scan can order.
    pub(crate) async fn product_code(&self, product_id: &ProductId) -> Result<String, CommandFailure> {
        let codes = self.ports.channels.product_codes().ok_or(CommandFailure::NotFound)?;
        sold_by_scan(&self.on_sale(product_id, "product_id").await?)?;
        let mut nonce = streams::hash(&["product-code", product_id.as_str()]);
        nonce.truncate(HASH_CHARS);
        let at = DateTime::from_timestamp(CODE_TIME_S, 0).ok_or(CommandFailure::Broken("the time in a code is none"))?;
        match codes.product_link(product_id.as_str(), at, &nonce) {
            Ok(link) => Ok(link),
            Err(GatewayError::Refused { .. }) => Err(invalid("product_id", field::INVALID, "WeChat Pay takes no product of this id.")),
            Err(error @ GatewayError::Unknown { .. }) => Err(error.into()),
        }
    }

    /// What a genuine scan is answered. The buyer waits for it, so a failure is a refusal in a few words too.
    pub(crate) async fn answer_scan(&self, scan: &ProductScan, correlation_id: Uuid) -> ScanAnswer {
        match self.scanned(scan, correlation_id).await {
            Ok(prepay_id) => {
                metrics::counter!("paystream_product_scans_total", "verdict" => "prepared").increment(1);
                ScanAnswer::Prepared { prepay_id }
            }
            Err(failure) => {
                tracing::info!(product.id = %scan.product_id, reason = %Chain(&failure), "a scan of a product's code is declined");
                metrics::counter!("paystream_product_scans_total", "verdict" => "declined").increment(1);
                ScanAnswer::Declined { shown: shown(&failure).to_owned() }
            }
        }
    }

    /// Makes the order that a scan asks for, or finds the one that it or another scan of the same buyer made and that can
    /// still be paid, and begins to pay it. Answers the channel's number of the payment.
    async fn scanned(&self, scan: &ProductScan, correlation_id: Uuid) -> Result<String, CommandFailure> {
        let product_id = ProductId::parse(&scan.product_id).map_err(|_| CommandFailure::NotFound)?;
        let buyer_id = buyer_of(&scan.openid)?;
        let caller = Caller::Buyer(buyer_id.clone());
        let context = Context::of_caller(&caller, correlation_id);
        let key = CallerKey::new(buyer_id.as_str(), &format!("{ROUTE} {product_id}"), &scan.nonce, "");
        let natural = NaturalKey::of_scan(&buyer_id, &product_id);
        let resolve = async {
            sold_by_scan(&self.on_sale(&product_id, "product_id").await?)?;
            let draft = self.draft_from_product(&buyer_id, &product_id, None, 1, Client::OfficialAccount).await?;
            Ok(Intent::Order(draft))
        };
        let created = self.create_under(&context, Some(&key), Some(&natural), resolve).await?;
        let order_id: OrderId = created.resource_id.parse().map_err(|_| CommandFailure::Broken("an order's number is none"))?;
        let wish = PayWish { by_scan: true, ..PayWish::through(Channel::WechatNativeV2) };
        let attempted = self.begin_payment(&caller, order_id, &wish, None, None, correlation_id).await?;
        let record = attempted.record()?;
        let is_payable = record.status == PayRecordStatus::Pending && record.code_is_usable(self.now());
        match &record.prepared {
            Some((Prepared::CodeAndPrepay { prepay_id, .. }, _)) if is_payable => Ok(prepay_id.clone()),
            _ => Err(CommandFailure::ChannelUnavailable),
        }
    }

    /// What answers a scan, signed.
    pub(crate) fn scan_reply(&self, codes: &dyn ProductCodes, answer: &ScanAnswer) -> String {
        let nonce: [u8; 16] = chassis::ids::random_bytes(self.ports.ids.as_ref());
        codes.scan_reply(answer, &format!("{:032x}", u128::from_be_bytes(nonce)))
    }

    /// Keeps what told of a scan and is not believed. There is nothing that an operator could do about it.
    pub(crate) async fn keep_refused_scan(&self, raw: RawNotification, refusal: NotificationRefusal) -> Result<(), CommandFailure> {
        let notice = KeptNotice {
            wallet: Wallet::WechatV2.as_str(),
            is_authentic: refusal.is_authentic(),
            notify_id: None,
            out_trade_no: None,
            trade_no: None,
            amount: None,
            news: None,
            refunded: None,
            verdict: refusal.to_string(),
            state: NoticeState::Settled,
            headers: raw.headers,
            body: raw.body,
            received_at: self.now(),
        };
        self.ports.inbox.keep(notice).await.map_err(CommandFailure::Inbox)
    }
}

/// The buyer that an openid stands for: always the same one, and nobody reads the openid from it.
fn buyer_of(openid: &str) -> Result<BuyerId, CommandFailure> {
    let mut name = streams::hash(&["wechat-openid", openid]);
    name.truncate(HASH_CHARS);
    BuyerId::parse(&format!("wechat-{name}")).map_err(|_| CommandFailure::Broken("a hash names no buyer"))
}

/// Refuses what one scan cannot order: there is something to choose first, or nothing to pay.
fn sold_by_scan(product: &Product) -> Result<(), CommandFailure> {
    if product.kind == ProductKind::Course {
        return Err(CommandFailure::SelectionRequired);
    }
    if line(product, None, 1)?.unit_price_amount.as_i64() == 0 {
        return Err(invalid("product_id", FREE, "There is nothing to pay for this product."));
    }
    Ok(())
}

/// The word for a product that costs nothing.
const FREE: &str = "free_product";

/// What the buyer reads in WeChat, which has room for about forty characters.
fn shown(failure: &CommandFailure) -> &'static str {
    match failure {
        CommandFailure::NotFound => "没有这个商品 Unknown product",
        CommandFailure::SelectionRequired => "请先在课程页选课 Choose this course in the shop",
        CommandFailure::Invalid { field: "sku_id", .. } => "请在商城选择规格 Choose a variant in the shop",
        CommandFailure::Invalid { code: FREE, .. } => "免费商品无需支付 There is nothing to pay",
        CommandFailure::Invalid { .. } => "商品已下架 Not sold now",
        CommandFailure::InsufficientStock { .. } => "商品已售罄 Sold out",
        CommandFailure::BuyerLimitExceeded { .. } => "已达到限购数量 You have reached the limit",
        CommandFailure::Order(OrderRejection::AlreadyPaid) => "订单已支付 Already paid",
        CommandFailure::Order(OrderRejection::Expiring | OrderRejection::AttemptsExhausted) => {
            "订单即将关闭，请几分钟后重新扫码 Scan again in a few minutes"
        }
        CommandFailure::Order(_) => "订单已关闭，请重新扫码 Closed, please scan again",
        _ => "系统繁忙，请稍后再试 Busy, please try again",
    }
}

#[cfg(test)]
mod tests;
