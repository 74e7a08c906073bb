use async_trait::async_trait;

/// Why it is not known who a payer is.
#[derive(Debug, thiserror::Error)]
pub enum OpenIdError {
    /// The wallet's word is final, for instance because the code was used or is too old: the payer must be asked anew.
    #[error("the wallet does not tell who the payer is: {code}")]
    Refused {
        /// The wallet's own word.
        code: String,
    },
    /// The wallet did not answer, or not in words that can be read.
    #[error("the wallet does not answer who the payer is")]
    Unknown(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An application inside a wallet, whose pages may ask the wallet who looks at them. Paying from a page inside WeChat needs
/// that name.
#[async_trait]
pub trait OfficialAccount: Send + Sync {
    /// Where the wallet's browser is sent. It comes back to `redirect_uri` with the parameter `code`, and `state` as it is.
    fn authorization_url(&self, redirect_uri: &str, state: &str) -> String;

    /// The wallet's name for whoever came back with `code`. A code tells it once.
    async fn openid(&self, code: &str) -> Result<String, OpenIdError>;
}
