//! Values that must not be seen, and the files that hold them.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize, Serializer};

/// What is shown in place of a secret.
const MASK: &str = "***";

/// A value that masks itself wherever it is printed, logged or serialised.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides `value`.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Never pass it on to something that prints.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The value itself, no longer hidden.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// Reads the secret that lies in `path`, or puts `make`'s there first, readable by its owner only.
///
/// Of two processes that start at once, both get the one secret that was there first. The file is never half
/// written. Errors: those of the file system and of `make`.
pub fn read_or_create<E: From<io::Error>>(path: &Path, make: impl FnOnce() -> Result<Secret<String>, E>) -> Result<Secret<String>, E> {
    match fs::read_to_string(path) {
        Ok(text) => return Ok(Secret::new(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    create(path, &make()?)?;
    Ok(Secret::new(fs::read_to_string(path)?))
}

/// Writes beside `path` and links it there, which fails instead of replacing what is there by now.
fn create(path: &Path, text: &Secret<String>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}.new", rand::random::<u64>()));
    let beside = folder.join(name);
    let written = write_private(&beside, text.expose().as_bytes()).and_then(|()| fs::hard_link(&beside, path));
    fs::remove_file(&beside).or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }?;
    fs::File::open(folder)?.sync_all()
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_nowhere() {
        let secret = Secret::new("hunter2".to_owned());
        let shown = format!("{secret} {secret:?} {:?} {}", Some(&secret), serde_json::to_string(&secret).unwrap());
        assert!(!shown.contains("hunter2"));
        assert!(shown.contains(MASK));
    }

    #[test]
    fn a_secret_can_be_read_and_exposed() {
        let secret: Secret<String> = serde_json::from_str("\"hunter2\"").unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(secret.into_inner(), "hunter2");
    }

    #[test]
    fn a_file_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let first = read_or_create(&path, || Ok::<_, io::Error>(Secret::new("one".to_owned()))).unwrap();
        let second = read_or_create(&path, || Ok::<_, io::Error>(Secret::new("two".to_owned()))).unwrap();
        assert_eq!((first.expose().as_str(), second.expose().as_str()), ("one", "one"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn who_comes_second_gets_what_was_there_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let late = read_or_create(&path, || {
            fs::write(&path, "first")?;
            Ok::<_, io::Error>(Secret::new("late".to_owned()))
        });
        assert_eq!(late.unwrap().expose(), "first");
    }

    #[cfg(unix)]
    #[test]
    fn a_made_file_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        read_or_create(&path, || Ok::<_, io::Error>(Secret::new("one".to_owned()))).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none").join("key");
        assert!(read_or_create(&path, || Ok::<_, io::Error>(Secret::new("one".to_owned()))).is_err());
    }
}
