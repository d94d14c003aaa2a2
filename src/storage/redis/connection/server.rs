//! One server and the connections to it, made again when they break.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout_at};

use super::error::Cause;
use super::link::{Answer, Failure, Link, Request};
use super::profile::{Place, Profile, ask};
use super::resp::Reply;
use super::trouble::Trouble;

/// The pause after the second failed attempt to connect; doubled with each one after it. After the first there
/// is none: a server that has just started again is found at once.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// A server that was not reached, or that surely did not carry the command out.
#[derive(Clone, Debug)]
pub(super) struct Unreached {
    pub(super) cause: Cause,
    /// The next attempt is made no earlier.
    pub(super) retry: Instant,
    /// How long the outage lasts.
    pub(super) age: Duration,
}

impl Unreached {
    /// Worth another attempt after that time.
    pub(super) fn after(pause: Duration, cause: Cause) -> Self {
        Self { cause, retry: Instant::now() + pause, age: Duration::ZERO }
    }

    /// Worth another attempt.
    pub(super) fn now(cause: Cause) -> Self {
        Self::after(Duration::ZERO, cause)
    }

    /// No attempt could be made before the deadline.
    pub(super) fn late(deadline: Instant) -> Self {
        let cause = Cause::new("no connection could be made in time");
        Self { cause, retry: deadline, age: Duration::ZERO }
    }
}

/// One server.
pub(super) struct Server {
    pub(super) place: Place,
    pub(super) trouble: Arc<Trouble>,
    profile: Arc<Profile>,
    links: Vec<ArcSwapOption<Link>>,
    next: AtomicUsize,
    /// One attempt to connect at a time.
    attempts: Mutex<Attempts>,
}

/// The failed attempts to connect since the last good one.
#[derive(Default)]
struct Attempts {
    failed: u32,
    last: Option<Unreached>,
}

impl Server {
    pub(super) fn new(place: Place, profile: Arc<Profile>, trouble: Arc<Trouble>) -> Arc<Self> {
        let links = (0..profile.links).map(|_| ArcSwapOption::empty()).collect();
        let (next, attempts) = Default::default();
        Arc::new(Self { place, trouble, profile, links, next, attempts })
    }

    /// Sends a request on one of the connections, made for it if need be.
    pub(super) async fn exchange(
        &self,
        request: Request<'_>,
        deadline: Instant,
    ) -> Result<Result<Answer, Failure>, Unreached> {
        let link = self
            .link(deadline)
            .await
            .map_err(|unreached| Unreached { retry: unreached.retry, ..self.failed(unreached.cause) })?;
        let answer = link.exchange(request, deadline).await;
        match &answer {
            Err(Failure::NotSent(cause)) => return Err(self.failed(cause.clone())),
            Err(Failure::Lost(cause)) => self.trouble.began(&self.place, cause),
            // A server that answers others is slow, which is no outage.
            Err(Failure::Late) if link.is_alive() => {}
            Err(Failure::Late) => self.trouble.began(&self.place, &"the server does not answer"),
            Ok(_) => {}
        }
        Ok(answer)
    }

    /// Notes that the server does not serve.
    pub(super) fn failed(&self, cause: Cause) -> Unreached {
        self.trouble.began(&self.place, &cause);
        Unreached { age: self.trouble.age(), ..Unreached::now(cause) }
    }

    /// A question that changes nothing.
    pub(super) async fn ask(&self, command: &redis::Cmd, deadline: Instant) -> Result<Reply, Cause> {
        let link = self.link(deadline).await.map_err(|unreached| unreached.cause)?;
        ask(&link, command, deadline).await
    }

    /// A connection of its own, for what the server says unasked.
    pub(super) async fn connect(&self, deadline: Instant) -> Result<Link, Cause> {
        self.profile.connect(&self.place, deadline).await
    }

    /// A living connection, taken in turn.
    pub(super) async fn link(&self, deadline: Instant) -> Result<Arc<Link>, Unreached> {
        let slot = &self.links[self.next.fetch_add(1, Ordering::Relaxed) % self.links.len()];
        if let Some(link) = living(slot) {
            return Ok(link);
        }
        let mut attempts = self.turn(deadline).await?;
        // Whoever had the turn before may have made it.
        if let Some(link) = living(slot) {
            return Ok(link);
        }
        if let Some(last) = attempts.last.clone().filter(|last| Instant::now() < last.retry) {
            return Err(last);
        }
        match self.profile.connect(&self.place, deadline).await {
            Ok(link) => {
                *attempts = Attempts::default();
                let link = Arc::new(link);
                slot.store(Some(Arc::clone(&link)));
                Ok(link)
            }
            Err(cause) => Err(attempts.fail(cause, self.profile.longest_pause)),
        }
    }

    /// The turn to connect. In a long outage nobody queues behind an attempt that may take its time.
    async fn turn(&self, deadline: Instant) -> Result<MutexGuard<'_, Attempts>, Unreached> {
        if self.trouble.age() > self.profile.timeout {
            let cause = || Cause::new("the server has been away for long");
            return self.attempts.try_lock().map_err(|_| Unreached::now(cause()));
        }
        timeout_at(deadline, self.attempts.lock()).await.map_err(|_| Unreached::late(deadline))
    }

    /// The server is not used any more: whoever waits for it is told.
    pub(super) fn retire(&self) {
        for link in &self.links {
            if let Some(link) = link.swap(None) {
                link.end("the server is not the master any more");
            }
        }
    }

    /// Makes sure of connections that are open: one whose other end has vanished is found out before it is needed.
    pub(super) async fn check(&self) {
        let deadline = Instant::now() + self.profile.timeout;
        for link in self.links.iter().filter_map(living) {
            link.check(deadline).await;
        }
    }
}

impl Attempts {
    fn fail(&mut self, cause: Cause, longest: Duration) -> Unreached {
        let pause = match self.failed {
            0 => Duration::ZERO,
            failed => (FIRST_PAUSE * 2_u32.saturating_pow(failed.min(16) - 1)).min(longest),
        };
        self.failed = self.failed.saturating_add(1);
        let failure = Unreached::after(pause, cause);
        self.last = Some(failure.clone());
        failure
    }
}

fn living(slot: &ArcSwapOption<Link>) -> Option<Arc<Link>> {
    slot.load_full().filter(|link| link.is_alive())
}
