//! Claims: the right of one worker to some messages for a while.

use uuid::Uuid;

use super::message::{canonical_uuid, rising_uuid};
use crate::clock::Timestamp;

/// The identity of a claim, unique in the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimId(pub Uuid);

impl ClaimId {
    /// The id in that text, or `None` where it is none that we handed out.
    pub fn parse(text: &str) -> Option<Self> {
        canonical_uuid(text).map(Self)
    }

    /// A new id for a claim made at `at`.
    pub fn new(at: Timestamp) -> Self {
        Self(rising_uuid(at))
    }
}

impl std::fmt::Display for ClaimId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

/// A live claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its identity.
    pub id: ClaimId,
    /// Seconds it lives, counted from its creation or last renewal.
    pub ttl: u64,
    /// When it ends; `expires - ttl` is its creation or last renewal, from which its age counts.
    pub expires: Timestamp,
}
