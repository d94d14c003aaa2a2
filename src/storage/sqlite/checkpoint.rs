//! Moving the write-ahead log into the file without holding up the writer.
//!
//! A thread of its own does nearly all of it, beside the writer; then the writer itself copies the little that was
//! added meanwhile, after which SQLite begins the log anew. So its size stays bounded under a load that never
//! pauses. The log file keeps its length, because overwriting is synced in half the time of appending.

use std::cell::Cell;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::Problem;
use super::schema;

/// Pages of log from which on it is moved into the file (16 MiB).
const BEGIN: i32 = 4096;

/// Pages of log at which the writer waits for the other thread, so that a slow disk cannot let it grow for ever.
const WAIT: i32 = 8 * BEGIN;

/// Pages that are few enough to leave to the writer.
const REMAINDER: i32 = 128;

/// Passes of the other thread at most; each is shorter than the one before unless the disk is slower than the load.
const PASSES: usize = 4;

thread_local! {
    /// Pages in the log after the last commit of this thread.
    static PAGES: Cell<i32> = const { Cell::new(0) };
    /// True after a failure on this thread, which was told once.
    static FAILING: Cell<bool> = const { Cell::new(false) };
}

/// The writer's side of it.
pub(super) struct Checkpoints {
    begin: SyncSender<()>,
    done: Receiver<()>,
    running: bool,
    /// True where no other process has the file.
    alone: bool,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    /// Starts the thread; `alone` where no other process has the file.
    pub(super) fn start(path: &Path, alone: bool) -> Result<Self, Problem> {
        let connection = schema::checkpointer(path)?;
        let (begin, wanted) = sync_channel(1);
        let (finished, done) = sync_channel(1);
        let thread = std::thread::Builder::new().name("sqlite-checkpoint".into()).spawn(move || {
            while wanted.recv().is_ok() {
                passes(&connection);
                if finished.send(()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { begin, done, running: false, alone, thread })
    }

    /// Has SQLite tell the size of the log after each commit of `connection` on this thread.
    pub(super) fn watch(connection: &Connection) {
        connection.wal_hook(Some(note));
    }

    /// To be called by the writer after each commit.
    pub(super) fn after_commit(&mut self, connection: &Connection) {
        let pages = PAGES.get();
        if self.running {
            self.collect(connection, pages >= WAIT);
        } else if pages >= BEGIN {
            self.running = self.begin.try_send(()).is_ok();
            if !self.running {
                pass(connection, "PASSIVE");
            }
        }
    }

    /// Copies the remainder once the other thread is done; waits for it where `wait`.
    fn collect(&mut self, connection: &Connection, wait: bool) {
        let done =
            if wait { self.done.recv().is_ok() } else { self.done.try_recv() != Err(TryRecvError::Empty) };
        if done {
            self.running = false;
            pass(connection, "PASSIVE");
        }
    }

    /// Ends the thread, and empties the log unless that could hold up another process.
    pub(super) fn finish(self, connection: &Connection) {
        drop(self.begin);
        drop(self.done);
        if self.thread.join().is_err() {
            tracing::error!("the checkpoint thread panicked");
        }
        pass(connection, if self.alone { "TRUNCATE" } else { "PASSIVE" });
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the hook's type")]
fn note(_: &Wal, pages: i32) -> rusqlite::Result<()> {
    PAGES.set(pages);
    Ok(())
}

fn passes(connection: &Connection) {
    for _ in 0..PASSES {
        match pass(connection, "PASSIVE") {
            Some(left) if left > REMAINDER => {}
            _ => return,
        }
    }
}

/// One checkpoint: the pages left in the log, or `None` where it failed.
fn pass(connection: &Connection, mode: &str) -> Option<i32> {
    let counts = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i32>(1)?, row.get::<_, i32>(2)?));
    match connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], counts) {
        Ok((log, moved)) => {
            FAILING.set(false);
            Some(log - moved)
        }
        Err(error) => {
            if !FAILING.replace(true) {
                tracing::warn!(%error, "cannot move the write-ahead log into the file; it is tried again");
            }
            None
        }
    }
}
