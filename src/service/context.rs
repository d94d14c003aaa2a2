//! Who asks: what an operation knows of its caller.

use crate::error::{Error, Result};
use crate::model::{ClientId, ProjectId};

/// The caller of an operation.
#[derive(Clone, Debug)]
pub struct Context {
    /// The tenant that the call is for.
    pub project: ProjectId,
    /// The client, by which `echo` tells own messages from others'.
    pub client: ClientId,
    /// Roles of the caller; as the client sent them where authentication is off (storage-and-operations.md 13).
    pub roles: Vec<String>,
}

impl Context {
    /// Refuses callers without that role (letters of either case).
    pub fn require_role(&self, role: &str) -> Result<()> {
        let held = self.roles.iter().any(|held| held.eq_ignore_ascii_case(role));
        held.then_some(()).ok_or(Error::Forbidden)
    }
}
