//! What the reserved attributes of a queue mean for its messages.

use crate::model::metadata;
use crate::storage::{DeadLetters, QueueRecord};

/// The reserved attributes that every operation on messages wants, read once when the record is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Attributes {
    /// Seconds that a message lives where its poster says nothing.
    pub(super) default_ttl: Option<u64>,
    /// The most bytes of a post's body.
    pub(super) max_post_size: Option<u64>,
    /// Set on a delay queue: seconds until a message becomes available where its poster says nothing.
    pub(super) delay: Option<u64>,
    /// Whether bodies are sealed.
    pub(super) encrypts: bool,
    /// What happens to messages that are claimed too often.
    pub(super) dead_letters: Option<DeadLetters>,
}

impl Attributes {
    /// The attributes of that queue. Values of a wrong type, which only another service could have stored,
    /// count as absent. A queue that names itself as its dead letter queue has none.
    pub(super) fn read(record: &QueueRecord) -> Self {
        let stored = &record.metadata;
        let target = metadata::dead_letter_queue(stored).filter(|target| *target != record.queue.name);
        let dead_letters = target.zip(metadata::max_claims(stored));
        Self {
            default_ttl: metadata::default_ttl(stored),
            max_post_size: metadata::max_post_size(stored),
            delay: metadata::delay(stored),
            encrypts: metadata::encrypts(stored),
            dead_letters: dead_letters.map(|(target, max_claims)| {
                let ttl = metadata::dead_letter_ttl(stored);
                DeadLetters { max_claims, target, ttl }
            }),
        }
    }
}
