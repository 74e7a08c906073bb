use std::sync::Arc;

use chassis::ids::SeededIds;
use event_store::{ExpectedRevision, LogReader, Metadata, NewEvent, RecordedEvent};
use followers::{BookChange, Checkpoint, MemoryBook, MemoryParking, ParkedChange};
use serde_json::Value;

use super::*;
use crate::testing::{CORRELATION, Fault, World};

/// A shop's log with one message that the points' consumer could not take.
pub(crate) struct Parked {
    pub(crate) world: World,
    pub(crate) desk: Arc<MemoryParking>,
    pub(crate) acts: Arc<ParkedActs>,
    pub(crate) message: ParkedMessage,
}

impl Parked {
    pub(crate) async fn new() -> Self {
        let world = World::new().await;
        let event = unreadable(&world).await;
        let message = ParkedMessage {
            state: ParkedState::Parked,
            skip_reason: None,
            tries: 5,
            reason: "it cannot be read".to_owned(),
            ..ParkedMessage::skipped("points", event, "", world.clock.now())
        };
        let mut book = MemoryBook::default();
        book.restore(&message);
        let desk = Arc::new(MemoryParking::new(book));
        let acts = Arc::new(acts(&world, &desk));
        Self { world, desk, acts, message }
    }

    pub(crate) fn wish(&self, act: ParkedAct) -> ParkedWish {
        ParkedWish { act, parked_id: self.message.parked_id.clone(), reason: "made good by hand".to_owned() }
    }

    pub(crate) async fn act(&self, act: ParkedAct, key: Option<&CallerKey>) -> Result<ParkedActed, ParkedFailure> {
        self.acts.act(&Caller::Operator("olivia".to_owned()), self.wish(act), key, CORRELATION).await
    }

    /// The names of the events of the operators' stream of the day.
    pub(crate) async fn recorded(&self) -> Vec<RecordedEvent> {
        self.world.memory.read_stream(&streams::operations(self.world.clock.now().date_naive()), 0, 100).await.unwrap()
    }

    pub(crate) async fn recorded_types(&self) -> Vec<String> {
        self.recorded().await.into_iter().map(|event| event.event_type).collect()
    }

    pub(crate) fn state(&self) -> Option<ParkedState> {
        self.desk.parked().first().map(|message| message.state)
    }

    /// The consumer takes the message after all.
    pub(crate) fn taken(desk: &MemoryParking, message: &ParkedMessage) {
        let release = ParkedChange::Release { parked_id: message.parked_id.clone(), before: (message.state, message.tries) };
        let change = BookChange { parked: vec![release], ..BookChange::new("points", Checkpoint::FIRST) };
        let mut stored = Checkpoint::FIRST;
        desk.at_the_book(|book| book.write(&change, &mut stored)).unwrap();
    }
}

pub(crate) fn acts(world: &World, desk: &Arc<MemoryParking>) -> ParkedActs {
    let ids = Arc::new(SeededIds::new(77, world.clock.clone()));
    ParkedActs::new(world.log.clone(), desk.clone(), world.clock.clone(), ids)
}

pub(crate) fn key(content: &str) -> CallerKey {
    CallerKey::new("olivia", "POST /api/v1/operations/parked", "k", content)
}

async fn unreadable(world: &World) -> RecordedEvent {
    let event = NewEvent {
        event_id: Uuid::from_u128(0xbad),
        event_type: "PaymentConfirmed".to_owned(),
        schema_version: 1,
        data: "{}".to_owned(),
        metadata: Metadata { correlation_id: CORRELATION, causation_id: None, actor: "test".to_owned(), source: "test".to_owned() },
    };
    let stream_id = StreamId::parse("order-7").unwrap();
    world.memory.append(&stream_id, ExpectedRevision::NoStream, vec![event]).await.unwrap();
    world.memory.read_stream(&stream_id, 0, 1).await.unwrap().remove(0)
}

#[tokio::test]
async fn who_does_what_and_why_stands_on_the_log_before_it_is_done_and_then_that_it_was() {
    for (act, state) in [(ParkedAct::Skip, ParkedState::Skipped), (ParkedAct::Redrive, ParkedState::Waiting)] {
        let parked = Parked::new().await;
        let acted = parked.act(act, None).await.unwrap();
        assert_eq!((acted.outcome, acted.replayed, parked.state()), (ParkedOutcome::Done, false, Some(state)));
        let recorded = parked.recorded().await;
        let [wish, done] = &recorded[..] else { panic!("{recorded:?}") };
        assert_eq!((wish.event_type.as_str(), done.event_type.as_str()), ("ParkedActRequested", "ParkedActDone"));
        assert_eq!((wish.metadata.actor.as_str(), acted.position), ("operator:olivia", done.position));
        for event in [wish, done] {
            let data: Value = serde_json::from_str(&event.data).unwrap();
            let subject = ["consumer", "stream_id", "position", "event_type"].map(|member| data[member].as_str().unwrap().to_owned());
            assert_eq!(subject, ["points", "order-7", &parked.message.event.position.to_string(), "PaymentConfirmed"]);
            assert_eq!((data["act"].as_str(), data["reason"].as_str()), (Some(act.as_str()), Some("made good by hand")));
            assert_eq!(data["act_id"], acted.act_id.to_string());
        }
    }
}

#[tokio::test]
async fn a_key_acts_once_and_answers_the_same_again() {
    let parked = Parked::new().await;
    let first = parked.act(ParkedAct::Skip, Some(&key("a"))).await.unwrap();
    let again = parked.act(ParkedAct::Skip, Some(&key("a"))).await.unwrap();
    assert_eq!(again, ParkedActed { replayed: true, ..first });
    assert_eq!(parked.recorded_types().await, ["ParkedActRequested", "ParkedActDone"]);
    assert!(matches!(parked.act(ParkedAct::Skip, Some(&key("b"))).await, Err(ParkedFailure::KeyReused)));
}

#[tokio::test]
async fn of_a_message_that_is_not_there_or_was_skipped_nothing_is_recorded() {
    let parked = Parked::new().await;
    let unknown = ParkedWish { parked_id: "points-999".to_owned(), ..parked.wish(ParkedAct::Skip) };
    let refused = parked.acts.act(&Caller::Operator("olivia".to_owned()), unknown, None, CORRELATION).await;
    assert!(matches!(refused, Err(ParkedFailure::Desk(ParkingDeskError::Unknown))), "{refused:?}");
    parked.act(ParkedAct::Skip, None).await.unwrap();
    for act in [ParkedAct::Skip, ParkedAct::Redrive] {
        let refused = parked.act(act, None).await;
        assert!(matches!(refused, Err(ParkedFailure::Desk(ParkingDeskError::Skipped))), "{refused:?}");
    }
    assert_eq!(parked.recorded_types().await.len(), 2);
}

#[tokio::test]
async fn a_wish_about_a_message_that_was_taken_meanwhile_lapses() {
    for act in [ParkedAct::Skip, ParkedAct::Redrive] {
        let parked = Parked::new().await;
        let (desk, message) = (Arc::clone(&parked.desk), parked.message.clone());
        parked.world.log.meanwhile("operations-", async move { Parked::taken(&desk, &message) });
        let acted = parked.act(act, None).await.unwrap();
        assert_eq!((acted.outcome, parked.state()), (ParkedOutcome::Lapsed, None));
        assert_eq!(parked.recorded_types().await, ["ParkedActRequested", "ParkedActLapsed"]);
    }
}

#[tokio::test]
async fn a_wish_that_is_not_recorded_is_not_carried_out() {
    let parked = Parked::new().await;
    parked.world.log.next("operations-", Fault::Unavailable);
    assert!(matches!(parked.act(ParkedAct::Skip, None).await, Err(ParkedFailure::Log(_))));
    assert_eq!((parked.state(), parked.recorded_types().await.len()), (Some(ParkedState::Parked), 0));
}

#[tokio::test]
async fn whoever_repeats_a_wish_without_an_outcome_goes_on_with_it() {
    let parked = Parked::new().await;
    // The wish is written, the message skipped, and then the log is gone.
    parked.world.log.meanwhile("operations-", async {});
    parked.world.log.next("operations-", Fault::Unavailable);
    assert!(matches!(parked.act(ParkedAct::Skip, Some(&key("a"))).await, Err(ParkedFailure::Log(_))));
    assert_eq!((parked.state(), parked.recorded_types().await.len()), (Some(ParkedState::Skipped), 1));
    let acted = parked.act(ParkedAct::Skip, Some(&key("a"))).await.unwrap();
    assert_eq!((acted.outcome, acted.replayed), (ParkedOutcome::Done, true));
    assert_eq!(parked.recorded_types().await, ["ParkedActRequested", "ParkedActDone"]);
}

#[tokio::test]
async fn lists_and_single_messages_are_told_in_lines_and_change_nothing() {
    let parked = Parked::new().await;
    let ask = async |command| {
        let caller = Caller::Operator("olivia".to_owned());
        parked.acts.command(&caller, command, None, CORRELATION).await.map(|(reply, done)| (reply.lines, done.is_some()))
    };
    let id = parked.message.parked_id.clone();
    let (listed, is_act) = ask(ParkedCommand::List { state: None }).await.unwrap();
    assert!(listed[0].starts_with(&format!("{id}  parked, 5 tries  since ")) && !is_act, "{listed:?}");
    assert_eq!(ask(ParkedCommand::List { state: Some("behind".to_owned()) }).await.unwrap().0, ["There are none."]);
    assert!(matches!(ask(ParkedCommand::List { state: Some("lost".to_owned()) }).await, Err(ParkedFailure::State(_))));
    assert_eq!(ask(ParkedCommand::Show { id: id.clone() }).await.unwrap().0[1], "{}");
    assert_eq!(parked.recorded_types().await.len(), 0);
    let (said, is_act) = ask(ParkedCommand::Redrive { id: id.clone(), reason: "r".to_owned() }).await.unwrap();
    assert_eq!((said, is_act), (vec![format!("{id}: its stream is tried again from the first message")], true));
}
