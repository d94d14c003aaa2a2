//! Project ids: the tenant's wall.

use std::fmt;
use std::sync::Arc;

/// The longest project id, in characters (rest.md 1.3).
pub const MAX_LENGTH: usize = 256;

/// The project (tenant) that a call belongs to. Any characters; compared byte for byte.
///
/// Its length is not checked here: the reference refuses over-long ids only on routes that name a queue.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectId(Arc<str>);

impl ProjectId {
    /// The project of that id.
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The id as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True where the id has at most [`MAX_LENGTH`] characters.
    pub fn is_well_sized(&self) -> bool {
        self.0.len() <= MAX_LENGTH || self.0.chars().count() <= MAX_LENGTH
    }
}

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
