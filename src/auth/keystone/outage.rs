//! Tells the operator once that the identity service is away, and once that it is back.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::auth::Unavailable;

/// Whether the identity service was away when it was last asked.
#[derive(Default)]
pub(super) struct Outage {
    away: AtomicBool,
}

impl Outage {
    /// Takes note of how a question ended.
    pub(super) fn note(&self, problem: Option<&Unavailable>) {
        match problem {
            Some(problem) if !self.away.swap(true, Ordering::Relaxed) => tracing::error!(
                error.cause = %problem,
                "the identity service cannot be asked: only tokens that are known already are let in"
            ),
            None if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::Relaxed) => {
                tracing::info!("the identity service answers again");
            }
            _ => {}
        }
    }
}
