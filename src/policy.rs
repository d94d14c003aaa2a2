//! What callers may do: the rules of the service and the policy that answers them.

mod rule;

pub use self::rule::Rule;
use crate::auth::Identity;
use crate::model::{ProjectId, QueueName};

/// What a caller wants to do it to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// The project that it belongs to.
    pub project: Option<&'a ProjectId>,
    /// The queue, where there is one.
    pub queue: Option<&'a QueueName>,
}

/// The policy in force. Cheap to clone; clones stay the same policy.
#[derive(Clone, Debug, Default)]
pub struct Policy {}

impl Policy {
    /// Whether the caller may do that.
    pub fn permits(&self, rule: Rule, _target: Target<'_>, caller: &Identity) -> bool {
        match rule.default_check().strip_prefix("role:") {
            Some(needed) => caller.has_role(needed),
            None => true,
        }
    }
}
