use chrono::{DateTime, Utc};

use super::{GatewayError, NotificationRefusal};

/// A buyer has scanned the code of a product and waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductScan {
    /// Who scanned it, as the wallet names them to the application.
    pub openid: String,
    /// The product that the code names.
    pub product_id: String,
    /// Another one with each scan, and the same when the channel calls again for the same scan.
    pub nonce: String,
}

/// What the channel is answered that tells of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanAnswer {
    /// The payment that was asked for; the buyer may pay it now.
    Prepared {
        /// The channel's number of it, as [`Precreated::CodeAndPrepay`](super::Precreated::CodeAndPrepay) has it.
        prepay_id: String,
    },
    /// There is nothing to pay.
    Declined {
        /// What the buyer reads of why; a few words.
        shown: String,
    },
}

/// Codes that name a product and never expire. Who scans one makes the channel call us, and our answer names a payment that
/// was asked for on the spot, as any other of the channel's (WeChat Pay v2, Native mode 1).
pub trait ProductCodes: Send + Sync {
    /// The text of a code that names `product_id`: at most 32 visible ASCII characters. `at` and `nonce` (at most 32 letters
    /// and digits) only vary it; the same give the same code.
    ///
    /// Errors: `Refused` for a product's number or a nonce that the channel does not take.
    fn product_link(&self, product_id: &str, at: DateTime<Utc>, nonce: &str) -> Result<String, GatewayError>;

    /// Reads what the channel says of a scan: verified, then compared with who we are. Errors: the first check that fails.
    fn read_scan(&self, body: &[u8]) -> Result<ProductScan, NotificationRefusal>;

    /// The signed body that answers a genuine scan; `nonce`: at most 32 letters and digits that are used once.
    fn scan_reply(&self, answer: &ScanAnswer, nonce: &str) -> String;

    /// The body that answers what is not believed.
    fn scan_refusal(&self) -> &'static str;
}
