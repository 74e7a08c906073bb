//! The log as an auditor reads it.

use serde_json::Value;

use super::Api;

impl Api {
    /// Every event after `after` (empty: from the start), page by page.
    pub(crate) async fn events_after(&self, after: &str) -> Vec<Value> {
        let mut after = after.to_owned();
        let mut events: Vec<Value> = Vec::new();
        loop {
            let query = if after.is_empty() { String::new() } else { format!("&after={after}") };
            let page = self.get(&format!("/api/v1/audit/events?limit=200{query}")).send().await.expect(200).json();
            let items = page["items"].as_array().unwrap();
            if items.is_empty() {
                return events;
            }
            items.last().unwrap()["position"].as_str().unwrap().clone_into(&mut after);
            events.extend(items.iter().cloned());
        }
    }

    /// Every event.
    pub(crate) async fn events(&self) -> Vec<Value> {
        self.events_after("").await
    }

    /// One stream's events.
    pub(crate) async fn stream(&self, stream_id: &str) -> Vec<Value> {
        let body = self.get(&format!("/api/v1/audit/streams/{stream_id}")).send().await.expect(200).json();
        body["items"].as_array().unwrap().clone()
    }

    /// The names of the events of one order, in order.
    pub(crate) async fn order_event_types(&self, order_id: &str) -> Vec<String> {
        types(&self.stream(&format!("order-{order_id}")).await)
    }
}

/// The events' names.
pub(crate) fn types(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

/// How many of the events have this name.
pub(crate) fn count(events: &[Value], event_type: &str) -> usize {
    events.iter().filter(|event| event["type"] == event_type).count()
}

/// Fails the test unless positions rise strictly and each stream's revisions count up from 0 without a hole.
pub(crate) fn assert_well_formed(events: &[Value]) {
    let mut last_position = 0_u64;
    let mut revisions = std::collections::HashMap::<&str, u64>::new();
    for event in events {
        let position: u64 = event["position"].as_str().unwrap().parse().unwrap();
        assert!(position > last_position, "position {position} follows {last_position}");
        last_position = position;
        let next = revisions.entry(event["stream_id"].as_str().unwrap()).or_default();
        assert_eq!(event["revision"].as_u64(), Some(*next), "revision in {}", event["stream_id"]);
        *next += 1;
    }
}
