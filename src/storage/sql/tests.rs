//! What is particular to SQL; what every management store keeps is in the contract suite.

mod faults;
mod filters;
mod upgrade;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use super::database::Database;
use super::{Deadlines, SqlManagement};
use crate::model::{Epoch, Metadata, ProjectId, QueueName, QueueRef};
use crate::storage::{Management, QueueFilter};

/// Longer than any of these tests may take.
const LONG: Duration = Duration::from_mins(1);

fn url(path: &Path) -> String {
    format!("sqlite:///{}", path.display())
}

async fn open(path: &Path) -> SqlManagement {
    SqlManagement::open(&url(path)).await.unwrap()
}

fn deadlines(call: Duration, busy: Duration) -> Deadlines {
    Deadlines { call, scan: call, busy }
}

/// The connection that writes.
fn writer(store: &SqlManagement) -> &sqlx::SqlitePool {
    let Database::Sqlite(connections) = &store.database else { panic!("it is on a server") };
    &connections.writer
}

/// A connection as another program has it, which waits for nothing.
async fn other_program(path: &Path) -> SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    SqliteConnection::connect_with(&options.busy_timeout(Duration::ZERO)).await.unwrap()
}

fn project(id: &str) -> ProjectId {
    ProjectId::new(id)
}

fn name(name: &str) -> QueueName {
    QueueName::parse(name).unwrap()
}

fn queue(project_id: &str, queue_name: &str, epoch: i64) -> QueueRef {
    QueueRef { project: project(project_id), name: name(queue_name), epoch: Epoch(epoch) }
}

fn metadata(value: Value) -> Metadata {
    serde_json::from_value(value).unwrap()
}

fn all() -> QueueFilter {
    QueueFilter { limit: 1_000, ..QueueFilter::default() }
}

async fn names(store: &SqlManagement, project_id: &str, filter: &QueueFilter) -> Vec<String> {
    let records = store.queues(&project(project_id), filter).await.unwrap();
    records.into_iter().map(|record| record.queue.name.to_string()).collect()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.db");
    let store = open(&path).await;
    let kept = json!({"z": 1.5, "a": {"é": [null, true, "\u{0}"]}, "": -7});
    store.create_queue(&queue("p", "gone", 4), &Metadata::new(), None).await.unwrap();
    let (record, _) =
        store.create_queue(&queue("p", "kept", 5), &metadata(kept.clone()), None).await.unwrap();
    store.delete_queue(&project("p"), &name("gone")).await.unwrap();

    // What lies on the disk now is what a process killed now would leave.
    let copy = directory.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(directory.path().join("m.db-wal"), directory.path().join("copy.db-wal")).unwrap();
    let again = open(&copy).await;
    assert_eq!(again.queue(&project("p"), &name("kept")).await.unwrap(), Some(record));
    assert_eq!(names(&again, "p", &all()).await, ["kept"]);
    let order: Vec<_> =
        again.queue(&project("p"), &name("kept")).await.unwrap().unwrap().metadata.into_iter().collect();
    assert_eq!(json!(order), json!([["z", 1.5], ["a", kept["a"]], ["", -7]]));
}

#[tokio::test]
async fn files_are_for_their_user_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("m.db")).await;
    store.ping().await.unwrap();
    let files: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    store.close().await;
    assert!(store.ping().await.is_err());
}

#[tokio::test]
async fn of_a_hundred_creations_at_once_one_is_new() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.db");
    // Two stores, as of two processes.
    let stores = [open(&path).await, open(&path).await].map(std::sync::Arc::new);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..100 {
        let store = stores[usize::from(n % 2 == 1)].clone();
        tasks.spawn(async move {
            store.create_queue(&queue("p", "q", n), &metadata(json!({"n": n})), None).await.unwrap()
        });
    }
    let created = tasks.join_all().await;
    let new: Vec<_> = created.iter().filter(|(_, new)| *new).collect();
    assert_eq!(new.len(), 1);
    assert!(created.iter().all(|(record, _)| *record == new[0].0), "{created:?}");
}

#[tokio::test]
async fn of_many_changes_at_once_one_wins_each_revision() {
    let store = std::sync::Arc::new(SqlManagement::open("sqlite://").await.unwrap());
    let (seen, _) = store.create_queue(&queue("p", "q", 1), &Metadata::new(), None).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (store, seen) = (store.clone(), seen.clone());
        tasks.spawn(
            async move { store.replace_metadata(&seen, &metadata(json!({"n": n})), None).await.unwrap() },
        );
    }
    let won: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    assert_eq!(store.queue(&project("p"), &name("q")).await.unwrap(), Some(won[0].clone()));
    assert!(won[0].revision > seen.revision);
}

#[tokio::test]
async fn a_queue_made_anew_is_not_the_one_that_was_seen() {
    let store = SqlManagement::open("sqlite:///:memory:").await.unwrap();
    let (seen, _) = store.create_queue(&queue("p", "q", 1), &Metadata::new(), None).await.unwrap();
    assert_eq!(store.delete_queue(&project("p"), &name("q")).await.unwrap().as_ref(), Some(&seen));
    assert_eq!(store.delete_queue(&project("p"), &name("q")).await.unwrap(), None);
    let (anew, new) = store.create_queue(&queue("p", "q", 2), &Metadata::new(), None).await.unwrap();
    assert!(new);
    assert_eq!(store.replace_metadata(&seen, &metadata(json!({"late": true})), None).await.unwrap(), None);
    assert_eq!(store.queue(&project("p"), &name("q")).await.unwrap(), Some(anew));
}

#[tokio::test]
async fn projects_and_names_compare_byte_for_byte() {
    let store = SqlManagement::open("sqlite://").await.unwrap();
    let long = "é".repeat(256);
    let projects = ["", "p", "P", "p ", "é", "e\u{301}", "p\0", "p%", "1", "01", long.as_str()];
    for (n, id) in (1..).zip(projects) {
        for queue_name in ["b", "B", "a", "10", "9", "_", "-", "."] {
            let (_, new) =
                store.create_queue(&queue(id, queue_name, n), &Metadata::new(), None).await.unwrap();
            assert!(new, "{id:?} {queue_name}");
        }
    }
    for (n, id) in (1..).zip(projects) {
        assert_eq!(names(&store, id, &all()).await, ["-", ".", "10", "9", "B", "_", "a", "b"], "{id:?}");
        let found = store.queue(&project(id), &name("B")).await.unwrap().unwrap();
        assert!(found.queue.epoch.0 >= n, "{:?}", found.queue);
        assert_eq!(found.queue, queue(id, "B", found.queue.epoch.0));
        assert_eq!(store.count_queues(&project(id)).await.unwrap(), 8);
    }
    assert_eq!(store.count_all_queues().await.unwrap(), 8 * projects.len() as u64);
}
