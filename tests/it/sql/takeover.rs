//! Databases that the Python service made and goes on using. Its tables here are as its own definitions make them
//! (`tests/conformance/takeover` makes them with its own package).

use serde_json::json;
use zaqar::model::Metadata;
use zaqar::storage::Management as _;
use zaqar::storage::sql::{OpenError, SqlManagement, SqlTables};

use super::common::{Fresh, Kind, Other, all, create, found, name, names, object, project};
use crate::contract::fixture::upgraded;

every_database!(
    a_change_by_the_python_service_is_not_overwritten,
    a_stopped_upgrade_goes_on_where_it_stopped,
    another_revision_is_refused_and_left_alone,
    every_row_is_kept,
    of_two_upgrades_at_once_both_end_well,
    rows_of_the_python_service_get_an_epoch_once,
    the_python_service_reads_what_was_written_here,
);

every_server!(an_older_schema_is_refused_with_the_command_to_run);

/// The Python service's tables at revision 007.
fn reference(kind: Kind) -> String {
    let (id, blob, end) = match kind {
        Kind::Sqlite => ("INTEGER NOT NULL", "BLOB", ""),
        Kind::MariaDb => ("INTEGER NOT NULL AUTO_INCREMENT", "BLOB", " DEFAULT CHARSET = utf8"),
        Kind::Postgres => ("SERIAL NOT NULL", "BYTEA", ""),
    };
    format!(
        r#"
CREATE TABLE "Queues" (id {id}, project VARCHAR(64), name VARCHAR(64), metadata {blob},
    PRIMARY KEY (id), UNIQUE (project, name)){end};
CREATE TABLE "Pools" (name VARCHAR(64) NOT NULL, uri VARCHAR(255) NOT NULL, weight INTEGER NOT NULL,
    options TEXT, flavor VARCHAR(64), PRIMARY KEY (name), UNIQUE (uri)){end};
CREATE TABLE "Flavors" (name VARCHAR(64) NOT NULL, project VARCHAR(64), capabilities TEXT, PRIMARY KEY (name)){end};
CREATE TABLE "Catalogue" (pool VARCHAR(64), project VARCHAR(64), queue VARCHAR(64) NOT NULL,
    UNIQUE (project, queue), FOREIGN KEY(pool) REFERENCES "Pools" (name) ON DELETE CASCADE){end};
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)){end};
INSERT INTO alembic_version VALUES ('007');
INSERT INTO "Pools" VALUES ('pool', 'redis://localhost', 100, '{{}}', NULL);
INSERT INTO "Catalogue" VALUES ('pool', 'p', 'plain');
"#
    )
}

/// Makes the Python service's tables with three queues; a connection of that service.
async fn made(fresh: &Fresh) -> Other {
    let mut python = fresh.other().await;
    python.run(&reference(fresh.kind)).await;
    python.insert("p", "plain", "{}").await;
    python.insert("p", "rich", r#"{"z": "\u00e9", "_max_claim_count": 3, "a": [1, 2.50]}"#).await;
    python.insert("", "nobodys", r#"{"k": "v"}"#).await;
    python
}

async fn every_row_is_kept(fresh: &Fresh) {
    let mut python = made(fresh).await;
    let store = fresh.open().await;
    assert_eq!(names(&store, "p", &all()).await, ["plain", "rich"]);
    assert_eq!(names(&store, "", &all()).await, ["nobodys"]);
    let order: Vec<_> = found(&store, "rich").await.metadata.into_iter().collect();
    assert_eq!(json!(order), json!([["z", "é"], ["_max_claim_count", 3], ["a", [1, 2.5]]]));
    let pools =
        python.column(r#"SELECT "Pools".name FROM "Pools" JOIN "Catalogue" ON pool = "Pools".name"#).await;
    assert_eq!(pools, ["pool"]);
    // Projects as long as the API takes them fit now, whatever their characters.
    let long = "é".repeat(256);
    let queue = crate::contract::fixture::queue_ref(&long, "q", 1);
    assert!(store.create_queue(&queue, &Metadata::new(), None).await.unwrap().1);
    assert_eq!(names(&store, &long, &all()).await, ["q"]);
}

async fn rows_of_the_python_service_get_an_epoch_once(fresh: &Fresh) {
    let mut python = made(fresh).await;
    let store = fresh.open().await;
    let epoch = async |store: &SqlManagement, queue: &str| found(store, queue).await.queue.epoch;
    let first = epoch(&store, "plain").await;
    assert!(first.0 > 0);
    store.close().await;
    let store = fresh.open().await;
    assert_eq!(epoch(&store, "plain").await, first);

    // Found, listed, created again or deleted: however it is met first.
    python.insert("p", "listed", "{}").await;
    let page = store.queues(&project("p"), &all()).await.unwrap();
    let listed = page.iter().find(|record| record.queue.name == name("listed")).unwrap();
    assert!(listed.queue.epoch > first);
    assert_eq!(epoch(&store, "listed").await, listed.queue.epoch);
    python.insert("p", "created", "{}").await;
    let (created, new) = create(&store, "created", 1, json!({})).await.unwrap();
    assert!(!new && created.queue.epoch > first);
    python.insert("p", "deleted", r#"{"last": 1}"#).await;
    let deleted = store.delete_queue(&project("p"), &name("deleted")).await.unwrap().unwrap();
    assert!(deleted.queue.epoch > first);
    assert_eq!(deleted.metadata, object(json!({"last": 1})));
    assert_eq!(epoch(&store, "plain").await, first);
}

async fn a_change_by_the_python_service_is_not_overwritten(fresh: &Fresh) {
    let mut python = made(fresh).await;
    let store = fresh.open().await;
    let ours = create(&store, "ours", 5, json!({"by": "us"})).await.unwrap().0;
    for seen in [found(&store, "plain").await, ours] {
        let queue = seen.queue.name.as_str();
        python.change("p", queue, r#"{"theirs": 1}"#).await;
        assert_eq!(replace(&store, &seen, json!({"ours": 1})).await, None);
        let now = found(&store, queue).await;
        assert_eq!(now.metadata, object(json!({"theirs": 1})));
        assert_eq!((now.revision, now.queue.epoch), (seen.revision + 1, seen.queue.epoch));
        let ours = replace(&store, &now, json!({"ours": 1})).await.unwrap();
        assert_eq!(found(&store, queue).await, ours);
        python.change("p", queue, r#"{"theirs": 2}"#).await;
        let deleted = store.delete_queue(&project("p"), &name(queue)).await.unwrap().unwrap();
        assert_eq!((deleted.queue.epoch, deleted.metadata), (seen.queue.epoch, object(json!({"theirs": 2}))));
    }
}

async fn replace(
    store: &SqlManagement,
    seen: &zaqar::storage::QueueRecord,
    metadata: serde_json::Value,
) -> Option<zaqar::storage::QueueRecord> {
    store.replace_metadata(seen, &object(metadata), None).await.unwrap()
}

async fn the_python_service_reads_what_was_written_here(fresh: &Fresh) {
    let store = fresh.open().await;
    create(&store, "q", 1, json!({"b": 1, "a": "é"})).await.unwrap();
    let mut python = fresh.other().await;
    assert_eq!(python.column("SELECT version_num FROM alembic_version").await, ["007"]);
    assert_eq!(python.column(r#"SELECT metadata FROM "Queues""#).await, [r#"{"b":1,"a":"é"}"#]);
}

async fn of_two_upgrades_at_once_both_end_well(fresh: &Fresh) {
    made(fresh).await;
    let both = tokio::join!(fresh.open(), fresh.open(), fresh.open());
    for store in [both.0, both.1, both.2] {
        assert_eq!(names(&store, "p", &all()).await, ["plain", "rich"]);
    }
}

async fn a_stopped_upgrade_goes_on_where_it_stopped(fresh: &Fresh) {
    made(fresh).await;
    for version in 1..=SqlTables::NEWEST {
        let tables = SqlTables::open(&fresh.url).await.unwrap();
        tables.upgrade(version).await.unwrap();
        tables.close().await;
        if fresh.kind == Kind::MariaDb && version > 1 {
            // Every statement of it has been carried out, but that was not noted.
            fresh.other().await.run(&format!("UPDATE zaqar_schema SET version = {}", version - 1)).await;
        }
    }
    let store = upgraded(&fresh.url).await;
    assert_eq!(names(&store, "p", &all()).await, ["plain", "rich"]);
}

async fn another_revision_is_refused_and_left_alone(fresh: &Fresh) {
    let mut python = made(fresh).await;
    python.run("UPDATE alembic_version SET version_num = '006'").await;
    let tables = SqlTables::open(&fresh.url).await.unwrap();
    let upgrade = tables.upgrade(SqlTables::NEWEST).await.unwrap_err();
    assert!(matches!(&upgrade, OpenError::Revision { found } if found == "006"), "{upgrade:?}");
    let Err(OpenError::Revision { found }) = SqlManagement::open(&fresh.url).await else { panic!("opened") };
    assert_eq!(found, "006");
    assert_eq!(tables.current().await.unwrap().version, 0);
    assert!(python.try_run(r#"SELECT epoch FROM "Queues""#).await.is_err());
}

async fn an_older_schema_is_refused_with_the_command_to_run(fresh: &Fresh) {
    let refused = async || {
        let Err(error) = SqlManagement::open(&fresh.url).await else { panic!("opened") };
        assert!(matches!(error, OpenError::Outdated { .. }), "{error:?}");
        assert!(error.to_string().ends_with("run: zaqar db upgrade"), "{error}");
    };
    refused().await;
    made(fresh).await;
    refused().await;
    let tables = SqlTables::open(&fresh.url).await.unwrap();
    tables.upgrade(SqlTables::NEWEST - 1).await.unwrap();
    refused().await;
    tables.upgrade(SqlTables::NEWEST).await.unwrap();
    SqlManagement::open(&fresh.url).await.unwrap();
}
