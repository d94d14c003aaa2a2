//! The connections of an `SQLite` database: one that writes, a few that read, a few for what scans. sqlx gives each a thread.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Sqlite, SqlitePool};

use super::OpenError;
use super::session::Session;
use crate::storage::{Error, Result};

/// Connections that read single rows and pages by an index.
const READERS: u32 = 2;

/// Connections that filter and count: apart, so that they do not keep the others waiting.
const SCANNERS: u32 = 2;

/// Pages that a connection keeps, in KiB (SQLite's own default is 2,000); the system's cache has the others.
const PAGE_CACHE_KIB: u32 = 512;

/// How long an unused reading connection, and its thread, stay.
const IDLE: Duration = Duration::from_mins(1);

/// Steps of SQLite's machine between two looks at whether anybody still waits for a scan.
const STEPS_BETWEEN_LOOKS: i32 = 1_000;

/// The open connections of one database.
pub(super) struct Connections {
    /// The one connection that writes; for a database in memory, the only one.
    pub(super) writer: SqlitePool,
    /// Reads by an index.
    pub(super) readers: SqlitePool,
    scanners: SqlitePool,
    /// Absent for a database in memory.
    file: Option<DatabaseFile>,
    /// Keeps a database in memory.
    _anchor: Option<PoolConnection<Sqlite>>,
}

impl Connections {
    /// Opens the file, made if need be, or a database in memory. A locked one is waited for for `busy`.
    pub(super) async fn open(path: Option<&Path>, busy: Duration) -> std::result::Result<Self, OpenError> {
        match path {
            Some(path) => Self::in_file(path, busy),
            None => Self::in_memory().await,
        }
    }

    /// A database in memory lives as long as a connection to it: one that is never used keeps it.
    async fn in_memory() -> std::result::Result<Self, OpenError> {
        let options = quiet(SqliteConnectOptions::new().in_memory(true));
        let anchor = pool(1, None).connect_lazy_with(options.clone()).acquire().await?;
        let only = pool(1, None).connect_lazy_with(options);
        let (readers, scanners) = (only.clone(), only.clone());
        Ok(Self { writer: only, readers, scanners, file: None, _anchor: Some(anchor) })
    }

    fn in_file(path: &Path, busy: Duration) -> std::result::Result<Self, OpenError> {
        let file = DatabaseFile::open(path)?;
        let common = quiet(SqliteConnectOptions::new())
            .filename(&file.path)
            .create_if_missing(false)
            .busy_timeout(busy)
            .pragma("cache_size", format!("-{PAGE_CACHE_KIB}"));
        let writing = common
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let reading = common.pragma("query_only", "ON");
        Ok(Self {
            writer: pool(1, None).connect_lazy_with(writing),
            readers: pool(READERS, Some(IDLE)).connect_lazy_with(reading.clone()),
            scanners: pool(SCANNERS, Some(IDLE)).connect_lazy_with(reading),
            file: Some(file),
            _anchor: None,
        })
    }

    /// The absolute path of the file; `None` for a database in memory.
    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }

    /// The connection that writes, where what it writes can be found again: not in a file that was moved,
    /// deleted or covered by a mount since it was opened.
    pub(super) async fn write(&self) -> Result<Session> {
        let connection = self.writer.acquire().await?;
        // One look at a time: it takes one thread of the runtime, however many callers wait.
        if let Some(file) = &self.file {
            file.check_in_place().await.map_err(Error::unavailable)?;
        }
        Ok(Session::sqlite(connection, None))
    }

    /// For a query that scans. It ends early when its session is dropped, because its caller goes away or gives
    /// up, instead of working on for nobody.
    pub(super) async fn scan(&self) -> Result<Session> {
        let mut connection = self.scanners.acquire().await?;
        let caller = Arc::new(());
        if self.file.is_some() {
            let waiting = Arc::downgrade(&caller);
            let mut handle = connection.lock_handle().await?;
            handle.set_progress_handler(STEPS_BETWEEN_LOOKS, move || waiting.strong_count() > 0);
        }
        Ok(Session::sqlite(connection, Some(caller)))
    }

    /// Ends all connections in order.
    pub(super) async fn close(&self) {
        self.scanners.close().await;
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// A pool of connections that are opened when first needed.
fn pool(size: u32, idle: Option<Duration>) -> PoolOptions<Sqlite> {
    PoolOptions::new()
        .max_connections(size)
        .idle_timeout(idle)
        .max_lifetime(None)
        // A connection is a thread of this process; asking it for a sign of life tells nothing.
        .test_before_acquire(false)
}

/// Slow and failed calls are reported by the caller, who knows the request.
fn quiet(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options.disable_statement_logging()
}

/// A database file and which file it was when it was opened.
struct DatabaseFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl DatabaseFile {
    /// The file at that path, made if need be: empty, and for this user only (SQLite gives its companions the
    /// same rights).
    fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let opened = create(&path).and_then(|()| std::fs::metadata(&path));
        match opened {
            Ok(found) => Ok(Self { path, device: found.dev(), inode: found.ino() }),
            Err(error) => Err(OpenError::File { path, source: error.into() }),
        }
    }

    /// Fails where the path leads to another file or nowhere, and as long as it does.
    async fn check_in_place(&self) -> io::Result<()> {
        let found = tokio::fs::metadata(&self.path).await?;
        if (found.dev(), found.ino()) == (self.device, self.inode) {
            return Ok(());
        }
        Err(io::Error::other(format!("{} was replaced while it was open", self.path.display())))
    }
}

/// Makes an empty file, unless there is one, and its name durable.
fn create(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    std::fs::File::open(directory)?.sync_all()
}
