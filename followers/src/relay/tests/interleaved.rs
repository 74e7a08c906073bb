//! Two relays and a broker that loses its end between two steps of one of them.

use async_trait::async_trait;
use event_store::ReadError;
use tokio::sync::watch;

use super::*;

/// The log as a relay sees it that reads up to a place only, and loses the stream's end when it reads on.
struct Sight {
    log: Arc<MemoryEventStore>,
    up_to: Position,
    /// How many messages of which stream are left at the next reading.
    loss: Mutex<Option<(Arc<MemoryStream>, usize)>>,
}

impl Sight {
    fn up_to(world: &World, up_to: Position) -> Arc<Self> {
        Arc::new(Self { log: Arc::clone(&world.log), up_to, loss: Mutex::default() })
    }
}

#[async_trait]
impl LogReader for Sight {
    async fn read_stream(&self, stream_id: &StreamId, from_revision: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.log.read_stream(stream_id, from_revision, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        if let Some((stream, left)) = self.loss.lock().unwrap().take() {
            stream.truncate(left);
        }
        let page = self.log.read_all(after, limit).await?;
        Ok(page.into_iter().filter(|event| event.position <= self.up_to).collect())
    }

    fn step_back(&self, position: Position, span: u64) -> Option<Position> {
        self.log.step_back(position, span)
    }

    async fn head(&self) -> Result<Position, ReadError> {
        Ok(self.log.head().await?.min(self.up_to))
    }

    fn appended(&self) -> watch::Receiver<Position> {
        self.log.appended()
    }
}

/// A broker to which another relay publishes just before the first message comes in.
struct Shared {
    stream: Arc<MemoryStream>,
    other: Mutex<Option<Relay>>,
}

#[async_trait]
impl Broker for Shared {
    async fn ensure_stream(&self) -> Result<(), BrokerError> {
        self.stream.ensure_stream().await
    }

    async fn tail(&self) -> Result<Tail, BrokerError> {
        self.stream.tail().await
    }

    async fn extent(&self) -> Result<Extent, BrokerError> {
        self.stream.extent().await
    }

    async fn publish(&self, message: Outgoing, expected_last_sequence: u64) -> Result<Acknowledgement, BrokerError> {
        let other = self.other.lock().unwrap().take();
        if let Some(other) = other {
            catch_up(&other).await;
        }
        self.stream.publish(message, expected_last_sequence).await
    }
}

/// The stream is as long as before when the first relay publishes, so nothing of the broker's tells it that anything was lost.
#[tokio::test]
async fn the_message_before_is_right_although_the_end_was_lost_and_filled_by_another_relay_meanwhile() {
    let world = World::new().await;
    world.append("stock-tea", &[("StockReceived", "{}"); 5]).await;
    let all = Position::new(i64::MAX).unwrap();
    let sight = Sight::up_to(&world, all);
    let broker = Arc::new(Shared { stream: Arc::clone(&world.broker), other: Mutex::default() });
    let clock = || Arc::<ManualClock>::clone(&world.clock);
    catch_up(&world.relay()).await;
    let before = world.broker.messages();
    let end = world.log.head().await.unwrap();
    world.append("stock-tea", &[("StockReceived", "{}")]).await;

    // It reads the stream's end, and on reading the log the last three messages are lost; before its own message comes in
    // they are there again, and not one more.
    let first = Relay::new(Arc::<Sight>::clone(&sight), Arc::<Shared>::clone(&broker), clock());
    let second = Relay::new(Sight::up_to(&world, end), Arc::<MemoryStream>::clone(&world.broker), clock());
    *sight.loss.lock().unwrap() = Some((Arc::clone(&world.broker), 2));
    *broker.other.lock().unwrap() = Some(second);
    assert_eq!(first.run_once().await.unwrap().applied, 1);

    let messages = world.broker.messages();
    assert!(messages[..before.len()] == before);
    assert_eq!(world.published(), world.due().await);
    let last = messages.last().unwrap();
    assert_eq!(value(last, header::PREVIOUS), Some(end.to_string().as_str()));
}

#[tokio::test]
async fn a_message_that_a_broken_broker_has_lost_inside_is_named_all_the_same() {
    let world = World::new().await;
    world.append("stock-tea", &[("StockReceived", "{}"), ("StockReceived", "{}"), ("StockAdjusted", "{}")]).await;
    catch_up(&world.relay()).await;
    let messages = world.broker.messages();
    let lost = messages[1].position;
    world.broker.lose();
    world.broker.push(messages[0].clone());
    world.broker.push(messages[2].clone());
    world.append("stock-tea", &[("StockReceived", "{}")]).await;
    catch_up(&world.relay()).await;
    assert_eq!(value(world.broker.messages().last().unwrap(), header::PREVIOUS), Some(lost.to_string().as_str()));
}
