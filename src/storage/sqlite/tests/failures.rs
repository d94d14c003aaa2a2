//! Failing, stuck and abandoned calls.

use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use super::*;
use crate::storage::Error;

/// A call that fails for a reason of its own, after it has written.
async fn spoil(store: &SqliteStore) -> crate::storage::Result<()> {
    let work = |batch: &mut super::super::Batch<'_, '_>| {
        batch.db.execute("INSERT INTO queues (epoch) VALUES (1)", [])?;
        batch.db.execute("INSERT INTO queues (key) VALUES (1)", [])?;
        Ok(())
    };
    store.writer.call(Kind::Caller(0), work).await
}

async fn panicking(store: &SqliteStore) -> crate::storage::Result<()> {
    store.writer.call(Kind::Caller(0), |_| panic!("a defect")).await
}

#[tokio::test]
async fn a_call_that_fails_spoils_no_other_of_its_batch() {
    LocalSet::new()
        .run_until(async {
            let bench = Bench::new().await;
            let release = bench.hold().await;
            let (store, queue) = (&bench.store, &bench.queue);
            // All wait for the writer, and so come into one batch.
            let together = async {
                tokio::join!(
                    store.post(queue, vec![message(1, 10)], START),
                    spoil(store),
                    store.post(queue, vec![message(2, 10)], START),
                    panicking(store),
                    store.post(queue, vec![message(3, 10)], START),
                    async {
                        tokio::task::yield_now().await;
                        drop(release);
                    },
                )
            };
            let (first, spoilt, second, panicked, third, ()) = together.await;
            assert!(spoilt.is_err());
            assert!(panicked.is_err());
            for result in [first, second, third] {
                result.unwrap();
            }
            assert_eq!(bench.numbers(START).await, [1, 2, 3]);
            let rows: i64 =
                bench.connection().query_row("SELECT count(*) FROM queues", [], |row| row.get(0)).unwrap();
            assert_eq!(rows, 1, "nothing of the failed call is left");
        })
        .await;
}

#[tokio::test]
async fn calls_on_a_queue_that_is_gone_disturb_nobody() {
    LocalSet::new()
        .run_until(async {
            let bench = Bench::new().await;
            let release = bench.hold().await;
            let (store, stale) = (&bench.store, queue("q", 0));
            let (gone, posted, ()) = tokio::join!(
                store.post(&stale, vec![message(1, 10)], START),
                store.post(&bench.queue, vec![message(2, 10)], START),
                async {
                    tokio::task::yield_now().await;
                    drop(release);
                },
            );
            assert!(matches!(gone, Err(Error::Gone)));
            posted.unwrap();
            assert_eq!(bench.numbers(START).await, [2]);
        })
        .await;
}

#[tokio::test]
async fn a_full_disk_refuses_writes_loses_nothing_and_recovers() {
    let bench = Bench::new().await;
    bench.post(vec![message(1, 10)]).await;
    let limit = |pages: i64| {
        let work = move |batch: &mut super::super::Batch<'_, '_>| {
            Ok(batch.db.connection.pragma_update(None, "max_page_count", pages)?)
        };
        bench.store.writer.call(Kind::Caller(0), work)
    };
    limit(1).await.unwrap();
    for n in 2..5 {
        let refused = bench.store.post(&bench.queue, vec![message(n, 100_000)], START).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    }
    assert_eq!(bench.numbers(START).await, [1]);
    limit(1_000_000).await.unwrap();
    bench.post(vec![message(2, 100_000)]).await;
    assert_eq!(bench.numbers(START).await, [1, 2]);
    invariants::check(&bench.connection(), START);
}

#[tokio::test]
async fn a_stuck_writer_times_out_and_the_write_is_done_later() {
    LocalSet::new()
        .run_until(async {
            let deadline = Duration::from_millis(30);
            let bench = Bench::with(Options { deadline, ..Options::default() }).await;
            let release = bench.hold().await;
            let late = bench.store.post(&bench.queue, vec![message(1, 10)], START).await;
            assert!(matches!(late, Err(Error::Timeout(waited)) if waited == deadline), "{late:?}");
            assert_eq!(bench.numbers(START).await, [0; 0], "readers go on");
            drop(release);
            // Behind it in the queue; a busy machine may take longer than the deadline.
            let start = Instant::now();
            while bench.store.ping().await.is_err() {
                assert!(start.elapsed() < Duration::from_secs(20), "the writer is free");
            }
            assert_eq!(bench.numbers(START).await, [1]);
        })
        .await;
}

#[tokio::test]
async fn a_caller_that_goes_away_undoes_nothing() {
    LocalSet::new()
        .run_until(async {
            let bench = Bench::new().await;
            let release = bench.hold().await;
            let mut posting = Box::pin(bench.store.post(&bench.queue, vec![message(1, 10)], START));
            tokio::select! {
                biased;
                _ = &mut posting => panic!("the writer is held"),
                () = tokio::task::yield_now() => {}
            }
            drop(posting);
            drop(release);
            bench.store.ping().await.unwrap();
            assert_eq!(bench.numbers(START).await, [1]);
        })
        .await;
}

#[tokio::test]
async fn another_process_in_the_way_is_waited_for() {
    let bench = Bench::new().await;
    let other = bench.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (posted, ()) = tokio::join!(bench.store.post(&bench.queue, vec![message(1, 10)], START), async {
        tokio::task::yield_now().await;
        other.execute_batch("ROLLBACK").unwrap();
    });
    posted.unwrap();
    assert_eq!(bench.numbers(START).await, [1]);
}
