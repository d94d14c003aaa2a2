//! Queues: their names, their epochs, and the reference by which data calls name one.

use std::fmt;
use std::sync::Arc;

use super::ProjectId;

/// The longest queue name, in characters (rest.md 2.2).
pub const MAX_NAME_LENGTH: usize = 64;

/// The name of a queue: 1 to 64 characters of `[A-Za-z0-9_.-]`, compared byte for byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(Arc<str>);

impl QueueName {
    /// The name, or `None` where it breaks the rules.
    pub fn parse(name: &str) -> Option<Self> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        let ok = (1..=MAX_NAME_LENGTH).contains(&name.len()) && name.bytes().all(legal);
        ok.then(|| Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Which life of a queue is meant: a new, greater value at every creation (microseconds of that moment).
///
/// It is kept with the queue's metadata and with its data; every data call carries it, so that no stale
/// cache can revive a deleted queue or lose an acknowledged message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub i64);

/// Set in the epoch of a queue's data that is being moved elsewhere.
const SEALED: i64 = 1 << 62;

impl Epoch {
    /// This epoch as a move sets it where it takes the queue's data from: newer than any ordinary one, so that calls
    /// with the ordinary epoch find the data gone.
    #[must_use]
    pub fn sealed(self) -> Self {
        Self(self.0 | SEALED)
    }

    /// The ordinary epoch of sealed data; that of other data is itself.
    #[must_use]
    pub fn unsealed(self) -> Self {
        if self.is_sealed() { Self(self.0 & !SEALED) } else { self }
    }

    /// Whether this is an earlier life of the queue; to be sealed makes no difference.
    pub fn is_before(self, other: Self) -> bool {
        self.unsealed() < other.unsealed()
    }

    /// Whether a move has sealed the data.
    pub fn is_sealed(self) -> bool {
        self.0 > 0 && self.0 & SEALED != 0
    }
}

/// A queue as a data call names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueRef {
    /// The tenant.
    pub project: ProjectId,
    /// The queue's name in that project.
    pub name: QueueName,
    /// The life of the queue that the caller knows of.
    pub epoch: Epoch,
}

impl QueueRef {
    /// The queue's data where a move takes it from.
    #[must_use]
    pub fn sealed(&self) -> Self {
        Self { epoch: self.epoch.sealed(), ..self.clone() }
    }
}
