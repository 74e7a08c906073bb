use std::time::Duration;

use event_store::Position;
use tokio::sync::watch;

/// How often to look again at something that follows the log: soon after an append, then ever more rarely.
#[derive(Debug)]
pub(crate) struct Pace {
    appended: watch::Receiver<Position>,
    least: Duration,
    most: Duration,
    next: Duration,
}

impl Pace {
    /// Pauses from `least` to `most`, woken by `appended`.
    pub(crate) fn new(mut appended: watch::Receiver<Position>, least: Duration, most: Duration) -> Self {
        appended.mark_unchanged();
        Self { appended, least, most, next: least }
    }

    /// Ends when it is time to look again.
    pub(crate) async fn pause(&mut self) {
        tokio::select! {
            () = tokio::time::sleep(self.next) => self.next = (self.next * 2).min(self.most),
            () = Self::append(&mut self.appended) => {
                // Followers need a moment for what was appended, and a busy log must not make this one spin.
                tokio::time::sleep(self.least).await;
                self.next = self.least;
            }
        }
    }

    async fn append(appended: &mut watch::Receiver<Position>) {
        // A log that is gone wakes nobody any more; the pauses stay.
        if appended.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Duration = Duration::from_millis(10);
    const MOST: Duration = Duration::from_millis(40);

    async fn pauses(pace: &mut Pace, count: usize) -> Vec<u128> {
        let mut lengths = Vec::new();
        for _ in 0..count {
            let start = tokio::time::Instant::now();
            pace.pause().await;
            lengths.push(start.elapsed().as_millis());
        }
        lengths
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_their_limit_and_an_append_makes_them_short_again() {
        let log = watch::Sender::new(Position::START);
        let mut pace = Pace::new(log.subscribe(), LEAST, MOST);
        assert_eq!(pauses(&mut pace, 4).await, [10, 20, 40, 40]);
        log.send_replace(Position::new(1).unwrap());
        assert_eq!(pauses(&mut pace, 2).await, [10, 10]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_is_gone_leaves_the_pauses() {
        let log = watch::Sender::new(Position::START);
        let mut pace = Pace::new(log.subscribe(), LEAST, MOST);
        drop(log);
        assert_eq!(pauses(&mut pace, 3).await, [10, 20, 40]);
    }
}
