use database::testing::TestDatabase;

use super::*;
use crate::testing::{self, now};

fn alice() -> Account {
    Account {
        account_id: "alice".to_owned(),
        username: Username::parse("Alice").unwrap(),
        display_name: "爱丽丝".to_owned(),
        roles: vec![Role::Auditor, Role::Buyer],
    }
}

async fn accounts_are_found_by_id_and_name(test: TestDatabase) {
    let accounts = Accounts::new(testing::migrated(&test).await);
    let kept = Secret::new("hash".to_owned());
    assert!(accounts.add(&alice(), &kept, now()).await.unwrap());
    let without_role = Account { account_id: "bob".to_owned(), username: Username::parse("bob").unwrap(), roles: vec![], ..alice() };
    assert!(accounts.add(&without_role, &kept, now()).await.unwrap());
    for account in [alice(), without_role] {
        assert_eq!(accounts.by_id(&account.account_id).await.unwrap(), Some(account.clone()));
        assert_eq!(accounts.for_sign_in(&account.username).await.unwrap(), Some((account, kept.clone())));
    }
    for nobody in ["Alice", "carol", ""] {
        assert_eq!(accounts.by_id(nobody).await.unwrap(), None, "{nobody:?}");
    }
    assert_eq!(accounts.by_username(&Username::parse("carol").unwrap()).await.unwrap(), None);
}

async fn an_id_or_name_that_is_taken_changes_nothing(test: TestDatabase) {
    let accounts = Accounts::new(testing::migrated(&test).await);
    let kept = Secret::new("hash".to_owned());
    assert!(accounts.add(&alice(), &kept, now()).await.unwrap());
    let other = Secret::new("other".to_owned());
    let same_id = Account { username: Username::parse("eve").unwrap(), ..alice() };
    let same_name = Account { account_id: "eve".to_owned(), ..alice() };
    for account in [same_id, same_name] {
        assert!(!accounts.add(&account, &other, now()).await.unwrap());
    }
    assert_eq!(accounts.for_sign_in(&alice().username).await.unwrap(), Some((alice(), kept)));
    assert_eq!(accounts.by_id("eve").await.unwrap(), None);
}

#[tokio::test]
async fn accounts_are_found_by_id_and_name_on_sqlite() {
    accounts_are_found_by_id_and_name(TestDatabase::sqlite()).await;
}

#[tokio::test]
async fn accounts_are_found_by_id_and_name_on_postgres() {
    accounts_are_found_by_id_and_name(TestDatabase::postgres().await).await;
}

#[tokio::test]
async fn an_id_or_name_that_is_taken_changes_nothing_on_sqlite() {
    an_id_or_name_that_is_taken_changes_nothing(TestDatabase::sqlite()).await;
}

#[tokio::test]
async fn an_id_or_name_that_is_taken_changes_nothing_on_postgres() {
    an_id_or_name_that_is_taken_changes_nothing(TestDatabase::postgres().await).await;
}

#[test]
fn a_user_name_is_a_short_plain_word_in_small_letters() {
    assert_eq!(Username::parse("Alice.B_1@x-y").unwrap().to_string(), "alice.b_1@x-y");
    assert!(Username::parse(&"x".repeat(64)).is_ok());
    for text in ["", "a b", "爱丽丝", "a\0", " a", &"x".repeat(65)] {
        assert_eq!(Username::parse(text), Err(InvalidUsername), "{text:?}");
    }
}
