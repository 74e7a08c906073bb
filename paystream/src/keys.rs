//! The program's own secrets: made at the first start in the data folder, readable by its owner alone.

use std::path::Path;
use std::sync::Arc;

use chassis::clock::Clock;
use chassis::identity::{SigningKey, TokenIssuer};
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
    std::fs::create_dir_all(folder).map_err(trouble)
}

/// Signs tokens.
pub(crate) fn issuer(settings: &Settings, clock: Arc<dyn Clock>) -> Result<TokenIssuer, Trouble> {
    let path = &settings.token_key_file;
    let key = SigningKey::load_or_create(path).map_err(|source| Trouble::TokenKey {
        variable: variables::TOKEN_KEY_FILE,
        path: path.display().to_string(),
        source,
    })?;
    Ok(TokenIssuer::new(key, settings.token_issuer.clone(), settings.token_audience.clone(), clock))
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
