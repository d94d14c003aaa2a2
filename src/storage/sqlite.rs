//! The embedded message store: one SQLite file, every acknowledged write synced to disk.
//!
//! One thread writes. It takes all calls that wait, carries them out in one transaction, syncs once and answers
//! them all (`writer`). A few threads read beside it (`readers`), and one moves the write-ahead log into the file
//! (`checkpoint`). The tables are told in `schema`; `batch` is what an operation works on; the other files are
//! the operations and what they share.

mod batch;
mod checkpoint;
mod claim_row;
mod claims;
mod db;
mod due;
mod files;
mod find;
mod hand_over;
mod lifecycle;
mod listing;
mod lock;
mod messages;
mod place;
mod queue;
mod readers;
mod reads;
mod scan;
mod schema;
mod subscriptions;
mod sweep;
mod traits;
mod transfer;
mod wipe;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::ErrorCode;
use rusqlite::types::FromSqlError;

use self::batch::{Batch, Open};
use self::checkpoint::Checkpoints;
use self::db::Db;
use self::lock::Lock;
use self::queue::Queue;
use self::readers::Readers;
use self::writer::{Kind, Writer};
use super::{Error, Result};
use crate::model::QueueRef;
use crate::wake::Wakes;

/// The embedded message store; implements all traits of [`storage`](crate::storage) for the data of queues.
///
/// A caller that goes away does not undo a write that it handed over. Dropping the store without
/// [`close`](crate::storage::Messages::close) is safe: its threads end after the calls that wait.
pub struct SqliteStore {
    deadline: Duration,
    writer: Writer,
    readers: Readers,
    wakes: Wakes,
    /// Readers first, the writer last; empty once closed.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// How a store is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long a call waits before it answers [`Error::Timeout`].
    pub deadline: Duration,
    /// How many threads read.
    pub readers: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(2), readers: 2 }
    }
}

impl SqliteStore {
    /// Opens the store in the file at `path`, for one server alone; makes the file (0600) and its directory (0700)
    /// where they are missing. Blocks on the disk.
    pub fn open(path: &Path, options: Options) -> std::result::Result<Self, OpenError> {
        let opened = files::prepare_directory(path).map_err(Problem::from).and_then(|path| {
            let lock = Lock::take(&path)?;
            files::create(&path)?;
            Self::start(&path, Some(lock), options)
        });
        opened.map_err(|problem| OpenError { path: path.into(), problem })
    }

    /// Opens the existing store at `path` beside the server that runs on it, to sweep it. Blocks on the disk.
    pub fn open_shared(path: &Path, options: Options) -> std::result::Result<Self, OpenError> {
        let opened = path.canonicalize().map_err(Problem::from);
        let opened = opened.and_then(|path| Self::start(&path, None, options));
        opened.map_err(|problem| OpenError { path: path.into(), problem })
    }

    fn start(path: &Path, lock: Option<Lock>, options: Options) -> std::result::Result<Self, Problem> {
        // Longer than callers wait, so that a call is answered before its write is given up.
        let busy = options.deadline.saturating_mul(2);
        let connection = schema::writer(path, busy, lock.is_some())?;
        let wakes = Wakes::new();
        let checkpoints = Checkpoints::start(path, lock.is_some())?;
        let (readers, mut threads) = Readers::start(path, options.readers, busy)?;
        let (writer, thread) = Writer::start(connection, checkpoints, lock, wakes.clone())?;
        threads.push(thread);
        Ok(Self { deadline: options.deadline, writer, readers, wakes, threads: Mutex::new(threads) })
    }

    /// Has `work` done on the queue by the writer; `bytes` is the size of what it stores.
    async fn write<T, F>(&self, queue: &QueueRef, bytes: usize, mut work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Open<'_, '_>) -> Outcome<T> + Send + 'static,
    {
        let queue = queue.clone();
        self.within(self.writer.call(Kind::Caller(bytes), move |batch| work(&mut batch.queue(&queue)?))).await
    }

    /// Has `work` done by the writer.
    async fn transact<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Batch<'_, '_>) -> Outcome<T> + Send + 'static,
    {
        self.within(self.writer.call(Kind::Caller(0), work)).await
    }

    /// Has `work` done by the writer, such that a crash may undo it.
    async fn background<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Batch<'_, '_>) -> Outcome<T> + Send + 'static,
    {
        self.within(self.writer.call(Kind::Background, work)).await
    }

    /// Has `work` done on a snapshot of the queue.
    async fn read<T, F>(&self, queue: &QueueRef, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Db<'_>, &Queue) -> Outcome<T> + Send + 'static,
    {
        let queue = queue.clone();
        self.look(move |db| work(db, &Queue::current(db, &queue)?)).await
    }

    /// Has `work` done on a snapshot of the file.
    async fn look<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Db<'_>) -> Outcome<T> + Send + 'static,
    {
        self.within(self.readers.call(work)).await
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(self.deadline, call).await.unwrap_or(Err(Error::Timeout(self.deadline)))
    }

    /// Ends the threads after the calls that wait.
    async fn stop(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        self.readers.stop().await;
        self.writer.stop().await;
        let joined = tokio::task::spawn_blocking(|| threads.into_iter().try_for_each(JoinHandle::join));
        if !matches!(joined.await, Ok(Ok(()))) {
            tracing::error!("a thread of the message store panicked");
        }
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the message store {}", path.display())]
pub struct OpenError {
    /// Its file.
    pub path: PathBuf,
    /// What is wrong.
    #[source]
    pub problem: Problem,
}

/// What is wrong with a store that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Another server runs on it: its process, if it is known.
    #[error("it is in use by another server{}", .0.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked(Option<u32>),
    /// A newer program made it, or an older one that is not supported.
    #[error("its schema version is {found}, this program's is {known}")]
    Version {
        /// The file's version.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// It belongs to another program.
    #[error("it is a database of another program")]
    Foreign,
    /// The file is damaged, or not a database.
    #[error("it is damaged or not a database")]
    Damaged(#[source] rusqlite::Error),
    /// SQLite refused.
    #[error(transparent)]
    Sql(rusqlite::Error),
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) { Self::Damaged(error) } else { Self::Sql(error) }
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Why an operation failed inside a transaction.
#[derive(Debug)]
enum Fault {
    /// The queue is not stored under that epoch; nothing was written.
    Gone,
    /// SQLite failed.
    Sql(rusqlite::Error),
    /// The file holds something that cannot be.
    Corrupt(String),
}

type Outcome<T> = std::result::Result<T, Fault>;

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<FromSqlError> for Fault {
    fn from(error: FromSqlError) -> Self {
        Self::Sql(error.into())
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Gone => Self::Gone,
            Fault::Sql(error) if is_damage(&error) => Self::Corrupt(error.to_string()),
            Fault::Sql(error) => Self::unavailable(error),
            Fault::Corrupt(what) => Self::Corrupt(what),
        }
    }
}
