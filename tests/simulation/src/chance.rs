use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The one source of all that is random in a run. Clones share it.
///
/// The algorithm is named and the ways to draw are written here, so that a seed means the same run after an update of a
/// dependency.
#[derive(Clone, Debug)]
pub(crate) struct Chance(Arc<Mutex<ChaCha8Rng>>);

impl Chance {
    /// What `seed` determines.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(seed))))
    }

    fn draw(&self) -> u32 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next_u32()
    }

    /// A number below `bound`; 0 where that is 0.
    pub(crate) fn below(&self, bound: u32) -> u32 {
        let scaled = u64::from(self.draw()) * u64::from(bound);
        u32::try_from(scaled >> 32).unwrap_or(0)
    }

    /// True in one of `count` cases.
    pub(crate) fn one_in(&self, count: u32) -> bool {
        self.below(count) == 0
    }

    /// True in so many of a thousand cases.
    pub(crate) fn per_mille(&self, rate: u32) -> bool {
        self.below(1000) < rate
    }

    /// An index of a list of this length; 0 for an empty one.
    pub(crate) fn index(&self, len: usize) -> usize {
        usize::try_from(self.below(u32::try_from(len).unwrap_or(u32::MAX))).unwrap_or(0)
    }

    /// One of `items`, each as likely.
    pub(crate) fn pick<'i, T>(&self, items: &'i [T]) -> Option<&'i T> {
        items.get(self.index(items.len()))
    }

    /// One of `items`, most often of the newest: that is where things are under way.
    pub(crate) fn recent<'i, T>(&self, items: &'i [T]) -> Option<&'i T> {
        const NEWEST: usize = 6;
        let from = if self.one_in(8) { 0 } else { items.len().saturating_sub(NEWEST) };
        self.pick(&items[from..])
    }

    /// Waits for at most `most` polls.
    pub(crate) fn pause(&self, most: u32) -> Pause {
        Pause(self.below(most + 1))
    }
}

/// A place where a task can be left, or dropped: pending for so many polls. It asks at once to be polled again, which whoever
/// polls by hand need not hear, but a set of futures inside a task must.
#[derive(Debug)]
pub(crate) struct Pause(u32);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.0.checked_sub(1) {
            None => Poll::Ready(()),
            Some(left) => {
                self.0 = left;
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}
