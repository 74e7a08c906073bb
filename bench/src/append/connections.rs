//! A few connections that many callers share, in the order of their asking.
//!
//! The driver's own pool asks a connection whether it lives each time it is given back, one more round trip for each append. The
//! baseline is spared that, so that the comparison is with the best that its design can do.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::trouble::{Doing, Trouble};

/// The connections.
pub(super) struct Connections<C> {
    count: usize,
    idle: Mutex<Vec<C>>,
    free: Semaphore,
}

impl<C> Connections<C> {
    /// Shares these.
    pub(super) fn new(connections: Vec<C>) -> Self {
        Self { count: connections.len(), free: Semaphore::new(connections.len()), idle: Mutex::new(connections) }
    }

    /// One of them, once it is free. It is given back when it is dropped.
    pub(super) async fn take(&self) -> Result<Taken<'_, C>, Trouble> {
        let permit = self.free.acquire().await.doing("wait for a connection")?;
        let connection = self.idle().pop().ok_or_else(|| Trouble::new("a connection was lost"))?;
        Ok(Taken { connection: Some(connection), from: self, _permit: permit })
    }

    /// All of them, once they are free; afterwards there are none.
    pub(super) async fn take_all(&self) -> Result<Vec<C>, Trouble> {
        let all = self.free.acquire_many(u32::try_from(self.count).doing("count the connections")?).await;
        all.doing("wait for the connections")?.forget();
        Ok(std::mem::take(&mut *self.idle()))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<C>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in a caller's hands.
pub(super) struct Taken<'a, C> {
    /// There until the drop.
    connection: Option<C>,
    from: &'a Connections<C>,
    /// Dropped after the connection is back, because fields are dropped after their owner's own drop.
    _permit: SemaphorePermit<'a>,
}

impl<C> Deref for Taken<'_, C> {
    type Target = C;
    fn deref(&self) -> &C {
        self.connection.as_ref().unwrap_or_else(|| unreachable!("it is taken out by the drop alone"))
    }
}

impl<C> DerefMut for Taken<'_, C> {
    fn deref_mut(&mut self) -> &mut C {
        self.connection.as_mut().unwrap_or_else(|| unreachable!("it is taken out by the drop alone"))
    }
}

impl<C> Drop for Taken<'_, C> {
    fn drop(&mut self) {
        self.from.idle().extend(self.connection.take());
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_connection_has_one_holder_at_a_time_and_comes_back() {
        let connections = Connections::new(vec![1, 2]);
        let (one, two) = (connections.take().await.unwrap(), connections.take().await.unwrap());
        assert_eq!(*one + *two, 3);
        assert!(connections.take().now_or_never().is_none());
        drop(one);
        let mut third = connections.take().await.unwrap();
        *third += 10;
        drop((two, third));
        let all: i32 = connections.take_all().await.unwrap().into_iter().sum();
        assert_eq!(all, 13);
    }
}
