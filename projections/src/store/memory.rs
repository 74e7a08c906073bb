use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use event_store::Position;
use followers::{Asked, BookChange, Checkpoint, MemoryBook, ParkedMessage, ParkingDeskError, Standing};

use super::{ConsumerStore, StoreError, ViewStore};

/// A view's rows in memory, for the simulation. Clones share them, so that they outlive the followers that fill them.
#[derive(Debug)]
pub struct MemoryViewStore<R> {
    kept: Arc<Mutex<Kept<R>>>,
}

#[derive(Debug)]
struct Kept<R> {
    checkpoint: Checkpoint,
    rows: BTreeMap<String, R>,
    book: MemoryBook,
}

impl<R> Clone for MemoryViewStore<R> {
    fn clone(&self) -> Self {
        Self { kept: Arc::clone(&self.kept) }
    }
}

impl<R> Default for MemoryViewStore<R> {
    fn default() -> Self {
        Self { kept: Arc::new(Mutex::new(Kept { checkpoint: Checkpoint::FIRST, rows: BTreeMap::new(), book: MemoryBook::default() })) }
    }
}

impl<R: Clone> MemoryViewStore<R> {
    /// The row under `key`.
    pub fn get(&self, key: &str) -> Option<R> {
        self.lock().rows.get(key).cloned()
    }

    /// All rows, in the order of their keys.
    pub fn rows(&self) -> Vec<R> {
        self.lock().rows.values().cloned().collect()
    }

    /// All rows under their keys.
    pub fn entries(&self) -> Vec<(String, R)> {
        self.lock().rows.iter().map(|(key, row)| (key.clone(), row.clone())).collect()
    }

    /// The position up to which the rows are made.
    pub fn reached(&self) -> i64 {
        self.lock().checkpoint.position.as_i64()
    }

    /// The consumer's parked messages, in the order of the log.
    pub fn parked(&self) -> Vec<ParkedMessage> {
        self.lock().book.parked()
    }

    /// Does to a parked message what an operator asks for; see [`followers::ParkingDesk`].
    pub fn at_the_desk(&self, act: impl FnOnce(&mut MemoryBook) -> Result<(), ParkingDeskError>) -> Result<(), ParkingDeskError> {
        act(&mut self.lock().book)
    }

    fn lock(&self) -> MutexGuard<'_, Kept<R>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<R: Clone + Send + Sync + 'static> ViewStore<R> for MemoryViewStore<R> {
    async fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        Ok(self.lock().checkpoint)
    }

    async fn load(&self, keys: &[String]) -> Result<Vec<(String, R)>, StoreError> {
        let kept = self.lock();
        Ok(keys.iter().filter_map(|key| kept.rows.get_key_value(key)).map(|(key, row)| (key.clone(), row.clone())).collect())
    }

    async fn commit(&self, rows: Vec<(String, R)>, from: Checkpoint, to: Position) -> Result<Checkpoint, StoreError> {
        let mut kept = self.lock();
        let moved = from.advance_in_memory(&mut kept.checkpoint, to).map_err(|_| StoreError::Overtaken)?;
        kept.rows.extend(rows);
        Ok(moved)
    }
}

#[async_trait]
impl<R: Clone + Send + Sync + 'static> ConsumerStore<R> for MemoryViewStore<R> {
    async fn standing(&self, asked: &Asked) -> Result<Standing, StoreError> {
        Ok(self.lock().book.standing(asked))
    }

    async fn commit_with(&self, rows: Vec<(String, R)>, change: &BookChange) -> Result<Checkpoint, StoreError> {
        let mut kept = self.lock();
        let Kept { checkpoint, book, .. } = &mut *kept;
        let moved = book.write(change, checkpoint).map_err(|_| StoreError::Overtaken)?;
        kept.rows.extend(rows);
        Ok(moved)
    }
}
