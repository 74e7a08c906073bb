//! What the stream must be.

use std::fmt::Debug;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType};

use super::message::SUBJECTS;
use crate::nats::STREAM;

/// The stream `PAYSTREAM` as it is made and as it is compared. What is not compared is the operator's to choose: how many
/// bytes it may hold, compression, placement, consumers' limits, the duplicate window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamDeclaration {
    /// On how many servers it lies: 1, or 3 in a cluster.
    pub replicas: usize,
}

impl StreamDeclaration {
    /// What the stream is made as.
    pub fn config(self) -> Config {
        Config {
            name: STREAM.to_owned(),
            description: Some("Paystream's published events, in the order of its log".to_owned()),
            subjects: vec![SUBJECTS.to_owned()],
            retention: RetentionPolicy::Limits,
            // A full stream refuses new messages; the other choice would lose the oldest.
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            num_replicas: self.replicas,
            max_messages: -1,
            max_bytes: -1,
            max_messages_per_subject: -1,
            max_message_size: -1,
            max_consumers: -1,
            deny_delete: true,
            deny_purge: true,
            allow_direct: true,
            ..Config::default()
        }
    }

    /// What of a stream is not as it is declared: one sentence a member; none where all is well.
    pub fn differences(self, found: &Config) -> Vec<String> {
        let wanted = self.config();
        let mut differences = Vec::new();
        let mut compare = |member: &str, found: &dyn Debug, wanted: &dyn Debug| {
            let (found, wanted) = (format!("{found:?}"), format!("{wanted:?}"));
            if found != wanted {
                differences.push(format!("{member} is {found}, and must be {wanted}"));
            }
        };
        compare("subjects", &found.subjects, &wanted.subjects);
        compare("storage", &found.storage, &wanted.storage);
        compare("retention", &found.retention, &wanted.retention);
        compare("discard", &found.discard, &wanted.discard);
        compare("discard_new_per_subject", &found.discard_new_per_subject, &false);
        compare("max_age", &found.max_age, &Duration::ZERO);
        compare("max_msgs", &found.max_messages, &wanted.max_messages);
        compare("max_msgs_per_subject", &found.max_messages_per_subject, &wanted.max_messages_per_subject);
        compare("max_msg_size", &found.max_message_size, &wanted.max_message_size);
        compare("no_ack", &found.no_ack, &false);
        compare("sealed", &found.sealed, &false);
        compare("deny_delete", &found.deny_delete, &true);
        compare("deny_purge", &found.deny_purge, &true);
        compare("allow_direct", &found.allow_direct, &true);
        compare("allow_rollup_hdrs", &found.allow_rollup, &false);
        compare("allow_msg_ttl", &found.allow_message_ttl, &false);
        compare("mirror", &found.mirror.is_some(), &false);
        compare("sources", &found.sources.as_ref().is_some_and(|sources| !sources.is_empty()), &false);
        compare("subject_transform", &found.subject_transform.is_some(), &false);
        // The other mode would switch off what the server's sync_interval promises.
        compare("persist_mode async", &(found.persist_mode == Some(PersistenceMode::Async)), &false);
        compare("num_replicas", &found.num_replicas, &wanted.num_replicas);
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: StreamDeclaration = StreamDeclaration { replicas: 1 };

    #[test]
    fn a_stream_as_it_was_made_differs_in_nothing() {
        assert_eq!(ONE.differences(&ONE.config()), Vec::<String>::new());
    }

    #[test]
    fn what_would_lose_messages_is_named() {
        type Change = fn(&mut Config);
        let changes: [(&str, Change); 8] = [
            ("subjects", |config| config.subjects = vec!["paystream.>".to_owned()]),
            ("storage", |config| config.storage = StorageType::Memory),
            ("retention", |config| config.retention = RetentionPolicy::WorkQueue),
            ("discard", |config| config.discard = DiscardPolicy::Old),
            ("max_age", |config| config.max_age = Duration::from_mins(1)),
            ("max_msgs", |config| config.max_messages = 10),
            ("persist_mode", |config| config.persist_mode = Some(PersistenceMode::Async)),
            ("num_replicas", |config| config.num_replicas = 3),
        ];
        for (member, change) in changes {
            let mut config = ONE.config();
            change(&mut config);
            let differences = ONE.differences(&config);
            assert!(matches!(differences.as_slice(), [one] if one.starts_with(member)), "{member}: {differences:?}");
        }
    }

    #[test]
    fn what_is_the_operators_to_choose_is_not_compared() {
        let config = Config { max_bytes: 1_000_000, duplicate_window: Duration::from_secs(7), ..ONE.config() };
        assert_eq!(ONE.differences(&config), Vec::<String>::new());
    }
}
