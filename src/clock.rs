//! Time, read in one place and passed to everything else.
//!
//! A [`Clock`] is made by the composition root; tests make a [`Clock::manual`] one and move it by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

/// Microseconds in a second.
const MICROS: i64 = 1_000_000;

/// After so long the system's time is looked at again: somebody may have set it.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// A point in time: microseconds since the Unix epoch, UTC.
///
/// Arithmetic saturates, so that the longest accepted TTL (220,367,260,800 s) cannot overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Later than any time a message or claim can have.
    pub const MAX: Self = Self(i64::MAX);

    /// The point `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS)
    }

    /// This point and `seconds` more.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        let micros = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(MICROS);
        Self(self.0.saturating_add(micros))
    }

    /// This point and `seconds` less.
    #[must_use]
    pub fn minus_seconds(self, seconds: u64) -> Self {
        let micros = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(MICROS);
        Self(self.0.saturating_sub(micros))
    }

    /// Whole seconds from `earlier` to this point; 0 when `earlier` is later.
    pub fn seconds_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0) / MICROS).unwrap_or(0)
    }

    /// The time from this point until `later`; zero when it has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

/// Where the time comes from: the system, or a test's hand.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    manual: Option<Arc<Manual>>,
}

/// A time in somebody's hand.
#[derive(Debug)]
struct Manual {
    micros: AtomicI64,
    moved: Notify,
}

impl Clock {
    /// The system's clock. Several nodes of one service need theirs in step (NTP).
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        let (micros, moved) = (AtomicI64::new(start.micros()), Notify::new());
        Self { manual: Some(Arc::new(Manual { micros, moved })) }
    }

    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "the one reader of the time")]
    pub fn now(&self) -> Timestamp {
        if let Some(manual) = &self.manual {
            return Timestamp(manual.micros.load(Ordering::SeqCst));
        }
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// Moves a manual clock forward; the system's clock ignores it.
    pub fn advance(&self, by: Duration) {
        if let Some(manual) = &self.manual {
            manual.micros.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
            manual.moved.notify_waiters();
        }
    }

    /// Waits until that time has come.
    pub async fn reaches(&self, time: Timestamp) {
        loop {
            let moved = self.manual.as_ref().map(|manual| manual.moved.notified());
            let left = self.now().until(time);
            match moved {
                _ if left.is_zero() => return,
                Some(moved) => moved.await,
                None => sleep(left.min(LONGEST_SLEEP)).await,
            }
        }
    }
}
