//! How far a listener's shutdown has come, for all its connections to see.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The phase, and a way to wait for the next one.
///
/// Connections poll their wait once, to be woken, and then only read the phase: one atomic, no lock.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    phase: AtomicU8,
    draining: Notify,
    closing: Notify,
}

/// The phases, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Connections are served.
    Running,
    /// Running requests are finished, nothing new begins.
    Draining,
    /// Everything is cut.
    Closing,
}

impl Stage {
    /// The phase now.
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Running,
            1 => Phase::Draining,
            _ => Phase::Closing,
        }
    }

    /// Begins `phase` and wakes those who wait for it.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
        match phase {
            Phase::Running => {}
            Phase::Draining => self.draining.notify_waiters(),
            Phase::Closing => self.closing.notify_waiters(),
        }
    }

    /// Wakes when the phase after `phase` begins. To miss nothing, make it first and then read the phase.
    pub(crate) fn after(&self, phase: Phase) -> Notified<'_> {
        if phase == Phase::Running { self.draining.notified() } else { self.closing.notified() }
    }

    /// Completes when the shutdown has begun.
    pub(crate) async fn draining(&self) {
        let begun = self.after(Phase::Running);
        if self.phase() == Phase::Running {
            begun.await;
        }
    }
}
