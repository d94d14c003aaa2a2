//! The one thread that writes: group commit, so that concurrent writers share a sync.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use super::batch::{Batch, Ring};
use super::checkpoint::Checkpoints;
use super::db::Db;
use super::lock::Lock;
use super::{Fault, Outcome};
use crate::storage::{Error, Result};
use crate::wake::Wakes;

/// The most calls that wait for the writer; more wait for room, until their deadline.
///
/// Their bodies are shared with the requests that wait for the answers, so this bounds no memory.
const WAITING: usize = 1024;

/// The most calls that share a commit.
const BATCH_CALLS: usize = 256;

/// The most bytes of bodies that share a commit, the last call's excess aside.
const BATCH_BYTES: usize = 4 << 20;

/// Where calls are handed to the writer.
#[derive(Clone)]
pub(super) struct Writer {
    /// `None` = the end.
    calls: mpsc::Sender<Option<Box<dyn Work>>>,
    /// Calls carried out for callers, the sweep's own not counted.
    served: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread; it ends when every [`Writer`] is gone, after the calls that wait.
    pub(super) fn start(
        connection: Connection,
        checkpoints: Checkpoints,
        lock: Option<Lock>,
        wakes: Wakes,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (calls, waiting) = mpsc::channel(WAITING);
        let served = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&served);
        let thread = std::thread::Builder::new().name("sqlite-writer".into()).spawn(move || {
            serve(&connection, waiting, checkpoints, &counter, wakes);
            drop(connection);
            drop(lock);
        })?;
        Ok((Self { calls, served }, thread))
    }

    /// How many calls were carried out for callers, so that background work can tell whether it is alone.
    pub(super) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Ends the thread after the calls that wait.
    pub(super) async fn stop(&self) {
        // It may have ended already.
        let _ = self.calls.send(None).await;
    }

    /// Has `work` done in a transaction: its answer, once that is on disk.
    ///
    /// The work checks before it writes: [`Fault::Gone`] must leave nothing behind. It runs again where the
    /// batch had to be rolled back for another call's sake. A caller that goes away does not stop it.
    pub(super) async fn call<T, F>(&self, kind: Kind, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Batch<'_, '_>) -> Outcome<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call = Box::new(Call { work, kind, outcome: None, reply });
        self.calls.send(Some(call)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

/// What the writer must know of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Stores bodies of so many bytes in all; answered when it is on disk.
    Caller(usize),
    /// Changes nothing that anybody was told of, so a crash may undo it: it waits for no disk.
    Background,
}

impl Kind {
    fn bytes(self) -> usize {
        match self {
            Self::Caller(bytes) => bytes,
            Self::Background => 0,
        }
    }
}

/// The error of a call after the end.
pub(super) fn closed() -> Error {
    Error::unavailable("the store is closed")
}

/// A call on its way through the writer.
trait Work: Send {
    fn kind(&self) -> Kind;
    /// Does the work; an error means that the transaction is spoilt.
    fn run(&mut self, batch: &mut Batch<'_, '_>) -> std::result::Result<(), Fault>;
    /// Answers with what [`Work::run`] gave; it is on disk.
    fn answer(self: Box<Self>);
    /// Answers that nothing was done.
    fn refuse(self: Box<Self>, error: Error);
}

struct Call<T, F> {
    work: F,
    kind: Kind,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Work for Call<T, F>
where
    T: Send,
    F: FnMut(&mut Batch<'_, '_>) -> Outcome<T> + Send,
{
    fn kind(&self) -> Kind {
        self.kind
    }

    fn run(&mut self, batch: &mut Batch<'_, '_>) -> std::result::Result<(), Fault> {
        self.outcome = Some(match (self.work)(batch) {
            Ok(value) => Ok(value),
            Err(Fault::Gone) => Err(Error::Gone),
            Err(fault) => return Err(fault),
        });
        Ok(())
    }

    fn answer(self: Box<Self>) {
        // Nobody may be waiting any more; what was done stays done.
        let _ = self.reply.send(self.outcome.unwrap_or_else(|| Err(closed())));
    }

    fn refuse(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error));
    }
}

type Waiting = mpsc::Receiver<Option<Box<dyn Work>>>;

fn serve(
    connection: &Connection,
    mut waiting: Waiting,
    mut checkpoints: Checkpoints,
    served: &AtomicU64,
    wakes: Wakes,
) {
    Checkpoints::watch(connection);
    let mut committer = Committer { db: Db::new(connection), synced: true, failing: false, wakes };
    while let Some(next) = waiting.blocking_recv() {
        match next {
            Some(first) => {
                let calls = gather(first, &mut waiting);
                let callers = calls.iter().filter(|call| call.kind() != Kind::Background).count();
                served.fetch_add(callers as u64, Ordering::Relaxed);
                committer.commit(calls);
            }
            None => waiting.close(),
        }
        checkpoints.after_commit(connection);
    }
    checkpoints.finish(connection);
}

/// The calls that wait, as far as they fit into a batch.
fn gather(first: Box<dyn Work>, waiting: &mut Waiting) -> Vec<Box<dyn Work>> {
    let mut bytes = first.kind().bytes();
    let mut calls = vec![first];
    while calls.len() < BATCH_CALLS && bytes < BATCH_BYTES {
        match waiting.try_recv() {
            Ok(Some(next)) => {
                bytes += next.kind().bytes();
                calls.push(next);
            }
            Ok(None) => waiting.close(),
            Err(_) => break,
        }
    }
    calls
}

/// Why a batch was rolled back.
struct Failure {
    /// The call at fault, if it was one.
    call: Option<usize>,
    fault: Fault,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self { call: None, fault: error.into() }
    }
}

/// Carries out calls.
struct Committer<'c> {
    db: Db<'c>,
    /// True while a commit waits for the disk.
    synced: bool,
    /// True after a batch failed, which is told once.
    failing: bool,
    wakes: Wakes,
}

impl Committer<'_> {
    /// Carries out all calls in one transaction and answers them. Where one call spoils it for a reason of its
    /// own, that one is refused and the others are repeated, each alone, so that it cannot spoil them again.
    fn commit(&mut self, mut calls: Vec<Box<dyn Work>>) {
        let Err(failure) = self.attempt(&mut calls) else {
            if std::mem::take(&mut self.failing) {
                tracing::info!("writes succeed again");
            }
            return calls.into_iter().for_each(Work::answer);
        };
        match failure.call {
            Some(at) if !is_of_the_store(&failure.fault) => {
                tracing::warn!(error = ?failure.fault, "a write failed");
                calls.remove(at).refuse(failure.fault.into());
                for call in calls {
                    self.commit(vec![call]);
                }
            }
            _ => self.refuse_all(calls, failure.fault),
        }
    }

    /// Refuses all calls for a reason that is the store's.
    fn refuse_all(&mut self, calls: Vec<Box<dyn Work>>, fault: Fault) {
        let cause = Arc::new(Error::from(fault));
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(error = ?cause, "writes fail; calls are refused until they succeed again");
        }
        for call in calls {
            call.refuse(Error::unavailable(Arc::clone(&cause)));
        }
    }

    fn attempt(&mut self, calls: &mut [Box<dyn Work>]) -> std::result::Result<(), Failure> {
        self.set_synced(calls.iter().any(|call| call.kind() != Kind::Background))?;
        let outcome = self.transact(calls);
        if outcome.is_err() && !self.db.connection.is_autocommit() {
            // Where even this fails, the next BEGIN does too, and calls are refused until the store is whole.
            if let Err(error) = self.db.connection.execute_batch("ROLLBACK") {
                tracing::error!(%error, "cannot roll back");
            }
        }
        outcome
    }

    /// Has commits wait for the disk or not. Where this fails, so does the batch that wanted it. One that does not
    /// wait is brought along by the next one that does.
    fn set_synced(&mut self, synced: bool) -> rusqlite::Result<()> {
        if self.synced != synced {
            let mode = if synced { "FULL" } else { "NORMAL" };
            self.db.connection.pragma_update(None, "synchronous", mode)?;
            self.synced = synced;
        }
        Ok(())
    }

    fn transact(&self, calls: &mut [Box<dyn Work>]) -> std::result::Result<(), Failure> {
        self.db.execute("BEGIN IMMEDIATE", [])?;
        let mut batch = Batch::new(&self.db);
        for (at, call) in calls.iter_mut().enumerate() {
            // A defect in one operation must not end the only writer.
            let outcome = catch_unwind(AssertUnwindSafe(|| call.run(&mut batch)));
            let outcome = outcome.unwrap_or_else(|_| Err(Fault::Corrupt("an operation panicked".into())));
            outcome.map_err(|fault| Failure { call: Some(at), fault })?;
        }
        batch.save()?;
        self.db.execute("COMMIT", [])?;
        for Ring { queue, news } in batch.into_rings() {
            self.wakes.ring(&queue.project, &queue.name, news);
        }
        Ok(())
    }
}

/// True where the disk, the file or another process is the reason, which would meet every other call too.
fn is_of_the_store(fault: &Fault) -> bool {
    let Fault::Sql(rusqlite::Error::SqliteFailure(error, _)) = fault else { return false };
    !matches!(
        error.code,
        ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig | ErrorCode::Unknown
    )
}
