use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::open::OpenError;

/// The most that is read of what a holder has said.
const HOLDER_LIMIT: u64 = 500;

/// A file beside the log that one process has locked, with a text that says who. The system lets go of it when the process
/// ends, however it ends.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
}

impl FileLock {
    /// Locks the file beside `log` and writes `holder` into it. Errors: [`OpenError::Held`], [`OpenError::Lock`].
    pub(crate) fn take(log: &Path, holder: &str) -> Result<Self, OpenError> {
        let path = lock_path(log);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(OpenError::Lock)?;
        }
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(OpenError::Lock)?;
        match file.try_lock() {
            Ok(()) => {
                let mut lock = Self { file };
                lock.announce(holder)?;
                Ok(lock)
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = Vec::new();
                (&mut file).take(HOLDER_LIMIT).read_to_end(&mut text).map_err(OpenError::Lock)?;
                Err(OpenError::Held { holder: String::from_utf8_lossy(&text).trim().to_owned() })
            }
            Err(TryLockError::Error(error)) => Err(OpenError::Lock(error)),
        }
    }

    /// Replaces what the file says.
    pub(crate) fn announce(&mut self, holder: &str) -> Result<(), OpenError> {
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(holder.as_bytes())?;
            file.flush()
        };
        write(&mut self.file).map_err(OpenError::Lock)
    }
}

fn lock_path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
