use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use event_store::Position;
use followers::Checkpoint;

use super::{StoreError, ViewStore};

/// A view's rows in memory, for the simulation. Clones share them, so that they outlive the followers that fill them.
#[derive(Debug)]
pub struct MemoryViewStore<R> {
    kept: Arc<Mutex<Kept<R>>>,
}

#[derive(Debug)]
struct Kept<R> {
    checkpoint: Checkpoint,
    rows: BTreeMap<String, R>,
}

impl<R> Clone for MemoryViewStore<R> {
    fn clone(&self) -> Self {
        Self { kept: Arc::clone(&self.kept) }
    }
}

impl<R> Default for MemoryViewStore<R> {
    fn default() -> Self {
        Self { kept: Arc::new(Mutex::new(Kept { checkpoint: Checkpoint::FIRST, rows: BTreeMap::new() })) }
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
