//! The program's own secrets: made at the first start in the data folder, readable by its owner alone.

use std::path::Path;
use std::sync::Arc;

use chassis::clock::Clock;
use chassis::identity::{SigningKey, TokenIssuer};
use chassis::seal::KeyRing;

use crate::chosen::Trouble;
use crate::settings::Settings;

/// Makes the data folder and the folder of the keys.
pub(crate) fn prepare_folders(settings: &Settings) -> Result<(), Trouble> {
    let parents = [settings.token_key_file.parent(), settings.seal_keys_file.parent()];
    for folder in parents.into_iter().flatten().chain([settings.data.as_path()]) {
        make(folder)?;
    }
    Ok(())
}

fn make(folder: &Path) -> Result<(), Trouble> {
    let trouble = |source| Trouble::DataFolder { path: folder.display().to_string(), source };
    std::fs::create_dir_all(folder).map_err(trouble)
}

/// Signs tokens.
pub(crate) fn issuer(settings: &Settings, clock: Arc<dyn Clock>) -> Result<TokenIssuer, Trouble> {
    let key = SigningKey::load_or_create(&settings.token_key_file)?;
    Ok(TokenIssuer::new(key, settings.token_issuer.clone(), settings.token_audience.clone(), clock))
}

/// Seals links, notices and persons' keys.
pub(crate) fn ring(settings: &Settings) -> Result<Arc<KeyRing>, Trouble> {
    Ok(Arc::new(KeyRing::load_or_create(&settings.seal_keys_file)?))
}
