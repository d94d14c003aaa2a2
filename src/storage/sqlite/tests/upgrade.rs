//! Files of earlier versions.

use super::*;
use crate::model::Position;
use crate::storage::sqlite::Problem;
use crate::storage::{Claims as _, Landing, Subscriptions as _, Transfer as _, Way};

/// The tables of version 1, as that version made them.
const VERSION_1: &str = include_str!("version_1.sql");

/// The same of version 2.
const VERSION_2: &str = include_str!("version_2.sql");

/// Two ready messages, of which one goes elsewhere.
const ROWS_2: &str = "
INSERT INTO queues (key, project, name, epoch, last, total, line, sent)
    VALUES (3, 'p', 'q', 1, 900, 1, unhex(printf('%032X', 7)), 1);
INSERT INTO messages (key, id, created, checksum, body)
    SELECT value, unhex(printf('%032X', value)), 1795190691123457, NULL, CAST(value AS BLOB)
    FROM json_each('[1, 2]');
INSERT INTO ids (id, queue, key, position, due) SELECT id, 3, key, 900, NULL FROM messages WHERE key = 1;
INSERT INTO ready VALUES (3, 900, 1, 1795194291123457, 3600, 0, x'61');
INSERT INTO expiring VALUES (3, 1795194291123457, 1);
INSERT INTO outgoing (queue, way, number, position, key, expires, ttl, count, client)
    VALUES (3, 1, 1, 800, 2, 1795194291123457, 3600, 0, x'61');
";

/// A queue with a ready message, a claimed, a delayed and two that are on their way; and one that was dropped with
/// one on its way.
const ROWS: &str = "
INSERT INTO queues (key, project, name, epoch, last, total, claimed, delayed, wake)
    VALUES (3, 'p', 'q', 1, 900, 3, 1, 1, 1795190691123457), (4, NULL, NULL, 1, 7, 0, 0, 0, 0),
    (5, 'p', 'empty', 2, 0, 0, 0, 0, NULL);
INSERT INTO messages (key, id, created, checksum, body)
    SELECT value, unhex(printf('%032X', value)), 1795190691123457, NULL, CAST(value AS BLOB)
    FROM json_each('[1, 2, 3, 4, 5, 6]');
INSERT INTO ids (id, queue, key, position, due) SELECT id, 3, key, 900, NULL FROM messages WHERE key = 1
    UNION ALL SELECT id, 3, key, 800, NULL FROM messages WHERE key = 2
    UNION ALL SELECT id, 3, key, NULL, 1795190751123457 FROM messages WHERE key = 3;
INSERT INTO ready VALUES (3, 900, 1, 1795194291123457, 3600, 0, x'61');
INSERT INTO claimed VALUES (3, 800, 2, 1795194291123457, 3600, 2, x'61', unhex(printf('%032X', 9)));
INSERT INTO claims VALUES (3, unhex(printf('%032X', 9)), 60, 1795190751123457, unhex(printf('%016X', 800)));
INSERT INTO delayed SELECT 3, 1795190751123457, id, 3, 1795194291123457, 3600, x'61' FROM messages WHERE key = 3;
INSERT INTO expiring VALUES (3, 1795194291123457, 1), (3, 1795194291123457, 2), (3, 1795194291123457, 3);
INSERT INTO outgoing SELECT 3, 100, id, 'dead', 5, 1795194291123457, 3600, 4, x'62' FROM messages WHERE key = 5;
INSERT INTO outgoing SELECT 3, 200, id, 'dead', 4, 1795194291123457, 3600, 5, x'62' FROM messages WHERE key = 4;
INSERT INTO outgoing SELECT 4, 7, id, 'dead', 6, 1795194291123457, 3600, 5, x'62' FROM messages WHERE key = 6;
";

fn old_file(version: i32, tables: &str, rows: &str) -> TempDir {
    let directory = TempDir::new().unwrap();
    let connection = rusqlite::Connection::open(directory.path().join("messages.db")).unwrap();
    connection
        .execute_batch(&format!(
            "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; {tables} {rows}
             PRAGMA application_id = 0x5a514d53; PRAGMA user_version = {version};"
        ))
        .unwrap();
    directory
}

#[tokio::test]
async fn a_file_of_version_1_is_upgraded_in_place() {
    let directory = old_file(1, VERSION_1, ROWS);
    let path = directory.path().join("messages.db");
    let store = SqliteStore::open(&path, Options::default()).unwrap();
    let queue = queue("q", 1);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let bench = Bench { store, queue, directory };
    assert_eq!(bench.numbers(START).await, [2, 1, 3]);
    let (_, held) = bench.store.claimed(&bench.queue, claim(9, 0).id, START).await.unwrap().unwrap();
    assert_eq!((held[0].id, held[0].claim_count), (id(2), 2));
    let away = bench.store.outgoing(&bench.queue, Way::DeadLetters, 9).await.unwrap();
    let told: Vec<_> =
        away.parcels.iter().map(|parcel| (parcel.number, parcel.id, parcel.claim_count)).collect();
    assert_eq!(told, [(1, id(5), 4), (2, id(4), 5)], "in their order");
    assert_eq!(away.parcels[0].landing, Landing::End(QueueName::parse("dead").unwrap()));
    assert_eq!(away.parcels[0].body, "5");
    // What follows is numbered on; each queue has a line, and the store an identity that stays.
    let dead_letters =
        crate::storage::DeadLetters { max_claims: 0, target: QueueName::parse("dead").unwrap(), ttl: None };
    let all = ClaimRequest { dead_letters: Some(dead_letters), ..claim(1, 5) };
    assert_eq!(bench.store.claim(&bench.queue, &all, START).await.unwrap().outgoing, 1);
    let again = bench.store.outgoing(&bench.queue, Way::DeadLetters, 9).await.unwrap();
    assert_eq!((again.line, again.parcels[2].number), (away.line, 3));
    let other = bench.store.outgoing(&super::queue("empty", 2), Way::Pool, 9).await.unwrap();
    assert_ne!(other.line, away.line);
    assert_eq!(bench.store.unfinished(9).await.unwrap(), std::slice::from_ref(&bench.queue));
    let identity = bench.store.identity().await.unwrap();
    // The remains of the dropped queue go as ever.
    bench.sweep(START).await;
    invariants::check(&connection, START);
    bench.store.close().await;
    let store = SqliteStore::open(&bench.path(), Options::default()).unwrap();
    assert_eq!(store.identity().await.unwrap(), identity);
    store.close().await;
}

#[tokio::test]
async fn a_file_of_version_2_is_upgraded_in_place() {
    let directory = old_file(2, VERSION_2, ROWS_2);
    let path = directory.path().join("messages.db");
    let store = SqliteStore::open(&path, Options::default()).unwrap();
    let identity = store.identity().await.unwrap();
    let bench = Bench { store, queue: queue("q", 1), directory };
    assert_eq!(bench.numbers(START).await, [1]);
    let away = bench.store.outgoing(&bench.queue, Way::Pool, 9).await.unwrap();
    assert_eq!(away.parcels[0].landing, Landing::Ready(Position(800)));
    let new = subscription(9, 1, START);
    assert!(bench.store.subscribe(&bench.queue, &new, START).await.unwrap());
    bench.sweep(START).await;
    invariants::check(&bench.connection(), START);
    bench.store.close().await;
    let store = SqliteStore::open(&bench.path(), Options::default()).unwrap();
    assert_eq!(store.subscription(&bench.queue, new.id, START).await.unwrap(), Some(new));
    assert_eq!(store.identity().await.unwrap(), identity);
    store.close().await;
}

#[tokio::test]
async fn only_a_server_upgrades() {
    let directory = old_file(1, VERSION_1, ROWS);
    let path = directory.path().join("messages.db");
    let refused = SqliteStore::open_shared(&path, Options::default()).err().unwrap().problem;
    assert!(matches!(refused, Problem::Version { found: 1, .. }), "{refused}");
    let version = rusqlite::Connection::open(&path).unwrap();
    let version: i32 = version.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
}

#[tokio::test]
async fn an_upgrade_that_fails_leaves_the_file_as_it_was() {
    let directory = old_file(1, VERSION_1, ROWS);
    let path = directory.path().join("messages.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    // In the way of a new table.
    connection.execute_batch("CREATE TABLE store (x)").unwrap();
    assert!(SqliteStore::open(&path, Options::default()).is_err());
    let outgoing: i64 =
        connection.query_row("SELECT count(position) FROM outgoing", [], |row| row.get(0)).unwrap();
    assert_eq!(outgoing, 3);
    connection.execute_batch("DROP TABLE store").unwrap();
    drop(connection);
    SqliteStore::open(&path, Options::default()).unwrap().close().await;
}
