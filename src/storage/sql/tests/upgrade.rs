//! Databases that the Python service made and goes on using.

use super::*;
use crate::storage::sql::OpenError;

/// The tables at revision 007, as the Python service's own definitions make them on SQLite.
const REFERENCE: &str = r#"
CREATE TABLE "Queues" (id INTEGER NOT NULL, project VARCHAR(64), name VARCHAR(64), metadata BLOB,
    PRIMARY KEY (id), UNIQUE (project, name));
CREATE TABLE "Pools" (name VARCHAR(64) NOT NULL, uri VARCHAR(255) NOT NULL, weight INTEGER NOT NULL,
    options TEXT, flavor VARCHAR(64), PRIMARY KEY (name), UNIQUE (uri));
CREATE TABLE "Flavors" (name VARCHAR(64) NOT NULL, project VARCHAR(64), capabilities TEXT, PRIMARY KEY (name));
CREATE TABLE "Catalogue" (pool VARCHAR(64), project VARCHAR(64), queue VARCHAR(64) NOT NULL,
    UNIQUE (project, queue), FOREIGN KEY(pool) REFERENCES "Pools" (name) ON DELETE CASCADE);
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));
INSERT INTO alembic_version VALUES ('007');
INSERT INTO "Pools" VALUES ('pool', 'redis://localhost', 100, '{}', NULL);
INSERT INTO "Catalogue" VALUES ('pool', 'p', 'plain');
"#;

/// What the Python service does when a queue is created.
const PYTHON_INSERT: &str = r#"INSERT INTO "Queues" (project, name, metadata) VALUES (?, ?, ?)"#;

async fn insert(connection: &mut SqliteConnection, project_id: &str, queue_name: &str, json: &str) {
    let query = sqlx::query(PYTHON_INSERT).bind(project_id).bind(queue_name).bind(json.as_bytes());
    query.execute(connection).await.unwrap();
}

/// A file of the Python service with three queues, and a connection of that service to it.
async fn reference(path: &Path) -> SqliteConnection {
    let mut python = other_program(path).await;
    sqlx::raw_sql(REFERENCE).execute(&mut python).await.unwrap();
    insert(&mut python, "p", "plain", "{}").await;
    insert(&mut python, "p", "rich", r#"{"z": "\u00e9", "_max_claim_count": 3, "a": [1, 2.50]}"#).await;
    insert(&mut python, "", "nobodys", r#"{"k": "v"}"#).await;
    python
}

async fn epoch(store: &SqlManagement, queue_name: &str) -> Epoch {
    store.queue(&project("p"), &name(queue_name)).await.unwrap().unwrap().queue.epoch
}

#[tokio::test]
async fn a_file_of_the_python_service_keeps_every_row() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.db");
    reference(&path).await.close().await.unwrap();
    let store = open(&path).await;
    assert_eq!(names(&store, "p", &all()).await, ["plain", "rich"]);
    assert_eq!(names(&store, "", &all()).await, ["nobodys"]);
    let rich = store.queue(&project("p"), &name("rich")).await.unwrap().unwrap();
    let order: Vec<_> = rich.metadata.clone().into_iter().collect();
    assert_eq!(json!(order), json!([["z", "é"], ["_max_claim_count", 3], ["a", [1, 2.5]]]));
    let filter = QueueFilter { metadata: vec![("z".into(), json!("é"))], ..all() };
    assert_eq!(names(&store, "p", &filter).await, ["rich"]);

    let mut python = other_program(&path).await;
    let pools: i64 =
        sqlx::query_scalar(r#"SELECT COUNT(*) FROM "Pools" JOIN "Catalogue" ON pool = "Pools".name"#)
            .fetch_one(&mut python)
            .await
            .unwrap();
    assert_eq!(pools, 1);
}

#[tokio::test]
async fn rows_of_the_python_service_get_an_epoch_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.db");
    let mut python = reference(&path).await;
    let store = open(&path).await;
    let first = epoch(&store, "plain").await;
    assert!(first.0 > 0);
    store.close().await;
    let store = open(&path).await;
    assert_eq!(epoch(&store, "plain").await, first);

    // Found, listed, created again or deleted: however it is met first.
    insert(&mut python, "p", "listed", "{}").await;
    let page = store.queues(&project("p"), &all()).await.unwrap();
    let listed = page.iter().find(|record| record.queue.name == name("listed")).unwrap();
    assert!(listed.queue.epoch > first);
    assert_eq!(epoch(&store, "listed").await, listed.queue.epoch);
    insert(&mut python, "p", "created", "{}").await;
    let (created, new) = store.create_queue(&queue("p", "created", 1), &Metadata::new(), None).await.unwrap();
    assert!(!new && created.queue.epoch > first);
    insert(&mut python, "p", "deleted", r#"{"last": 1}"#).await;
    let deleted = store.delete_queue(&project("p"), &name("deleted")).await.unwrap().unwrap();
    assert!(deleted.queue.epoch > first);
    assert_eq!(deleted.metadata, metadata(json!({"last": 1})));
    assert_eq!(epoch(&store, "plain").await, first);
}

#[tokio::test]
async fn a_change_by_the_python_service_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.db");
    let mut python = reference(&path).await;
    let store = open(&path).await;
    let seen = store.queue(&project("p"), &name("plain")).await.unwrap().unwrap();
    sqlx::query(r#"UPDATE "Queues" SET metadata = ? WHERE project = 'p' AND name = 'plain'"#)
        .bind(&br#"{"theirs": 1}"#[..])
        .execute(&mut python)
        .await
        .unwrap();
    assert_eq!(store.replace_metadata(&seen, &metadata(json!({"ours": 1})), None).await.unwrap(), None);
    let now = store.queue(&project("p"), &name("plain")).await.unwrap().unwrap();
    assert_eq!(now.metadata, metadata(json!({"theirs": 1})));
    assert_eq!(now.revision, seen.revision + 1);
    let ours = store.replace_metadata(&now, &metadata(json!({"ours": 1})), None).await.unwrap().unwrap();
    assert_eq!(store.queue(&project("p"), &name("plain")).await.unwrap(), Some(ours));
}

#[tokio::test]
async fn the_python_service_reads_what_was_written_here() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.db");
    let store = open(&path).await;
    store.create_queue(&queue("p", "q", 1), &metadata(json!({"b": 1, "a": "é"})), None).await.unwrap();
    let mut python = other_program(&path).await;
    let query = sqlx::query_as(
        r#"SELECT "Queues".metadata, typeof(metadata), version_num FROM "Queues", alembic_version"#,
    );
    let row: (Vec<u8>, String, String) = query.fetch_one(&mut python).await.unwrap();
    assert_eq!(row, (r#"{"b":1,"a":"é"}"#.into(), "blob".into(), "007".into()));
}

#[tokio::test]
async fn two_processes_upgrade_one_file_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.db");
    reference(&path).await.close().await.unwrap();
    let opened = tokio::join!(open(&path), open(&path), open(&path));
    for store in [opened.0, opened.1, opened.2] {
        assert_eq!(names(&store, "p", &all()).await, ["plain", "rich"]);
    }
}

#[tokio::test]
async fn another_revision_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.db");
    let mut python = reference(&path).await;
    sqlx::query("UPDATE alembic_version SET version_num = '006'").execute(&mut python).await.unwrap();
    let Err(OpenError::Revision { found }) = SqlManagement::open(&url(&path)).await else {
        panic!("opened");
    };
    assert_eq!(found, "006");
    let columns: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM pragma_table_info('Queues')")
        .fetch_one(&mut python)
        .await
        .unwrap();
    assert_eq!(columns, 4);
}

#[tokio::test]
async fn what_cannot_be_opened_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("text.db");
    std::fs::write(&path, "x".repeat(8_192)).unwrap();
    for path in [path, directory.path().join("missing/m.db"), directory.path().to_owned()] {
        let Err(OpenError::File { path: named, .. }) = SqlManagement::open(&url(&path)).await else {
            panic!("{} was opened", path.display());
        };
        assert_eq!(named, path);
    }
}
