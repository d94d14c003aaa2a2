//! The one who reads a queue for all who follow it on this node.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::broadcast::{self, Receiver, Sender, WeakSender};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::batch::{Batch, Followed};
use super::place::Place;
use super::read::Pages;
use super::{FAILED, PAUSES, pause_after};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{ProjectId, QueueName};
use crate::service::Service;
use crate::service::registry::Known;
use crate::storage::{self, QueueRecord};
use crate::wake::{Bell, Key, Who};

/// Pieces that a slow follower may be behind; then it reads for itself. What all have taken is not kept.
const PIECES: usize = 16;

/// The most bytes of bodies in a piece, or one message.
const PIECE_BYTES: usize = 256 << 10;

/// What the pump hands out: the messages from one place to another.
#[derive(Clone)]
pub(super) struct Piece {
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) batch: Batch,
}

/// The pump of a queue, held by its followers; it stops with the last one.
pub(super) struct Pump {
    line: Arc<Line>,
    /// Of the pump's task, so that followers learn of its end.
    pieces: WeakSender<Piece>,
    _stop: DropGuard,
}

/// A followed queue.
struct Line {
    project: ProjectId,
    name: QueueName,
    /// How far was handed out; locked while that is done.
    place: Mutex<Place>,
}

impl Line {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pump {
    pub(super) fn project(&self) -> &ProjectId {
        &self.line.project
    }

    pub(super) fn name(&self) -> &QueueName {
        &self.line.name
    }

    /// How far it has handed out.
    pub(super) fn place(&self) -> Place {
        *self.line.place()
    }
}

/// The pumps of this node.
#[derive(Default)]
pub(in crate::service) struct Pumps(Mutex<HashMap<Key, Weak<Pump>>>);

impl Pumps {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Weak<Pump>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pump of that queue, if it has one, and what it hands out from now on.
    pub(super) fn join(&self, project: &ProjectId, name: &QueueName) -> Option<(Arc<Pump>, Receiver<Piece>)> {
        join(&self.lock(), &(project.clone(), name.clone()))
    }

    /// How many queues are followed on this node.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().values().filter(|pump| pump.strong_count() > 0).count()
    }

    /// Forgets the pump of that queue, unless another one has begun.
    fn forget(&self, line: &Line) {
        let (mut pumps, key) = (self.lock(), (line.project.clone(), line.name.clone()));
        if pumps.get(&key).is_some_and(|pump| pump.strong_count() == 0) {
            pumps.remove(&key);
        }
    }
}

fn join(pumps: &HashMap<Key, Weak<Pump>>, key: &Key) -> Option<(Arc<Pump>, Receiver<Piece>)> {
    let pump = pumps.get(key)?.upgrade()?;
    let pieces = pump.pieces.upgrade()?.subscribe();
    Some((pump, pieces))
}

impl Service {
    /// Starts the pump of a queue at that place, or joins the one that somebody else just started.
    pub(super) fn start_pump(
        &self,
        project: &ProjectId,
        name: &QueueName,
        place: Place,
    ) -> (Arc<Pump>, Receiver<Piece>) {
        let key = (project.clone(), name.clone());
        let mut pumps = self.inner.pumps.lock();
        if let Some(joined) = join(&pumps, &key) {
            return joined;
        }
        let (pieces, first) = broadcast::channel(PIECES);
        let line = Arc::new(Line { project: key.0.clone(), name: key.1.clone(), place: Mutex::new(place) });
        let stop = CancellationToken::new();
        let work = Work {
            service: self.clone(),
            line: line.clone(),
            pieces: pieces.clone(),
            cursor: place,
            pages: Pages::default(),
            watched: None,
            due: Due::Unknown,
        };
        let pump = Arc::new(Pump { line, pieces: pieces.downgrade(), _stop: stop.clone().drop_guard() });
        pumps.insert(key, Arc::downgrade(&pump));
        self.inner.tasks.spawn(work.run(stop));
        (pump, first)
    }
}

/// When something becomes available without a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// To be found out by a read that finds nothing.
    Unknown,
    /// Then, or at no time.
    At(Option<Timestamp>),
}

/// A pump at work.
struct Work {
    service: Service,
    line: Arc<Line>,
    pieces: Sender<Piece>,
    /// How far was read.
    cursor: Place,
    pages: Pages,
    /// The queue as it was when its store's bell was taken, and that bell; without where there was no queue.
    watched: Option<(QueueRecord, Bell)>,
    due: Due,
}

impl Work {
    async fn run(mut self, stop: CancellationToken) {
        // Not `run_until_cancelled`, which keeps room for the pump twice.
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.pump() => {}
        }
        self.service.inner.pumps.forget(&self.line);
    }

    /// Reads and hands out. What fails is tried again after a pause.
    async fn pump(&mut self) {
        let service = self.service.clone();
        // The bell of the queue's record: it may be created, deleted or moved.
        let mut record = service.inner.registry.watch(&self.line.project, &self.line.name);
        let mut pause = None;
        loop {
            // Apart, for a pump waits most of its time, and reading needs much more room than waiting.
            match Box::pin(self.drain()).await {
                Ok(ControlFlow::Break(())) => {
                    tracing::warn!(queue.name = %self.line.name, "created anew by a clock that is behind: followers are sent away");
                    return;
                }
                Ok(ControlFlow::Continue(())) => {
                    if pause.take() > Some(PAUSES.0) {
                        tracing::info!(queue.name = %self.line.name, "followers are served again");
                    }
                    self.wait(&mut record).await;
                }
                Err(error) => {
                    // Once may be a queue that was deleted in between.
                    if pause == Some(PAUSES.0) {
                        tracing::warn!(error.cause = ?error, queue.name = %self.line.name, "followers wait");
                    }
                    tokio::time::sleep(*pause.insert(pause_after(pause))).await;
                }
            }
        }
    }

    /// Waits until something may be there.
    async fn wait(&mut self, record: &mut Bell) {
        let Self { service, watched, due, .. } = self;
        let store = async {
            match watched {
                Some((_, bell)) => bell.rung().await,
                None => std::future::pending().await,
            }
        };
        let due = async {
            match due {
                Due::At(Some(due)) => service.inner.clock.reaches(service.time_to_look(*due)).await,
                Due::At(None) | Due::Unknown => std::future::pending().await,
            }
        };
        tokio::select! {
            () = store => {}
            () = record.rung() => {}
            () = due => {}
        }
    }

    /// Hands out all that is there, and leaves the bell of its store taken and the next moment known. Breaks off where
    /// the queue was created anew with an earlier epoch than it had, which a clock may do that was set back: what comes in
    /// it is behind no place that a follower knows, and they have to begin anew.
    async fn drain(&mut self) -> Result<ControlFlow<()>> {
        loop {
            self.watch().await?;
            let Self { service, line, pages, cursor, .. } = self;
            let read = service.read_behind(&line.project, &line.name, *cursor, pages).await?;
            *cursor = read.place;
            let nothing = read.messages.is_empty();
            self.hand_out(read.messages);
            if read.known.is_none() && self.is_behind_us().await? {
                return Ok(ControlFlow::Break(()));
            }
            if read.more || !self.is_watched(read.known.as_deref()) {
                continue;
            }
            if nothing {
                self.due = Due::At(read.next_due);
                return Ok(ControlFlow::Continue(()));
            }
            if self.is_due_known(read.known.as_deref()) {
                return Ok(ControlFlow::Continue(()));
            }
        }
    }

    /// Whether the queue is of an earlier life than was read, though its record was just read again.
    async fn is_behind_us(&self) -> Result<bool> {
        let known = self.service.known(&self.line.project, &self.line.name).await?;
        Ok(known.is_some_and(|known| self.cursor.cursor_in(known.queue().epoch).is_none()))
    }

    /// Takes the bell of the store where the queue lies now, unless it is taken.
    async fn watch(&mut self) -> Result<()> {
        let (project, name) = (&self.line.project, &self.line.name);
        let known = self.service.known(project, name).await?;
        if self.is_watched(known.as_deref()) {
            return Ok(());
        }
        let service = &self.service;
        let taken = service.on_queue(project, name, FAILED, |known| async move {
            let bell = service.data(&known).await?.watch(known.queue(), Who::Reader).await?;
            Ok((known.record.clone(), bell))
        });
        self.watched = taken.await?;
        self.due = Due::Unknown;
        if self.watched.is_none() && known.is_some_and(|known| !service.lies_nowhere(&known.record)) {
            // It is known, and its store knows nothing of it.
            return Err(Error::unavailable(FAILED)(storage::Error::Gone));
        }
        Ok(())
    }

    /// Whether the bell that is taken is that of this queue, where it lies now.
    fn is_watched(&self, known: Option<&Known>) -> bool {
        let lies = |record: &QueueRecord| (record.queue.clone(), record.placement.clone());
        let known = known.map(|known| &known.record).filter(|record| !self.service.lies_nowhere(record));
        self.watched.as_ref().map(|(record, _)| lies(record)) == known.map(lies)
    }

    /// Whether a read that found something leaves the next moment as it was. Where messages may be delayed, one may have
    /// come together with those that were found.
    fn is_due_known(&self, known: Option<&Known>) -> bool {
        let delays = known.is_some_and(|known| known.attributes.delay.is_some());
        let passed = |due: Option<Timestamp>| due.is_some_and(|due| due <= self.service.inner.clock.now());
        !delays && matches!(self.due, Due::At(due) if !passed(due))
    }

    /// Hands the messages to all followers, in pieces. Where there are none the place stays, so that the next piece
    /// follows on the last one for everybody.
    fn hand_out(&self, messages: Vec<Followed>) {
        let mut place = self.line.place();
        for messages in pieces(messages) {
            let to = messages.last().map_or(*place, |followed| followed.place);
            // Nobody listens where the last follower is about to go.
            let _ = self.pieces.send(Piece { from: *place, to, batch: messages.into() });
            *place = to;
        }
    }
}

/// The messages in order, in parts of at most [`PIECE_BYTES`], or one message.
fn pieces(messages: Vec<Followed>) -> Vec<Vec<Followed>> {
    let mut pieces: Vec<Vec<Followed>> = Vec::new();
    let mut bytes = 0;
    for followed in messages {
        bytes += followed.message.body.len();
        match pieces.last_mut() {
            Some(piece) if bytes <= PIECE_BYTES => piece.push(followed),
            _ => {
                bytes = followed.message.body.len();
                pieces.push(vec![followed]);
            }
        }
    }
    pieces
}
