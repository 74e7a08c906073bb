//! The archive of a bill: a zip with the lines in one file and their sums in another.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::lines::{self, Row};
use crate::StatementError;

/// The most files that an archive may hold; bills have two.
const ENTRY_LIMIT: usize = 16;

/// The most bytes that all files of an archive may have unpacked. A small archive can promise any number of them.
const UNPACKED_LIMIT: u64 = 256 * 1024 * 1024;

/// The rows of the archive. Which of its files holds them is told by its columns: the names are in a character set of
/// their own and change.
pub(in crate::alipay) fn read(zip: &[u8]) -> Result<Vec<Row>, StatementError> {
    read_within(zip, UNPACKED_LIMIT)
}

fn read_within(zip: &[u8], unpacked_limit: u64) -> Result<Vec<Row>, StatementError> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|_| StatementError::Unreadable("it is no zip archive"))?;
    if archive.len() > ENTRY_LIMIT {
        return Err(StatementError::TooLarge);
    }
    let mut left = unpacked_limit;
    let mut rows: Option<Vec<Row>> = None;
    for place in 0..archive.len() {
        let entry = archive.by_index(place).map_err(|_| StatementError::Unreadable("a file of the archive cannot be opened"))?;
        let mut bounded = Bounded { entry, left };
        let found = lines::read(&mut bounded);
        left = bounded.left;
        if left == 0 {
            return Err(StatementError::TooLarge);
        }
        if let Some(found) = found? {
            rows.get_or_insert_default().extend(found);
        }
    }
    rows.ok_or(StatementError::NoColumn(lines::TRADE_NO))
}

/// Reads no more than is left.
struct Bounded<R> {
    entry: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = match buffer.get_mut(..most) {
            Some(room) if !room.is_empty() => self.entry.read(room)?,
            _ => 0,
        };
        self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
