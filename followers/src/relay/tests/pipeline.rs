//! Messages on their way, with acknowledgements that come late, together, or never.

use std::collections::VecDeque;

use async_trait::async_trait;

use super::super::pipeline::{IN_FLIGHT, Pipeline};
use super::*;

/// A broker whose acknowledgements come when the test lets them, the oldest first.
#[derive(Default)]
struct Late {
    asked: Mutex<u64>,
    open: Mutex<VecDeque<tokio::sync::oneshot::Sender<Result<Ack, BrokerError>>>>,
}

impl Late {
    fn waiting(&self) -> usize {
        self.open.lock().unwrap().len()
    }

    /// Answers the oldest `count` messages.
    fn answer(&self, count: usize) {
        let mut open = self.open.lock().unwrap();
        let first = *self.asked.lock().unwrap() - u64::try_from(open.len()).unwrap() + 1;
        for (sequence, sender) in (first..).zip(open.drain(..count)) {
            drop(sender.send(Ok(Ack { sequence, is_duplicate: false })));
        }
    }

    /// Answers the message at `place`, counted from the oldest, with a failure.
    fn fail(&self, place: usize, error: BrokerError) {
        drop(self.open.lock().unwrap().remove(place).unwrap().send(Err(error)));
    }
}

#[async_trait]
impl Broker for Late {
    async fn ensure_stream(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn tail(&self) -> Result<Tail, BrokerError> {
        Err(BrokerError::NoStream)
    }

    async fn extent(&self) -> Result<Extent, BrokerError> {
        Err(BrokerError::NoStream)
    }

    async fn publish(&self, _: Outgoing, expected_last_sequence: u64) -> Result<Acknowledgement, BrokerError> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.open.lock().unwrap().push_back(sender);
        *self.asked.lock().unwrap() = expected_last_sequence + 1;
        Ok(Box::pin(async move { receiver.await.unwrap_or(Err(BrokerError::TimedOut)) }))
    }
}

fn message() -> Outgoing {
    Outgoing { subject: "paystream.v1.x".to_owned(), headers: Vec::new(), body: "{}".to_owned(), position: Position::START }
}

/// Polls once; answers whether it has ended.
fn is_ready<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn so_many_are_in_flight_and_not_one_more_and_what_is_answered_makes_room() {
    let broker = Late::default();
    let mut pipeline = Pipeline::new(&broker, 0);
    for _ in 0..IN_FLIGHT {
        pipeline.push(message()).await.unwrap();
    }
    let mut next = Box::pin(pipeline.push(message()));
    assert!(is_ready(next.as_mut()).is_none());
    assert_eq!(broker.waiting(), IN_FLIGHT);
    broker.answer(IN_FLIGHT / 4);
    assert!(matches!(is_ready(next.as_mut()), Some(Ok(()))), "a quarter is answered, and it waits for more");
    drop(next);
    while broker.waiting() < IN_FLIGHT {
        assert!(matches!(is_ready(std::pin::pin!(pipeline.push(message()))), Some(Ok(()))), "with {} in flight", broker.waiting());
    }
    broker.answer(IN_FLIGHT);
    assert_eq!(pipeline.settle().await.unwrap(), IN_FLIGHT + IN_FLIGHT / 4);
}

#[tokio::test]
async fn the_oldest_failure_is_the_one_that_is_told() {
    let broker = Late::default();
    let mut pipeline = Pipeline::new(&broker, 0);
    for _ in 0..IN_FLIGHT {
        pipeline.push(message()).await.unwrap();
    }
    broker.answer(3);
    broker.fail(0, BrokerError::Full("as the test wishes".to_owned()));
    while broker.waiting() > 0 {
        broker.fail(0, BrokerError::Moved);
    }
    assert!(matches!(pipeline.push(message()).await, Err(BrokerError::Full(_))));
}

#[tokio::test]
async fn where_a_later_one_has_failed_nobody_waits_for_an_earlier_one_without_an_answer() {
    let broker = Late::default();
    let mut pipeline = Pipeline::new(&broker, 0);
    for _ in 0..IN_FLIGHT {
        pipeline.push(message()).await.unwrap();
    }
    broker.answer(2);
    for place in (4..broker.waiting()).rev() {
        broker.fail(place, BrokerError::TimedOut);
    }
    assert_eq!(broker.waiting(), 4);
    assert!(matches!(is_ready(std::pin::pin!(pipeline.push(message()))), Some(Err(BrokerError::TimedOut))));
}
