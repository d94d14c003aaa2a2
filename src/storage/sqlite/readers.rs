//! A few threads that read, each with its own connection and statements, beside the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::db::Db;
use super::writer::closed;
use super::{Outcome, Problem, schema};
use crate::storage::Result;

/// The most calls that wait for a reader; more wait for room, until their deadline.
const WAITING: usize = 1024;

type Job = Box<dyn FnOnce(&Db<'_>) + Send>;

/// Where calls are handed to the readers.
#[derive(Clone)]
pub(super) struct Readers {
    /// `None` = the end.
    jobs: mpsc::Sender<Option<Job>>,
}

impl Readers {
    /// Starts `count` threads; they end when every [`Readers`] is gone, after the calls that wait.
    pub(super) fn start(
        path: &Path,
        count: usize,
        busy: Duration,
    ) -> std::result::Result<(Self, Vec<JoinHandle<()>>), Problem> {
        let (jobs, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut threads = Vec::new();
        for number in 0..count.max(1) {
            let connection = schema::reader(path, busy)?;
            let waiting = Arc::clone(&waiting);
            let builder = std::thread::Builder::new().name(format!("sqlite-reader-{number}"));
            threads.push(builder.spawn(move || serve(&connection, &waiting))?);
        }
        Ok((Self { jobs }, threads))
    }

    /// Ends the threads after the calls that wait.
    pub(super) async fn stop(&self) {
        // They may have ended already.
        let _ = self.jobs.send(None).await;
    }

    /// Has `work` done on one snapshot of the file.
    pub(super) async fn call<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Db<'_>) -> Outcome<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |db| {
            // Nobody may be waiting any more.
            let _ = reply.send(snapshot(db, work).map_err(Into::into));
        });
        self.jobs.send(Some(job)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

fn serve(connection: &Connection, waiting: &Mutex<mpsc::Receiver<Option<Job>>>) {
    let db = Db::new(connection);
    loop {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // The lock is held while this thread waits: the others wait for it instead, and one call wakes one thread.
        match waiting.blocking_recv() {
            None => return,
            Some(None) => waiting.close(),
            Some(Some(job)) => {
                drop(waiting);
                run(&db, job);
            }
        }
    }
}

/// Does a job; a defect in one must not end the thread.
fn run(db: &Db<'_>, job: Job) {
    let panicked = catch_unwind(AssertUnwindSafe(|| job(db))).is_err();
    if panicked
        && !db.connection.is_autocommit()
        && let Err(error) = db.connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "cannot end a read transaction");
    }
}

/// Does the work in a read transaction, so that all of it sees one state.
fn snapshot<T>(db: &Db<'_>, work: impl FnOnce(&Db<'_>) -> Outcome<T>) -> Outcome<T> {
    db.execute("BEGIN", [])?;
    let outcome = work(db);
    // Some errors end the transaction by themselves.
    if !db.connection.is_autocommit() {
        db.execute("COMMIT", [])?;
    }
    outcome
}
