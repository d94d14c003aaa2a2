//! A disk that is locked, slow, full or gone: nothing half done, and recovery without help.

use super::*;
use crate::storage::Error;

#[tokio::test]
async fn a_locked_database_is_unavailable_until_it_is_unlocked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.db");
    let store =
        SqlManagement::open_with(&url(&path), deadlines(LONG, Duration::from_millis(1))).await.unwrap();
    let (seen, _) = store.create_queue(&queue("p", "q", 1), &Metadata::new(), None).await.unwrap();

    let mut other = other_program(&path).await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let changed = metadata(json!({"changed": true}));
    assert!(matches!(
        store.create_queue(&queue("p", "r", 2), &changed, None).await,
        Err(Error::Unavailable(_))
    ));
    assert!(matches!(store.replace_metadata(&seen, &changed, None).await, Err(Error::Unavailable(_))));
    assert!(matches!(store.delete_queue(&project("p"), &name("q")).await, Err(Error::Unavailable(_))));
    assert!(matches!(store.ping().await, Err(Error::Unavailable(_))));
    assert_eq!(store.queue(&project("p"), &name("q")).await.unwrap(), Some(seen));
    assert_eq!(names(&store, "p", &all()).await, ["q"]);

    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert!(store.create_queue(&queue("p", "r", 2), &changed, None).await.unwrap().1);
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_call_ends_at_its_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.db");
    open(&path).await.close().await;
    let deadline = Duration::from_millis(20);
    let store = SqlManagement::open_with(&url(&path), deadlines(deadline, LONG)).await.unwrap();
    let mut other = other_program(&path).await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let created = store.create_queue(&queue("p", "q", 1), &Metadata::new(), None).await;
    assert!(matches!(created, Err(Error::Timeout(after)) if after == deadline), "{created:?}");
    // The statement still waits for the lock on its thread, and what comes behind it waits too.
    assert!(matches!(store.ping().await, Err(Error::Timeout(_))));
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    while store.ping().await.is_err() {}
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("m.db")).await;
    let (seen, _) = store.create_queue(&queue("p", "q", 1), &Metadata::new(), None).await.unwrap();
    let big = metadata(json!({"text": "x".repeat(60_000)}));

    // SQLite reports a file that reached its limit as it does a full disk. The limit is that of a connection, and
    // one that failed is replaced.
    let full = async || {
        sqlx::raw_sql("PRAGMA max_page_count = 1").execute(writer(&store)).await.unwrap();
    };
    for _ in 0..3 {
        full().await;
        assert!(matches!(
            store.create_queue(&queue("p", "r", 2), &big, None).await,
            Err(Error::Unavailable(_))
        ));
        full().await;
        assert!(matches!(store.replace_metadata(&seen, &big, None).await, Err(Error::Unavailable(_))));
    }
    assert_eq!(store.queues(&project("p"), &all()).await.unwrap(), std::slice::from_ref(&seen));

    sqlx::raw_sql("PRAGMA max_page_count = 1000000").execute(writer(&store)).await.unwrap();
    assert!(store.create_queue(&queue("p", "r", 2), &big, None).await.unwrap().1);
    assert!(store.replace_metadata(&seen, &big, None).await.unwrap().is_some());
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_that_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.db");
    let store = open(&path).await;
    let (seen, _) = store.create_queue(&queue("p", "q", 1), &Metadata::new(), None).await.unwrap();
    let away = directory.path().join("away.db");
    std::fs::rename(&path, &away).unwrap();
    assert!(matches!(store.ping().await, Err(Error::Unavailable(_))));
    std::fs::write(&path, "").unwrap();
    assert!(matches!(
        store.create_queue(&queue("p", "r", 2), &Metadata::new(), None).await,
        Err(Error::Unavailable(_))
    ));
    assert!(matches!(store.delete_queue(&project("p"), &name("q")).await, Err(Error::Unavailable(_))));

    std::fs::rename(&away, &path).unwrap();
    store.ping().await.unwrap();
    assert_eq!(store.queues(&project("p"), &all()).await.unwrap(), [seen]);
}

#[tokio::test]
async fn scans_that_nobody_waits_for_end() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("m.db")).await;
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n";
    for _ in 0..5 {
        let scan = async { store.database.scan().await.unwrap().fetch(endless, &[]).await };
        assert!(tokio::time::timeout(Duration::from_millis(10), scan).await.is_err());
    }
    assert_eq!(store.count_queues(&project("p")).await.unwrap(), 0);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_trace() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("m.db")).await;
    for n in 0..200 {
        let target = queue("p", &format!("q{n}"), n);
        let empty = Metadata::new();
        let create = store.create_queue(&target, &empty, None);
        // However far it came: the queue is there wholly or not at all, and the store works on.
        let _ = tokio::time::timeout(Duration::from_micros(10 * n.unsigned_abs()), create).await;
        let (record, _) = store.create_queue(&target, &empty, None).await.unwrap();
        assert_eq!((record.queue.name, record.revision), (target.name, 1));
        assert!(record.queue.epoch >= target.epoch);
    }
    assert_eq!(store.count_queues(&project("p")).await.unwrap(), 200);
}
