//! Calls made again where that is harmless, within one deadline.

use std::future::Future;
use std::time::Duration;

use super::error::{is_conflict, is_lost};
use crate::storage::{Error, Result};

/// The most attempts at one call.
const ATTEMPTS: u32 = 6;

/// The longest pause before the second attempt, in milliseconds; it doubles with each one after it.
const FIRST_PAUSE: u64 = 10;

/// Makes the call, and again if the database rolled all of it back for the sake of another one, or if the
/// connection proved to be dead before the call could change anything: a few times, after small random pauses.
/// The answer is [`Error::Timeout`] once `deadline` has passed.
pub(super) async fn persist<T, F>(deadline: Duration, call: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let attempts = async {
        for attempt in 1..ATTEMPTS {
            match call().await {
                Err(error) if is_conflict(&error) => pause(attempt).await,
                Err(error) if is_lost(&error) => {}
                done => return done,
            }
        }
        call().await
    };
    tokio::time::timeout(deadline, attempts).await.unwrap_or(Err(Error::Timeout(deadline)))
}

/// Waits at random between nothing and the longest pause before that attempt's successor.
async fn pause(attempt: u32) {
    let longest = FIRST_PAUSE << (attempt - 1);
    let random = uuid::Uuid::new_v4().as_u64_pair().1;
    tokio::time::sleep(Duration::from_millis(1 + random % longest)).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn only_harmless_failures_are_tried_again() {
        for (error, expected) in [
            (|| sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()), ATTEMPTS),
            (|| sqlx::Error::PoolTimedOut, 1),
        ] as [(fn() -> sqlx::Error, u32); 2]
        {
            let calls = AtomicU32::new(0);
            let failed: Result<()> = persist(Duration::from_secs(2), || {
                calls.fetch_add(1, Ordering::Relaxed);
                async move { Err(error().into()) }
            })
            .await;
            assert!(failed.is_err());
            assert_eq!(calls.into_inner(), expected);
        }
    }

    #[tokio::test]
    async fn the_deadline_holds_for_all_attempts_together() {
        let never = || std::future::pending::<Result<()>>();
        let deadline = Duration::from_millis(20);
        assert!(matches!(persist(deadline, never).await, Err(Error::Timeout(after)) if after == deadline));
    }
}
