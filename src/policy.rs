//! What callers may do: the rules of the service and the policy that answers them.
//!
//! ```text
//! source (which files) → file (YAML: names and checks) → parse (the language) → check (a tree for each rule)
//!        → rules (files over defaults, references found, mistakes noted) → Policy (asked at every request)
//! ```
//!
//! The language is that of oslo.policy. A check looks at the credentials of the caller and at the [`Target`].

mod check;
mod facts;
mod file;
mod literal;
mod parse;
mod rule;
mod rules;
mod sample;
mod source;
mod template;
#[cfg(test)]
mod tests;
mod value;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

pub use self::facts::{Credentials, Fact, Facts};
pub use self::parse::Written;
pub use self::rule::{BLOCKS, Block, Defaults, Rule, Scope};
pub use self::rules::{Finding, Place, Rules};
pub use self::sample::sample;
pub use self::source::{Contents, PolicyError, Source};
pub use self::value::Value;
use crate::auth::Identity;
use crate::model::{ProjectId, QueueName};
use crate::telemetry::{self, Audited};

/// What a caller wants to do it to. Checks know it as `%(project_id)s` and `%(queue_name)s`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// The project that it belongs to.
    pub project: Option<&'a ProjectId>,
    /// The queue, where there is one.
    pub queue: Option<&'a QueueName>,
}

/// The policy in force. Cheap to clone; clones stay the same policy, also when its files are read anew.
#[derive(Clone, Debug)]
pub struct Policy {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    rules: ArcSwap<Rules>,
    /// Where the rules came from, and the state of the files then; none for the defaults alone.
    source: Option<(Source, source::Look)>,
}

impl Policy {
    /// The policy of these sources. What an operator should know is in the log.
    pub fn load(source: Source) -> Result<Self, PolicyError> {
        // Looked at before they are read: a change between the two is then found later.
        let look = source.look();
        let rules = read(&source)?;
        Ok(Self {
            inner: Arc::new(Inner { rules: ArcSwap::from_pointee(rules), source: Some((source, look)) }),
        })
    }

    /// Whether the caller may do that.
    pub fn permits(&self, rule: Rule, target: Target<'_>, caller: &Identity) -> bool {
        self.inner.rules.load().permits(rule, &Credentials(caller), &target)
    }

    /// Reads the files again, without keeping any request waiting. If they cannot be used the old rules stay; either
    /// is in the log, and what changed in the audit log. Blocks for as long as reading takes.
    pub fn reload(&self) {
        let Some(source) = self.source() else { return };
        match read(source) {
            Ok(rules) => {
                let old = self.inner.rules.swap(Arc::new(rules));
                self.record(&old);
            }
            Err(error) => {
                tracing::error!(error.cause = %error, "the policy files cannot be used; the old rules stay");
            }
        }
    }

    fn source(&self) -> Option<&Source> {
        self.inner.source.as_ref().map(|(source, _)| source)
    }

    fn look_at_start(&self) -> source::Look {
        self.inner.source.as_ref().map(|(_, look)| look.clone()).unwrap_or_default()
    }

    /// Writes down which rules differ from the old ones.
    fn record(&self, old: &Rules) {
        let now = self.inner.rules.load();
        let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) = (old.all().collect(), now.all().collect());
        let differing = |these: &BTreeMap<&str, String>, those: &BTreeMap<&str, String>| {
            let lines = these.iter().filter(|(name, check)| those.get(*name) != Some(check));
            lines.map(|(name, check)| format!("{name:?}: {check:?}")).collect::<Vec<_>>().join(", ")
        };
        let (before, after) = (differing(&old, &new), differing(&new, &old));
        tracing::info!("the policy files were read again");
        if before != after {
            telemetry::audit(&Audited {
                action: "policy.reload",
                subject: "policy",
                before,
                after,
                ..Audited::default()
            });
        }
    }
}

impl Default for Policy {
    /// The defaults of the reference, and no file.
    fn default() -> Self {
        let rules =
            Rules::new(&[], Defaults::Reference, "").expect("the defaults are legal, as a test shows");
        Self { inner: Arc::new(Inner { rules: ArcSwap::from_pointee(rules), source: None }) }
    }
}

/// Reads the rules, and logs what is to be known of them.
fn read(source: &Source) -> Result<Rules, PolicyError> {
    let contents = source.read()?;
    let rules = source.rules(&contents)?;
    for note in &contents.notes {
        tracing::warn!("{note}");
    }
    for finding in rules.findings() {
        if finding.mistake {
            tracing::warn!("{finding}");
        } else {
            tracing::info!("{finding}");
        }
    }
    Ok(rules)
}
