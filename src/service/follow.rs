//! Following a queue: every message that becomes available in it, in order, as it comes. Server-sent events and the
//! pushes of connections are this and a shape.
//!
//! A followed queue has one *pump* on each node (`pump`): it reads the store when the queue's bell rings and hands what
//! it found to all followers at once, so that a message costs one read, however many follow. A follower knows how far it
//! is. Where the pump hands out what begins further on (the follower joined at an earlier point, or fell behind), it reads
//! for itself until it is there again: nothing is lost, nothing comes twice, and no memory grows.

mod batch;
mod place;
mod pump;
mod read;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

pub use self::batch::{Batch, Followed, FrameShape};
use self::place::Place;
pub(super) use self::pump::Pumps;
use self::pump::{Piece, Pump};
use self::read::Pages;
use super::{Context, Service};
use crate::error::{Error, Result};
use crate::model::{Cursor, Marker, ProjectId, QueueName};
use crate::policy::Rule;

/// The first pause after a failing read, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The pause after another failure, twice as long as the last one.
fn pause_after(last: Option<Duration>) -> Duration {
    last.map_or(PAUSES.0, |last| (last * 2).min(PAUSES.1))
}

/// Where following begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what becomes available from now on.
    Now,
    /// Behind that marker, which is one of this queue's listings or of what was followed, or the id of a message. One of
    /// an earlier life of the queue begins at the head.
    Behind(String),
    /// With the first message that is there.
    Head,
}

/// One who follows a queue. It goes on as long as somebody asks it for more, whatever becomes of the queue: deleted and
/// created again, moved to another pool, out of reach for a while. Its owner ends it when its caller may no longer read.
pub struct Follower {
    service: Service,
    pump: Arc<Pump>,
    pieces: broadcast::Receiver<Piece>,
    /// Behind what was given last.
    place: Place,
    /// Set while the follower reads for itself.
    pages: Option<Pages>,
    /// After a read that failed: how long the next pause is, and when it is over.
    pause: Option<(Duration, Instant)>,
}

impl Service {
    /// Follows a queue, which need not exist yet. What is posted after the answer is given. The caller must have been
    /// granted the listing of messages, or subscribing. 400 for a marker of another queue, 503 where the store cannot
    /// tell where to begin.
    pub async fn follow(&self, context: &Context, name: &QueueName, start: Start) -> Result<Follower> {
        context.granted_one_of(&[Rule::MessagesGetAll, Rule::SubscriptionCreate])?;
        let project = &context.project;
        let place = match &start {
            Start::Now => self.end_of(project, name).await?,
            Start::Behind(marker) => self.place_behind(project, name, marker).await?,
            Start::Head => Place::NOWHERE,
        };
        let (pump, pieces) = match self.inner.pumps.join(project, name) {
            Some(joined) => joined,
            None if start == Start::Now => self.start_pump(project, name, place),
            None => self.start_pump(project, name, self.end_of(project, name).await?),
        };
        let pages = (pump.place() > place).then(Pages::default);
        Ok(Follower { service: self.clone(), pump, pieces, place, pages, pause: None })
    }

    /// Behind all that is available in the queue now.
    async fn end_of(&self, project: &ProjectId, name: &QueueName) -> Result<Place> {
        let found = self.on_queue(project, name, FAILED, |known| async move {
            let data = self.data(&known).await?;
            loop {
                let (position, more) = data.end(known.queue(), self.inner.clock.now()).await?;
                if !more {
                    return Ok(Place::behind(known.queue().epoch, Cursor::After(position)));
                }
            }
        });
        Ok(found.await?.unwrap_or(Place::NOWHERE))
    }

    async fn place_behind(&self, project: &ProjectId, name: &QueueName, marker: &str) -> Result<Place> {
        let found = self.on_queue(project, name, FAILED, |known| async move {
            let start = self.start(&known, marker).await?;
            Ok(start.map(|cursor| Place::behind(known.queue().epoch, cursor)))
        });
        let place = match found.await? {
            Some(place) => place,
            // Of a queue that does not exist, everything is to come.
            None => (Marker::parse(marker, &Place::NOWHERE.queue(project, name)) != Marker::Foreign)
                .then_some(Place::NOWHERE),
        };
        place.ok_or(Error::invalid("The marker is none of this queue."))
    }
}

const FAILED: &str = "Messages could not be listed.";

impl Follower {
    /// The next messages, at least one, in order; waits for them. Bodies in clear. Cancelled, it loses nothing. While
    /// the store cannot be read it waits too; an error is a defect of this node, and its owner begins anew.
    pub async fn next(&mut self) -> Result<Batch> {
        loop {
            let batch = if self.pages.is_some() {
                // Apart, for most followers wait, and reading needs much more room than waiting.
                Box::pin(self.catch_up()).await
            } else {
                self.take().await?
            };
            if let Some(batch) = batch {
                return Ok(batch);
            }
        }
    }

    /// The marker behind the last message given, or where nothing was, of the beginning.
    pub fn marker(&self) -> String {
        self.place.marker(self.pump.project(), self.pump.name())
    }

    /// What the pump hands out next, as far as it is new here.
    async fn take(&mut self) -> Result<Option<Batch>> {
        match self.pieces.recv().await {
            Ok(piece) if piece.from > self.place => {
                self.pages = Some(Pages::default());
                Ok(None)
            }
            Ok(piece) => {
                let batch = piece.batch.behind(self.place);
                self.place = self.place.max(piece.to);
                Ok(Some(batch).filter(|batch| !batch.is_empty()))
            }
            Err(RecvError::Lagged(_)) => {
                self.pages = Some(Pages::default());
                Ok(None)
            }
            Err(RecvError::Closed) => Err(Error::Internal),
        }
    }

    /// Reads on from where this follower is, until that is where the pump is.
    async fn catch_up(&mut self) -> Option<Batch> {
        // What the pump had before the read, the read has met, so far as it is still there.
        let (target, Some(pages)) = (self.pump.place(), &mut self.pages) else { return None };
        if self.place >= target {
            self.pages = None;
            return None;
        }
        if let Some((_, over)) = self.pause {
            tokio::time::sleep_until(over).await;
        }
        let read = self.service.read_behind(self.pump.project(), self.pump.name(), self.place, pages).await;
        match read {
            Ok(read) => {
                self.pause = None;
                self.place = if read.more { read.place } else { read.place.max(target) };
                Some(Batch::from(read.messages)).filter(|batch| !batch.is_empty())
            }
            Err(error) => {
                tracing::debug!(error.cause = ?error, queue.name = %self.pump.name(), "a follower waits for its store");
                let pause = pause_after(self.pause.map(|(pause, _)| pause));
                self.pause = Some((pause, Instant::now() + pause));
                None
            }
        }
    }
}
