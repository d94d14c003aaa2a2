//! Subscriptions: the wish of a connection or an address to be told of a queue's new messages.

use bytes::Bytes;
use uuid::Uuid;

use super::Metadata;
use super::message::{canonical_uuid, rising_uuid};
use crate::clock::Timestamp;

/// The identity of a subscription, unique in the service: a UUIDv7 that rises with time, so that a listing by id tells
/// the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub Uuid);

impl SubscriptionId {
    /// The id in that text, or `None` where it is none that we handed out.
    pub fn parse(text: &str) -> Option<Self> {
        canonical_uuid(text).map(Self)
    }

    /// A new id for a subscription made at `at`.
    pub fn new(at: Timestamp) -> Self {
        Self(rising_uuid(at))
    }
}

impl std::fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

/// A subscription to a queue as stores keep it.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// Its identity.
    pub id: SubscriptionId,
    /// Who is told: `websocket:` and the id of a connection, or a URI. Of each there is one at a queue.
    pub subscriber: String,
    /// Seconds it lives, as its client asked; those of connections live as long as these.
    pub ttl: u64,
    /// What the client says about delivery, opaque here.
    pub options: Metadata,
    /// Whether the subscriber agreed.
    pub confirmed: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

impl Subscription {
    /// Its options as JSON text.
    pub fn options_json(&self) -> Bytes {
        // An object with text for keys always becomes text.
        serde_json::to_vec(&self.options).unwrap_or_default().into()
    }

    /// The options in that text; `None` where it is no JSON object.
    pub fn options_of(json: &[u8]) -> Option<Metadata> {
        serde_json::from_slice(json).ok()
    }
}
