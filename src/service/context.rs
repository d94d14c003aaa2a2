//! Who asks: what an operation knows of its caller, and what the policy granted.

use std::sync::Arc;

use super::Service;
use crate::auth::Identity;
use crate::error::{Error, Result};
use crate::model::{ClientId, ProjectId, QueueName};
use crate::policy::{Rule, Target};

/// The caller of an operation.
#[derive(Clone, Debug)]
pub struct Context {
    /// The tenant that the call is for.
    pub project: ProjectId,
    /// The client, by which `echo` tells own messages from others'.
    pub client: ClientId,
    /// Who calls.
    pub identity: Arc<Identity>,
    granted: Granted,
}

/// What the policy was asked and allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Granted {
    Nothing,
    Rule(Rule),
    Everything,
}

impl Context {
    /// A caller who may do nothing yet; see [`Service::authorise`].
    pub fn new(identity: Arc<Identity>, project: ProjectId, client: ClientId) -> Self {
        Self { project, client, identity, granted: Granted::Nothing }
    }

    /// The service itself, or a caller inside the process that answers for what it does: no policy is asked.
    pub fn internal(project: ProjectId, client: ClientId) -> Self {
        Self { granted: Granted::Everything, ..Self::new(Arc::default(), project, client) }
    }

    /// Refuses an operation whose rule was not granted: a front door that forgot to ask does nothing.
    pub(super) fn granted(&self, rule: Rule) -> Result<()> {
        self.granted_one_of(&[rule])
    }

    /// The same for an operation that each of these rules allows.
    pub(super) fn granted_one_of(&self, rules: &[Rule]) -> Result<()> {
        match self.granted {
            Granted::Everything => Ok(()),
            Granted::Rule(granted) if rules.contains(&granted) => Ok(()),
            Granted::Rule(_) | Granted::Nothing => {
                let rules: Vec<_> = rules.iter().map(|rule| rule.name()).collect();
                tracing::error!(policy.rule = rules.join(", "), "an operation was called without its rule");
                Err(Error::Forbidden)
            }
        }
    }
}

impl Service {
    /// Whether a client may be called that.
    pub fn takes_client(&self, id: &str) -> bool {
        let limits = self.limits();
        if self.free_client_ids() {
            (limits.min_length_client_id..=limits.max_length_client_id).contains(&id.chars().count())
        } else {
            ClientId::uuid(id).is_some()
        }
    }

    /// Asks the policy whether the caller may do that to the queue, if any; the operations insist on the rule that
    /// was granted last. Asked before a request's parameters and body are looked at (rest.md 1.2).
    pub fn authorise(&self, context: &mut Context, rule: Rule, queue: Option<&QueueName>) -> Result<()> {
        if !self.may(context, rule, queue) {
            return Err(Error::Forbidden);
        }
        context.granted = Granted::Rule(rule);
        Ok(())
    }

    /// Whether the caller might do that too.
    pub(super) fn may(&self, context: &Context, rule: Rule, queue: Option<&QueueName>) -> bool {
        let target = Target { project: Some(&context.project), queue };
        context.granted == Granted::Everything
            || self.inner.settings.policy.permits(rule, target, &context.identity)
    }
}
