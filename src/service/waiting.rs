//! Waiting for messages: an operation that found nothing looks again when something may be there (decision 24).
//!
//! Who waits holds two bells: that of the store in which the queue lies, and one that rings where the queue may lie
//! elsewhere, be gone or be there at last. Between two looks nothing is asked of any store. A look is made when a bell
//! rang, or when the moment came that the last look named.

use std::time::Duration;

use super::Service;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{Epoch, ProjectId, QueueName, QueueRef};
use crate::storage;
use crate::wake::{Bell, Who};

/// The longest that a client may wait, in seconds.
pub const MAX_WAIT: u64 = 60;

/// The least time between two looks for what is said to be due, in microseconds: a store may name a moment too early.
const LEAST_PAUSE: i64 = 5_000;

/// What a look came to.
pub(super) enum Look<T> {
    /// Something is there.
    Found(T),
    /// Nothing is: the answer that says so, and when something will be that is there already.
    Empty(T, Option<Timestamp>),
}

impl<T> Look<T> {
    /// The answer, whatever it is.
    pub(super) fn answer(self) -> T {
        match self {
            Self::Found(answer) | Self::Empty(answer, _) => answer,
        }
    }
}

/// Who waits, for what, and until when.
pub(super) struct Wait<'a> {
    pub(super) project: &'a ProjectId,
    pub(super) name: &'a QueueName,
    pub(super) who: Who,
    /// Zero: one look.
    pub(super) time: Duration,
    /// What a client reads where the store fails.
    pub(super) sentence: &'static str,
}

/// Why a wait between two looks ended.
enum Call {
    /// Something may be there.
    Look,
    /// The queue may lie elsewhere.
    Elsewhere,
    /// The time is over, or the service stops.
    Over,
}

impl Service {
    /// The time that a client wants to wait, in seconds; none is zero. At most [`MAX_WAIT`].
    pub fn waiting_time(asked: Option<i64>) -> Result<Duration> {
        let seconds = u64::try_from(asked.unwrap_or(0)).ok().filter(|seconds| *seconds <= MAX_WAIT);
        let refused =
            || Error::invalid(format!("Wait must be at least 0 and may not be greater than {MAX_WAIT}."));
        seconds.map(Duration::from_secs).ok_or_else(refused)
    }

    /// When to look for what is said to be due then.
    pub(super) fn time_to_look(&self, due: Timestamp) -> Timestamp {
        due.max(Timestamp::from_micros(self.inner.clock.now().micros() + LEAST_PAUSE))
    }

    /// Ends all waits with what they found: nothing. For the end of the service.
    pub fn end_waits(&self) {
        self.inner.waits.cancel();
    }

    /// Completes when all waits end: what lasts longer than a wait, such as a stream of events, ends then too.
    pub async fn waits_ended(&self) {
        self.inner.waits.cancelled().await;
    }

    /// Looks, and while nothing is found looks again whenever something may be there, until the time is over: the
    /// answer of the last look. Dropping this ends the wait.
    pub(super) async fn look_and_wait<T, F>(&self, wait: &Wait<'_>, look: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<Look<T>>>,
    {
        let mut last = look().await?;
        if wait.time.is_zero() {
            return Ok(last.answer());
        }
        let end = self.inner.clock.now().plus_seconds(wait.time.as_secs());
        while let Look::Empty(..) = last {
            // What was there before the bells is seen now, what comes after it rings them.
            let mut changes = self.inner.registry.watch(wait.project, wait.name);
            let mut bell = self.bell(wait).await.map_err(Error::unavailable(wait.sentence))?;
            last = look().await?;
            loop {
                let found = matches!(last, Look::Found(_));
                if let Some(bell) = &mut bell {
                    bell.served(found);
                }
                let Look::Empty(_, due) = last else { break };
                match self.called(&mut changes, bell.as_mut(), due, end).await {
                    Call::Over => return Ok(last.answer()),
                    Call::Elsewhere => break,
                    Call::Look => last = look().await?,
                }
            }
        }
        Ok(last.answer())
    }

    /// The bell of the store that has the queue. A queue that is not there yet will be in the store of the configuration,
    /// unless there are pools.
    async fn bell(&self, wait: &Wait<'_>) -> storage::Result<Option<Bell>> {
        let known = self.known(wait.project, wait.name).await.map_err(storage::Error::unavailable)?;
        let placed = known.filter(|known| !self.lies_nowhere(&known.record));
        if let Some(known) = placed {
            return match self.data(&known).await {
                Ok(store) => store.watch(known.queue(), wait.who).await.map(Some),
                // Its pool is gone; a change of the queue will say where it went.
                Err(storage::Error::Gone) => Ok(None),
                Err(error) => Err(error),
            };
        }
        if self.inner.settings.pooling.is_some() {
            return Ok(None);
        }
        let (project, name) = (wait.project.clone(), wait.name.clone());
        let future = QueueRef { project, name, epoch: Epoch(0) };
        self.inner.stores.data.watch(&future, wait.who).await.map(Some)
    }

    /// Waits until somebody calls.
    async fn called(
        &self,
        changes: &mut Bell,
        mut bell: Option<&mut Bell>,
        mut due: Option<Timestamp>,
        end: Timestamp,
    ) -> Call {
        let clock = &self.inner.clock;
        loop {
            let next = due.map_or(end, |due| self.time_to_look(due).min(end));
            tokio::select! {
                biased;
                () = self.inner.waits.cancelled() => return Call::Over,
                () = changes.rung() => return Call::Elsewhere,
                () = rung(bell.as_deref_mut()) => return Call::Look,
                () = clock.reaches(next) => match (due.take().filter(|_| next < end), bell.as_deref()) {
                    (None, _) => return Call::Over,
                    // Of those who wait for this moment, the first in line is called.
                    (Some(due), Some(bell)) => bell.due(due),
                    (Some(_), None) => return Call::Look,
                },
            }
        }
    }
}

async fn rung(bell: Option<&mut Bell>) {
    match bell {
        Some(bell) => bell.rung().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
