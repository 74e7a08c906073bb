//! Buyers and followers beside a rebuild.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Stage;
use crate::story::Story;
use crate::trouble::{Doing, Trouble};

/// Orders that come at a steady rate, and all followers of the views at work.
pub(super) struct Traffic {
    is_over: watch::Sender<bool>,
    orders: JoinHandle<Result<u32, Trouble>>,
    followers: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Begins with the order number `first`.
    pub(super) fn begin(stage: &Stage, first: u32, orders_per_second: u32) -> Result<Self, Trouble> {
        let (is_over, ends) = watch::channel(false);
        let followers = stage.followers.iter().map(|follower| {
            let (follower, clock, appended) = (Arc::clone(follower), Arc::clone(&stage.clock), stage.log.reader().appended());
            let ends = ends.clone();
            tokio::spawn(async move { followers::run_forever(follower.as_ref(), clock.as_ref(), appended, over(ends)).await })
        });
        let followers = followers.collect();
        let story = Story::new(stage.log.store())?;
        Ok(Self { orders: tokio::spawn(tell(story, first, orders_per_second, ends)), is_over, followers })
    }

    /// Ends it; answers how many orders have come.
    pub(super) async fn end(self) -> Result<u32, Trouble> {
        self.is_over.send_replace(true);
        let told = self.orders.await.doing("wait for the orders")??;
        for follower in self.followers {
            follower.await.doing("wait for a follower")?;
        }
        Ok(told)
    }
}

async fn over(mut ends: watch::Receiver<bool>) {
    // A sender that is gone ends it too.
    let _ = ends.wait_for(|is_over| *is_over).await;
}

async fn tell(story: Story, first: u32, orders_per_second: u32, ends: watch::Receiver<bool>) -> Result<u32, Trouble> {
    let payments = story.go_on(first, orders_per_second, ends).await?;
    u32::try_from(payments.len()).doing("count orders")
}
