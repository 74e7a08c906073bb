//! What a merchant of this sandbox holds.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::AlipayCertificateFiles;

/// What a merchant of this sandbox's Alipay holds, throwaway values all: they open nothing but this sandbox.
///
/// Printing it shows no private key; serialising it does, since that is how a merchant gets it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlipayCredentials {
    /// The application's id.
    pub app_id: String,
    /// The merchant's 16-digit PID.
    pub seller_id: String,
    /// Where calls go.
    pub gateway_url: String,
    /// Always `RSA2`.
    pub sign_type: String,
    /// The product code to precreate with.
    pub product_code: String,
    /// The application's private key, PKCS#8 in PEM.
    pub app_private_key: String,
    /// The same as one line of base64 without armour, as Alipay's tools hand it out.
    pub app_private_key_base64: String,
    /// The application's public key in PEM.
    pub app_public_key: String,
    /// The public key that Alipay's signatures are verified with, in PEM.
    pub alipay_public_key: String,
    /// The same as one line of base64 without armour, as Alipay's console shows it.
    pub alipay_public_key_base64: String,
    /// The same for certificate mode: a request that names certificates is answered under them.
    pub certificates: AlipayCertificateFiles,
}

impl fmt::Debug for AlipayCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlipayCredentials")
            .field("app_id", &self.app_id)
            .field("seller_id", &self.seller_id)
            .field("gateway_url", &self.gateway_url)
            .field("app_private_key", &"***")
            .finish_non_exhaustive()
    }
}
