//! The data folder and the files of secrets: whether they are there, can be read, and by whom.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use chassis::identity::SigningKey;
use chassis::problem::Chain;
use chassis::seal::KeyRing;
use chassis::secret::Secret;

use super::Finding;
use crate::settings::Settings;
use crate::variables;

/// The bits by which others than owner and group may read, write or enter.
const OTHERS: u32 = 0o007;
/// The bits by which others than the owner may write.
const WRITABLE: u32 = 0o022;

pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    let mut findings = data_folder(settings);
    let token = secret(settings, variables::TOKEN_KEY_FILE, &settings.token_key_file, settings.token_key_is_named, |text| {
        SigningKey::all_from_pem(text).map(drop).map_err(|error| Chain(&error).to_string())
    });
    let seal = secret(settings, variables::SEAL_KEYS_FILE, &settings.seal_keys_file, settings.seal_keys_are_named, |text| {
        text.expose().parse::<KeyRing>().map(drop).map_err(|error| Chain(&error).to_string())
    });
    findings.extend(token);
    findings.extend(seal);
    findings.extend(settings.channel_secrets.iter().flat_map(|(variable, file)| permissions(variable, file)));
    findings
}

fn data_folder(settings: &Settings) -> Vec<Finding> {
    let (variable, folder) = (variables::DATA, &settings.data);
    let shown = folder.display();
    let metadata = match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => return vec![Finding::wrong(variable, format!("{shown} is no folder"))],
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return vec![match settings.uses_data_folder().then(|| nearest(folder)) {
                Some(Some(parent)) if !may_write(&parent) => {
                    Finding::wrong(variable, format!("{shown} cannot be made: {} may not be written", parent.display()))
                }
                _ => Finding::note(variable, format!("{shown} is made at the first start")),
            }];
        }
        Err(error) => return vec![Finding::wrong(variable, format!("{shown} cannot be looked at: {error}"))],
    };
    let mut findings = Vec::new();
    if settings.uses_data_folder() && !may_write(folder) {
        findings.push(Finding::wrong(variable, format!("{shown} may not be written")));
    }
    let mode = metadata.permissions().mode();
    if mode & WRITABLE != 0 {
        findings.push(Finding::wrong(variable, format!("others may write in {shown}: chmod 700")));
    } else if mode & OTHERS != 0 {
        findings.push(Finding::note(variable, format!("others may look into {shown}, where persons' data lie: chmod 700")));
    }
    findings
}

/// The nearest folder above that is there.
fn nearest(folder: &Path) -> Option<std::path::PathBuf> {
    let absolute = std::path::absolute(folder).ok()?;
    absolute.ancestors().find(|above| above.is_dir()).map(Path::to_path_buf)
}

/// Whether this user may write into the folder. Told by the rights, and nothing is written.
fn may_write(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
}

fn secret(
    settings: &Settings,
    variable: &'static str,
    file: &Path,
    is_named: bool,
    read: impl Fn(&Secret<String>) -> Result<(), String>,
) -> Vec<Finding> {
    let shown = file.display();
    let text = match fs::read_to_string(file) {
        Ok(text) => Secret::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound && !is_named && !settings.shares_stores() => {
            return vec![Finding::note(variable, format!("{shown} is made at the first start"))];
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let why = "all processes on the same stores need the same keys";
            return vec![Finding::wrong(variable, format!("{shown} is not there: {why}"))];
        }
        Err(error) => return vec![Finding::wrong(variable, format!("{shown} cannot be read: {error}"))],
    };
    let mut findings = permissions(variable, file);
    if let Err(reason) = read(&text) {
        findings.push(Finding::wrong(variable, format!("{shown}: {reason}")));
    }
    findings
}

/// Whether others than owner and group may read a secret, or change it.
fn permissions(variable: &'static str, file: &Path) -> Vec<Finding> {
    let Ok(metadata) = fs::metadata(file) else { return Vec::new() };
    if metadata.permissions().mode() & (OTHERS | WRITABLE) == 0 {
        return Vec::new();
    }
    vec![Finding::wrong(variable, format!("others may read or change {}: chmod 600{}", file.display(), owner(&metadata)))]
}

fn owner(metadata: &Metadata) -> String {
    format!(" (its owner is user {})", metadata.uid())
}
