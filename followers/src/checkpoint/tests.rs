use database::Area;
use database::Migration;
use database::testing::TestDatabase;

use super::*;
use crate::testing::position;

const TABLE: &[Migration] = &[Migration {
    version: 1,
    name: "checkpoints",
    sqlite: "create table follower_checkpoint (name text not null primary key, generation integer not null, position integer not null) strict",
    postgres: "create table follower_checkpoint (name text not null primary key, generation bigint not null, position bigint not null)",
}];

async fn both() -> [(TestDatabase, Database); 2] {
    let places = [TestDatabase::sqlite(), TestDatabase::postgres().await];
    let mut opened = Vec::new();
    for place in places {
        let views = place.open(Area::Views).await.unwrap();
        views.migrate(TABLE).await.unwrap();
        opened.push((place, views));
    }
    opened.try_into().unwrap()
}

async fn advance(views: &Database, from: Checkpoint, to: i64) -> Result<Checkpoint, AdvanceError> {
    let mut transaction = views.begin().await.unwrap();
    let moved = from.advance(&mut transaction, "orders", position(to)).await?;
    transaction.commit().await.unwrap();
    Ok(moved)
}

#[tokio::test]
async fn a_checkpoint_begins_before_the_first_event_and_moves() {
    for (_place, views) in both().await {
        assert_eq!(Checkpoint::load(&views, "orders").await.unwrap(), Checkpoint::FIRST);
        let moved = advance(&views, Checkpoint::FIRST, 7).await.unwrap();
        assert_eq!(moved, Checkpoint { generation: 1, position: position(7) });
        assert_eq!(advance(&views, moved, 9).await.unwrap().position, position(9));
        assert_eq!(Checkpoint::load(&views, "orders").await.unwrap().position, position(9));
        assert_eq!(Checkpoint::load(&views, "others").await.unwrap(), Checkpoint::FIRST);
    }
}

#[tokio::test]
async fn who_knows_an_older_position_or_generation_is_overtaken() {
    for (_place, views) in both().await {
        let moved = advance(&views, Checkpoint::FIRST, 7).await.unwrap();
        for wrong in [Checkpoint::FIRST, Checkpoint { position: position(6), ..moved }, Checkpoint { generation: 2, ..moved }] {
            let refused = advance(&views, wrong, 9).await;
            assert!(matches!(refused, Err(AdvanceError::Overtaken)), "{wrong:?}: {refused:?}");
        }
        assert_eq!(Checkpoint::load(&views, "orders").await.unwrap(), moved);
    }
}

#[tokio::test]
async fn a_checkpoint_that_is_rolled_back_has_not_moved() {
    for (_place, views) in both().await {
        let mut transaction = views.begin().await.unwrap();
        Checkpoint::FIRST.advance(&mut transaction, "orders", position(7)).await.unwrap();
        transaction.rollback().await.unwrap();
        assert_eq!(Checkpoint::load(&views, "orders").await.unwrap(), Checkpoint::FIRST);
    }
}

#[test]
fn in_memory_the_same_rule_holds() {
    let mut stored = Checkpoint::FIRST;
    let moved = Checkpoint::FIRST.advance_in_memory(&mut stored, position(7)).unwrap();
    assert_eq!((stored, moved.position), (moved, position(7)));
    for wrong in [Checkpoint::FIRST, Checkpoint { generation: 2, ..moved }] {
        assert_eq!(wrong.advance_in_memory(&mut stored, position(9)), Err(Overtaken));
    }
    assert_eq!(stored, moved);
}

#[tokio::test]
async fn alone_it_moves_by_the_same_rule() {
    for (_place, views) in both().await {
        let moved = Checkpoint::FIRST.advance_alone(&views, "orders", position(7)).await.unwrap();
        assert_eq!(moved, Checkpoint { generation: 1, position: position(7) });
        let moved = moved.advance_alone(&views, "orders", position(9)).await.unwrap();
        assert_eq!(Checkpoint::load(&views, "orders").await.unwrap(), moved);
        for wrong in [Checkpoint::FIRST, Checkpoint { position: position(7), ..moved }, Checkpoint { generation: 2, ..moved }] {
            let refused = wrong.advance_alone(&views, "orders", position(11)).await;
            assert!(matches!(refused, Err(AdvanceError::Overtaken)), "{wrong:?}: {refused:?}");
        }
        assert_eq!(Checkpoint::load(&views, "orders").await.unwrap(), moved);
    }
}
