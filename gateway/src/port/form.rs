use chrono::{DateTime, Utc};
use domain::Money;

/// Every member of a payment on the channel's own page as the pay record stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormRequest {
    /// Our pay number.
    pub out_trade_no: String,
    /// What is asked for.
    pub amount: Money,
    /// What the buyer reads. It holds no `&`, `=` or `/`.
    pub subject: String,
    /// The channel's product code (Alipay on a desktop: `FAST_INSTANT_TRADE_PAY`).
    pub product_code: String,
    /// When the channel itself stops taking money, whole seconds.
    pub time_expire: DateTime<Utc>,
    /// Where the channel sends its notifications.
    pub notify_url: String,
    /// Where the channel sends the browser after the payment.
    pub return_url: String,
}

/// A signed form that a buyer's browser posts, in UTF-8 and as it is. It is worth what a code to scan is worth, and holds
/// no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentForm {
    /// Where it is posted to, with the members that stand in the query. To be escaped where it is written into HTML.
    pub action: String,
    /// Names and values of its fields, bare. To be escaped where they are written into HTML.
    pub fields: Vec<(String, String)>,
}
