//! The desk at which operators' wishes are carried out, in memory and in tables.

use super::*;
use crate::parking::{MemoryParking, ParkedMessages};

/// A desk, with what keeps its tables, if it has any.
type Desk = (Arc<dyn ParkedMessages>, Option<Arc<Taking>>);

async fn desks() -> Vec<Desk> {
    let mut desks: Vec<Desk> = vec![(Arc::new(MemoryParking::new(MemoryBook::default())), None)];
    for effect in Taking::everywhere().await {
        if let Store::Sql(views, _) = &effect.store {
            desks.push((Arc::new(ParkingDesk::new(views.clone())), Some(effect)));
        }
    }
    assert_eq!(desks.len(), 3);
    desks
}

fn skipped(number: i64) -> ParkedMessage {
    ParkedMessage::skipped("taking", event(number, "order-1", 0), "made good by hand", at(50))
}

#[tokio::test]
async fn a_skip_is_put_back_where_nothing_is_and_leaves_what_is_there() {
    for (desk, _tables) in desks().await {
        desk.restore(&skipped(3)).await.unwrap();
        assert_eq!(desk.show("taking-3").await.unwrap(), skipped(3));
        let other = ParkedMessage { skip_reason: Some("otherwise".to_owned()), ..skipped(3) };
        let refused = desk.restore(&other).await;
        assert!(matches!(refused, Err(ParkingDeskError::Changed)), "{refused:?}");
        assert_eq!(desk.list(Some(ParkedState::Skipped), 10).await.unwrap(), [skipped(3)]);
        assert_eq!(desk.list(None, 10).await.unwrap(), []);
        for refused in [desk.skip("taking-3", "again", at(60)).await, desk.redrive("taking-3", at(60)).await] {
            assert!(matches!(refused, Err(ParkingDeskError::Skipped)), "{refused:?}");
        }
        for refused in [desk.show("taking-4").await.map(drop), desk.skip("taking-4", "r", at(60)).await] {
            assert!(matches!(refused, Err(ParkingDeskError::Unknown)), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn what_was_put_back_is_passed_over() {
    for (desk, tables) in desks().await {
        let Some(effect) = tables else { continue };
        desk.restore(&skipped(3)).await.unwrap();
        let asked = Asked {
            consumer: "taking",
            skipped_for: "taking",
            subjects: BTreeSet::new(),
            streams: ["order-1".to_owned()].into(),
            part: None,
            now: at(100),
            most_due: 1,
        };
        let standing = effect.standing(&asked).await.unwrap();
        assert_eq!((standing.skipped, standing.queues.len()), ([event(3, "order-1", 0).event_id].into(), 0));
    }
}

#[tokio::test]
async fn of_two_that_go_on_from_the_same_place_one_does() {
    for (desk, _tables) in desks().await {
        let first = desk.checkpoint().await.unwrap();
        assert_eq!(first, Checkpoint::FIRST);
        desk.advance(first, position(7)).await.unwrap();
        let refused = desk.advance(first, position(9)).await;
        assert!(matches!(refused, Err(ParkingDeskError::Overtaken)), "{refused:?}");
        let moved = desk.checkpoint().await.unwrap();
        assert_eq!(moved.position, position(7));
        desk.advance(moved, position(9)).await.unwrap();
        assert_eq!(desk.checkpoint().await.unwrap().position, position(9));
    }
}
