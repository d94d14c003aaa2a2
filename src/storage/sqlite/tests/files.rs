//! Who may have the file, and which files are refused.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;
use crate::storage::sqlite::Problem;
use crate::storage::{Claims as _, Error};

fn refusal(path: &Path) -> Problem {
    SqliteStore::open(path, Options::default()).err().unwrap().problem
}

#[tokio::test]
async fn a_second_server_is_refused_and_told_of_the_first() {
    let bench = Bench::new().await;
    let problem = refusal(&bench.path());
    assert!(matches!(problem, Problem::Locked(Some(holder)) if holder == std::process::id()), "{problem}");
    // The same file by another path.
    std::os::unix::fs::symlink(bench.path(), bench.directory.path().join("link.db")).unwrap();
    assert!(matches!(refusal(&bench.directory.path().join("link.db")), Problem::Locked(_)));
    bench.store.close().await;
    let again = SqliteStore::open(&bench.path(), Options::default()).unwrap();
    again.close().await;
}

#[tokio::test]
async fn a_closed_store_refuses_and_a_reopened_one_has_everything() {
    let bench = Bench::new().await;
    bench.post(vec![message(1, 10), message(2, 10)]).await;
    bench.store.claim(&bench.queue, &claim(1, 1), START).await.unwrap();
    bench.store.close().await;
    bench.store.close().await;
    let refused = bench.store.post(&bench.queue, vec![message(3, 10)], START).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert!(matches!(bench.store.volume().await, Err(Error::Unavailable(_))));
    assert!(!bench.path().with_extension("db-wal").exists(), "the log went into the file");

    let store = SqliteStore::open(&bench.path(), Options::default()).unwrap();
    let stats = store.stats(&bench.queue, START).await.unwrap();
    assert_eq!((stats.free, stats.claimed), (1, 1));
}

#[tokio::test]
async fn files_are_for_their_owner_alone() {
    let directory = TempDir::new().unwrap();
    let below = directory.path().join("state/zaqar");
    let store = SqliteStore::open(&below.join("messages.db"), Options::default()).unwrap();
    store.open(&queue("q", 1), START).await.unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&below), 0o700);
    let mut files = 0;
    for file in below.read_dir().unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
        files += 1;
    }
    assert_eq!(files, 4, "the store, its log, the log's index, the lock");
}

#[tokio::test]
async fn strange_files_are_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("messages.db");
    std::fs::write(&path, "this is not a database, and it is longer than a header would be".repeat(9))
        .unwrap();
    assert!(matches!(refusal(&path), Problem::Damaged(_)));

    std::fs::remove_file(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(other);
    assert!(matches!(refusal(&path), Problem::Foreign));

    std::fs::remove_file(&path).unwrap();
    SqliteStore::open(&path, Options::default()).unwrap().close().await;
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.execute_batch("PRAGMA user_version = 77").unwrap();
    drop(newer);
    let error = SqliteStore::open(&path, Options::default()).err().unwrap();
    assert!(matches!(error.problem, Problem::Version { found: 77, .. }));
    assert!(error.to_string().contains("messages.db"), "{error}");
    assert!(error.problem.to_string().contains("77"), "{}", error.problem);
}

#[tokio::test]
async fn a_second_process_may_sweep() {
    let bench = Bench::new().await;
    bench.post((0..300).map(|n| message(n, 10)).collect()).await;
    bench.store.claim(&bench.queue, &claim(1, 20), START).await.unwrap();
    let other = SqliteStore::open_shared(&bench.path(), Options::default()).unwrap();
    let later = START.plus_seconds(3600);
    bench.store.post(&bench.queue, vec![message(1000, 10)], later).await.unwrap();
    let mut swept = 0;
    loop {
        let step = other.sweep(later, 100).await.unwrap();
        swept += step.messages;
        if !step.more {
            break;
        }
    }
    other.close().await;
    assert_eq!(swept, 300);
    assert_eq!(bench.store.volume().await.unwrap(), (1, 0));
    assert_eq!(bench.numbers(later).await, [1000]);
    invariants::check(&bench.connection(), later);
}

#[tokio::test]
async fn a_copy_of_the_files_of_a_running_store_has_all_that_was_acknowledged() {
    let bench = Bench::new().await;
    bench.post((0..50).map(|n| message(n, 10)).collect()).await;
    bench.store.claim(&bench.queue, &claim(1, 5), START).await.unwrap();
    bench.store.delete(&bench.queue, id(20), None, START).await.unwrap();
    // What a crash leaves: the file and its log, but not the log's index.
    let crashed = TempDir::new().unwrap();
    for name in ["messages.db", "messages.db-wal"] {
        std::fs::copy(bench.directory.path().join(name), crashed.path().join(name)).unwrap();
    }
    let store = SqliteStore::open(&crashed.path().join("messages.db"), Options::default()).unwrap();
    let (_, held) = store.claimed(&bench.queue, claim(1, 5).id, START).await.unwrap().unwrap();
    assert_eq!(held.len(), 5);
    assert_eq!(store.stats(&bench.queue, START).await.unwrap().free, 44);
}

#[tokio::test]
async fn a_dropped_store_gives_the_file_free() {
    let bench = Bench::new().await;
    let path = bench.path();
    bench.post(vec![message(1, 10)]).await;
    let Bench { store, directory: _directory, .. } = bench;
    drop(store);
    // Its threads end by themselves.
    let again = loop {
        match SqliteStore::open(&path, Options::default()) {
            Ok(store) => break store,
            Err(error) => assert!(matches!(error.problem, Problem::Locked(_)), "{error:?}"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(again.volume().await.unwrap(), (1, 0));
}
