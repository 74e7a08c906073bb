use std::sync::Arc;

use chassis::seal::KeyRing;
use domain::{OrderId, PayNo};

/// Makes and reads the links that need no bearer token. Each holds a sealed number, so nobody can guess another's.
#[derive(Clone)]
pub struct Links {
    keys: Arc<KeyRing>,
    public_url: String,
}

const CHECKOUT: &str = "checkout";
const PAY: &str = "pay";
const RETURN: &str = "return";
const PAY_ORDER: &str = "pay-order";
const OAUTH: &str = "wechat-oauth";

impl Links {
    /// Links below `public_url` (without a slash at its end), sealed with `keys`.
    pub fn new(keys: Arc<KeyRing>, public_url: impl Into<String>) -> Self {
        Self { keys, public_url: public_url.into().trim_end_matches('/').to_owned() }
    }

    /// The checkout page of an order. Always the same for the same order.
    pub fn checkout_url(&self, order_id: OrderId) -> String {
        format!("{}{}", self.public_url, self.checkout_path(order_id))
    }

    /// The same without the host.
    pub fn checkout_path(&self, order_id: OrderId) -> String {
        format!("/checkout/{}", self.keys.seal_equal(CHECKOUT, order_id.to_string().as_bytes()))
    }

    /// What our own QR of a pay record holds.
    pub fn pay_url(&self, pay_no: PayNo) -> String {
        format!("{}/pay/{}", self.public_url, self.keys.seal_equal(PAY, pay_no.to_string().as_bytes()))
    }

    /// What the order's own code holds, for whichever wallet scans it.
    pub fn pay_order_url(&self, order_id: OrderId) -> String {
        format!("{}/pay/{}", self.public_url, self.keys.seal_equal(PAY_ORDER, order_id.to_string().as_bytes()))
    }

    /// Where WeChat sends a browser back that it was asked about.
    pub fn oauth_url(&self, order_id: OrderId) -> String {
        format!("{}/wechat/oauth/{}", self.public_url, self.keys.seal_equal(OAUTH, order_id.to_string().as_bytes()))
    }

    /// Where a channel sends the browser back.
    pub fn return_url(&self, order_id: OrderId) -> String {
        format!("{}/return/{}", self.public_url, self.keys.seal_equal(RETURN, order_id.to_string().as_bytes()))
    }

    /// The order of a checkout link's token.
    pub fn open_checkout(&self, token: &str) -> Option<OrderId> {
        self.open(CHECKOUT, token)?.parse().ok()
    }

    /// The pay record of a pay link's token.
    pub fn open_pay(&self, token: &str) -> Option<PayNo> {
        self.open(PAY, token)?.parse().ok()
    }

    /// The order of the token in its own code.
    pub fn open_pay_order(&self, token: &str) -> Option<OrderId> {
        self.open(PAY_ORDER, token)?.parse().ok()
    }

    /// The order of a token that came back from WeChat.
    pub fn open_oauth(&self, token: &str) -> Option<OrderId> {
        self.open(OAUTH, token)?.parse().ok()
    }

    /// The order of a return link's token.
    pub fn open_return(&self, token: &str) -> Option<OrderId> {
        self.open(RETURN, token)?.parse().ok()
    }

    fn open(&self, purpose: &str, token: &str) -> Option<String> {
        String::from_utf8(self.keys.open(purpose, token)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_only_what_it_was_made_for() {
        let ring: KeyRing = KeyRing::new_text().expose().parse().unwrap();
        let links = Links::new(Arc::new(ring), "https://pay.example/");
        let order_id = OrderId::parse("7231982345678901234").unwrap();
        let pay_no = PayNo::new(order_id, 1).unwrap();
        let url = links.checkout_url(order_id);
        let token = url.strip_prefix("https://pay.example/checkout/").unwrap();
        assert_eq!(links.open_checkout(token), Some(order_id));
        assert_eq!(url, links.checkout_url(order_id), "a replayed answer holds the same link");
        assert_eq!(links.open_pay(token), None);
        assert_eq!(links.open_return(token), None);
        assert_eq!(links.open_checkout(&order_id.to_string()), None);
        let pay_url = links.pay_url(pay_no);
        assert_eq!(links.open_pay(pay_url.rsplit('/').next().unwrap()), Some(pay_no));
        let (own, oauth) = (links.pay_order_url(order_id), links.oauth_url(order_id));
        let token = |url: &str| url.rsplit('/').next().unwrap().to_owned();
        assert!(own.starts_with("https://pay.example/pay/") && oauth.starts_with("https://pay.example/wechat/oauth/"));
        assert_eq!((links.open_pay_order(&token(&own)), links.open_pay(&token(&own))), (Some(order_id), None));
        assert_eq!((links.open_oauth(&token(&oauth)), links.open_pay_order(&token(&oauth))), (Some(order_id), None));
    }
}
