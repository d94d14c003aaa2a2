//! The file: its tables, its version, and how connections to it are set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::Problem;

/// The version of the tables below, kept in the file's `user_version`.
pub(super) const VERSION: i32 = 3;

/// "ZQMS": marks the file as a message store, kept in the file's `application_id`.
const APPLICATION: i32 = 0x5a51_4d53;

/// Size of a page of a new file, in bytes.
const PAGE_SIZE: u32 = 4096;

/// The tables.
///
/// * `queues`: a row a queue; `project` and `name` are null once it was dropped and its rows wait for the sweep.
///   `last` is the greatest position handed out. The counters change once a batch. `wake` is never later than
///   the first moment at which the sweep finds something to do here. `line` names what the queue sends off, and `sent`
///   is the last number given along it. The index on `wake` takes the rows without too:
///   for a partial one SQLite would prepare the sweep's query anew each time.
/// * `messages`: what never changes of a message, its body above all, so that no later step rewrites it.
/// * `ids`: where the message of an id lies: its position, or when it is due.
/// * `ready`, `claimed`, `delayed`: a message lies in exactly one; the narrow, changing part of it.
/// * `expiring`: by queue and time, for the sweep and the numbers.
/// * `claims`: `positions` holds 8 bytes (big endian) a message, ascending; never empty.
/// * `outgoing`: messages on their way out, by [`Way`](crate::storage::Way) and number; their bodies stay in
///   `messages`. `target` is set for a dead letter, `due` for a delayed message, `position` for any other, and `claim`,
///   `claim_ttl` and `claim_ends` where one holds it.
///   A subscription on its way has none of them; `client` is its subscriber, `count` tells whether it is confirmed, and
///   its options lie as its body.
/// * `subscriptions`: one a subscriber; the index by time is for the sweep.
/// * `received`: how far each queue has received each line.
/// * `store`: one row, the identity of this store.
const TABLES: &str = "
CREATE TABLE queues (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT,
    name TEXT,
    epoch INTEGER NOT NULL,
    last INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    claimed INTEGER NOT NULL DEFAULT 0,
    delayed INTEGER NOT NULL DEFAULT 0,
    wake INTEGER,
    line BLOB NOT NULL DEFAULT x'',
    sent INTEGER NOT NULL DEFAULT 0,
    UNIQUE (project, name)
) STRICT;
CREATE INDEX queues_wake ON queues (wake);
CREATE TABLE messages (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    created INTEGER NOT NULL,
    checksum BLOB,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE ids (
    id BLOB NOT NULL,
    queue INTEGER NOT NULL,
    key INTEGER NOT NULL,
    position INTEGER,
    due INTEGER,
    PRIMARY KEY (id, queue)
) STRICT, WITHOUT ROWID;
CREATE TABLE ready (
    queue INTEGER NOT NULL,
    position INTEGER NOT NULL,
    key INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    count INTEGER NOT NULL,
    client BLOB NOT NULL,
    PRIMARY KEY (queue, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE claimed (
    queue INTEGER NOT NULL,
    position INTEGER NOT NULL,
    key INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    count INTEGER NOT NULL,
    client BLOB NOT NULL,
    claim BLOB NOT NULL,
    PRIMARY KEY (queue, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE delayed (
    queue INTEGER NOT NULL,
    due INTEGER NOT NULL,
    id BLOB NOT NULL,
    key INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    client BLOB NOT NULL,
    PRIMARY KEY (queue, due, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE expiring (
    queue INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    key INTEGER NOT NULL,
    PRIMARY KEY (queue, expires, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE claims (
    queue INTEGER NOT NULL,
    id BLOB NOT NULL,
    ttl INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    positions BLOB NOT NULL,
    PRIMARY KEY (queue, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_expires ON claims (queue, expires);
";

/// The tables that version 2 brought or changed.
pub(super) const HAND_OVER: &str = "
CREATE TABLE outgoing (
    queue INTEGER NOT NULL,
    way INTEGER NOT NULL,
    number INTEGER NOT NULL,
    target TEXT,
    position INTEGER,
    due INTEGER,
    claim BLOB,
    claim_ttl INTEGER,
    claim_ends INTEGER,
    key INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    count INTEGER NOT NULL,
    client BLOB NOT NULL,
    PRIMARY KEY (way, queue, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE received (
    queue INTEGER NOT NULL,
    line BLOB NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (queue, line)
) STRICT, WITHOUT ROWID;
CREATE TABLE store (identity BLOB NOT NULL) STRICT;
INSERT INTO store VALUES (randomblob(16));
";

/// The table that version 3 brought.
pub(super) const SUBSCRIPTIONS: &str = "
CREATE TABLE subscriptions (
    queue INTEGER NOT NULL,
    id BLOB NOT NULL,
    subscriber TEXT NOT NULL,
    ttl INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    confirmed INTEGER NOT NULL,
    options BLOB NOT NULL,
    PRIMARY KEY (queue, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX subscriptions_subscriber ON subscriptions (queue, subscriber);
CREATE INDEX subscriptions_expires ON subscriptions (queue, expires);
";

/// Opens the connection that writes, and creates or checks the tables; the only server on the file (`alone`) upgrades
/// those of an older version.
pub(super) fn writer(path: &Path, busy: Duration, alone: bool) -> Result<Connection, Problem> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy)?;
    prepare(&connection, alone)?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -16384;",
    )?;
    Ok(connection)
}

/// Opens a connection that only reads; the file has its tables.
pub(super) fn reader(path: &Path, busy: Duration) -> Result<Connection, Problem> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy)?;
    connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2048;")?;
    Ok(connection)
}

/// Checks whose file it is and which version it has; a new one gets its tables.
fn prepare(connection: &Connection, alone: bool) -> Result<(), Problem> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let version = number("user_version")?;
    if objects == 0 && version == 0 {
        return create(connection);
    }
    if number("application_id")? != APPLICATION {
        return Err(Problem::Foreign);
    }
    match version {
        VERSION => Ok(()),
        1 if alone => upgrade(connection, &hand_over()),
        2 if alone => upgrade(connection, ""),
        found => Err(Problem::Version { found, known: VERSION }),
    }
}

/// Makes of an older file one of this version, all at once or not at all; `first` makes it one of version 2.
fn upgrade(connection: &Connection, first: &str) -> Result<(), Problem> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         {first}
         {SUBSCRIPTIONS}
         PRAGMA user_version = {VERSION};
         COMMIT;"
    ))?;
    Ok(())
}

/// Makes of a file of version 1 one of version 2. What was on its way out is numbered in the order in which it was to
/// go.
fn hand_over() -> String {
    format!(
        "ALTER TABLE queues ADD COLUMN line BLOB NOT NULL DEFAULT x'';
         ALTER TABLE queues ADD COLUMN sent INTEGER NOT NULL DEFAULT 0;
         UPDATE queues SET line = randomblob(16),
             sent = (SELECT count(*) FROM outgoing WHERE queue = queues.key);
         ALTER TABLE outgoing RENAME TO outgoing_1;
         {HAND_OVER}
         INSERT INTO outgoing (way, queue, number, target, key, expires, ttl, count, client)
             SELECT 0, queue, row_number() OVER (PARTITION BY queue ORDER BY position), target, key, expires,
                 ttl, count, client
             FROM outgoing_1;
         DROP TABLE outgoing_1;"
    )
}

/// Makes the tables. Page size and vacuum mode take effect only on an empty file, before it turns to WAL.
fn create(connection: &Connection) -> Result<(), Problem> {
    connection.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_SIZE};
         PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         BEGIN IMMEDIATE;
         {TABLES}
         {HAND_OVER}
         {SUBSCRIPTIONS}
         PRAGMA application_id = {APPLICATION};
         PRAGMA user_version = {VERSION};
         COMMIT;"
    ))?;
    Ok(())
}

/// Opens the connection that moves the write-ahead log into the file.
pub(super) fn checkpointer(path: &Path) -> Result<Connection, Problem> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -256;")?;
    Ok(connection)
}
