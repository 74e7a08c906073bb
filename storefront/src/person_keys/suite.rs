//! What all keepers of persons' keys do. Each adapter's tests run the whole list.

use std::sync::Arc;

use domain::BuyerId;

use super::{Opened, PersonKeys};
use crate::StorefrontError;

fn person(name: &str) -> BuyerId {
    name.parse().unwrap()
}

fn plain(text: &str) -> Opened {
    Opened::Plain(text.as_bytes().to_vec())
}

pub(super) async fn what_was_sealed_opens_for_its_person(keys: Arc<dyn PersonKeys>) {
    let alice = person("alice");
    for text in ["", "收货人：爱丽丝", &"x".repeat(10_000)] {
        let sealed = keys.seal(&alice, text.as_bytes()).await.unwrap();
        assert_eq!(keys.open(&alice, &sealed).await.unwrap(), plain(text));
        assert!(text.is_empty() || !sealed.contains(text));
        assert_ne!(keys.seal(&alice, text.as_bytes()).await.unwrap(), sealed);
    }
}

pub(super) async fn another_person_opens_nothing(keys: Arc<dyn PersonKeys>) {
    let sealed = keys.seal(&person("alice"), b"address").await.unwrap();
    keys.seal(&person("bob"), b"address").await.unwrap();
    for name in ["bob", "carol"] {
        let opened = keys.open(&person(name), &sealed).await;
        assert!(matches!(opened, Err(StorefrontError::Unopenable)), "{name}: {opened:?}");
    }
}

pub(super) async fn a_changed_text_opens_nothing(keys: Arc<dyn PersonKeys>) {
    let alice = person("alice");
    let sealed = keys.seal(&alice, b"address").await.unwrap();
    let (key_id, token) = sealed.split_once('.').unwrap();
    let other_key = keys.seal(&person("bob"), b"address").await.unwrap();
    let (other_key_id, other_token) = other_key.split_once('.').unwrap();
    let unknown_key_id = "0190c9a2-7b1e-7cc3-98c4-dc0c0c07398f";
    let texts = [
        String::new(),
        ".".to_owned(),
        token.to_owned(),
        format!("{key_id}."),
        format!("{key_id}.{token}A"),
        format!("{key_id}.{other_token}"),
        format!("{other_key_id}.{token}"),
        format!("{unknown_key_id}.{token}"),
    ];
    for text in texts {
        let opened = keys.open(&alice, &text).await;
        assert!(matches!(opened, Err(StorefrontError::Unopenable)), "{text}: {opened:?}");
    }
}

pub(super) async fn an_erased_person_shows_as_erased(keys: Arc<dyn PersonKeys>) {
    let (alice, bob) = (person("alice"), person("bob"));
    let (first, second) = (keys.seal(&alice, b"address").await.unwrap(), keys.seal(&alice, b"message").await.unwrap());
    let of_bob = keys.seal(&bob, b"address").await.unwrap();
    for _ in 0..2 {
        keys.erase(&alice).await.unwrap();
        for sealed in [&first, &second] {
            assert_eq!(keys.open(&alice, sealed).await.unwrap(), Opened::Erased);
        }
    }
    assert_eq!(keys.open(&bob, &of_bob).await.unwrap(), plain("address"));
    // Whose it was is still known.
    let opened = keys.open(&bob, &first).await;
    assert!(matches!(opened, Err(StorefrontError::Unopenable)), "{opened:?}");
}

pub(super) async fn an_erased_person_may_come_again(keys: Arc<dyn PersonKeys>) {
    let alice = person("alice");
    let before = keys.seal(&alice, b"old address").await.unwrap();
    keys.erase(&alice).await.unwrap();
    let after = keys.seal(&alice, b"new address").await.unwrap();
    assert_eq!(keys.open(&alice, &after).await.unwrap(), plain("new address"));
    assert_eq!(keys.open(&alice, &before).await.unwrap(), Opened::Erased);
    keys.erase(&alice).await.unwrap();
    assert_eq!(keys.open(&alice, &after).await.unwrap(), Opened::Erased);
}

pub(super) async fn someone_unknown_can_be_erased(keys: Arc<dyn PersonKeys>) {
    keys.erase(&person("nobody")).await.unwrap();
}

pub(super) async fn first_seals_at_once_share_one_key(keys: Arc<dyn PersonKeys>) {
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { keys.seal(&person("alice"), b"address").await.unwrap() })
        })
        .collect();
    let mut key_ids = Vec::new();
    for task in tasks {
        let sealed = task.await.unwrap();
        assert_eq!(keys.open(&person("alice"), &sealed).await.unwrap(), plain("address"));
        key_ids.push(sealed.split_once('.').unwrap().0.to_owned());
    }
    key_ids.dedup();
    assert_eq!(key_ids.len(), 1);
}

/// Makes a test of each entry of the list, on the keys that `$open` opens.
macro_rules! person_keys_suite {
    ($open:path) => {
        crate::person_keys::suite::person_keys_suite!($open: what_was_sealed_opens_for_its_person,
            another_person_opens_nothing, a_changed_text_opens_nothing, an_erased_person_shows_as_erased,
            an_erased_person_may_come_again, someone_unknown_can_be_erased, first_seals_at_once_share_one_key);
    };
    ($open:path: $($name:ident),*) => {
        $(#[tokio::test]
        async fn $name() {
            let (_kept, keys) = $open().await;
            crate::person_keys::suite::$name(std::sync::Arc::new(keys)).await;
        })*
    };
}
pub(super) use person_keys_suite;
