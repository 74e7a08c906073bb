//! The throwaway key pairs.

use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use rsa::rand_core::OsRng;

use super::AccountError;

const KEY_BITS: usize = 2048;

/// Makes a private key and writes it as PKCS#8 in PEM. Takes up to some seconds of the processor.
pub(super) fn make_private_key() -> Result<String, AccountError> {
    let key = RsaPrivateKey::new(&mut OsRng, KEY_BITS).map_err(AccountError::Key)?;
    key.to_pkcs8_pem(LineEnding::LF).map(|pem| pem.to_string()).map_err(AccountError::KeyText)
}
