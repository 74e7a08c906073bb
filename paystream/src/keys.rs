//! The program's own secrets: made at the first start in the data folder, readable by its owner alone.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use chassis::clock::Clock;
use chassis::identity::{SigningKey, TokenIssuer, VerifyingKey};
use chassis::seal::KeyRing;

use crate::chosen::Trouble;
use crate::settings::Settings;
use crate::variables;

/// Makes the data folder and the folders of the keys.
pub(crate) fn prepare_folders(settings: &Settings) -> Result<(), Trouble> {
    make(variables::DATA, &settings.data)?;
    for (variable, file) in [(variables::TOKEN_KEY_FILE, &settings.token_key_file), (variables::SEAL_KEYS_FILE, &settings.seal_keys_file)] {
        if let Some(folder) = file.parent() {
            make(if folder.starts_with(&settings.data) { variables::DATA } else { variable }, folder)?;
        }
    }
    Ok(())
}

fn make(variable: &'static str, folder: &Path) -> Result<(), Trouble> {
    let trouble = |source| Trouble::Folder { variable, path: folder.display().to_string(), source };
    // Persons' data and keys lie in it: what is made here is its owner's alone.
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(trouble)
}

/// Signs tokens with the first key of its file.
pub(crate) fn issuer(settings: &Settings, clock: Arc<dyn Clock>) -> Result<TokenIssuer, Trouble> {
    let mut keys = token_keys(settings)?;
    Ok(TokenIssuer::new(keys.swap_remove(0), settings.token_issuer.clone(), settings.token_audience.clone(), clock))
}

/// What verifies the tokens that any key of the file has signed.
pub(crate) fn verifying(settings: &Settings) -> Result<Vec<VerifyingKey>, Trouble> {
    Ok(token_keys(settings)?.iter().map(SigningKey::verifying_key).collect())
}

/// The keys of tokens, at least one.
fn token_keys(settings: &Settings) -> Result<Vec<SigningKey>, Trouble> {
    let path = &settings.token_key_file;
    SigningKey::load_or_create(path).map_err(|source| Trouble::TokenKey {
        variable: variables::TOKEN_KEY_FILE,
        path: path.display().to_string(),
        source,
    })
}

/// Seals links, notices and persons' keys.
pub(crate) fn ring(settings: &Settings) -> Result<Arc<KeyRing>, Trouble> {
    let path = &settings.seal_keys_file;
    let ring = KeyRing::load_or_create(path).map_err(|source| Trouble::SealKeys {
        variable: variables::SEAL_KEYS_FILE,
        path: path.display().to_string(),
        source,
    })?;
    Ok(Arc::new(ring))
}
