//! Reading a queue behind a place, whatever life of it there is.

use std::sync::Arc;

use super::batch::Followed;
use super::place::Place;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::{Message, ProjectId, QueueName};
use crate::service::Service;
use crate::service::registry::Known;
use crate::storage::{self, ListQuery, Page};

/// The most messages read at once.
const MOST: usize = 100;

/// About the most bytes of bodies that are wanted at once.
const WANTED: usize = 1 << 20;

/// How many messages the next read asks for, by the size of those that came: stores count messages, memory has bytes.
#[derive(Debug)]
pub(super) struct Pages {
    limit: usize,
}

impl Default for Pages {
    fn default() -> Self {
        Self { limit: 16 }
    }
}

impl Pages {
    fn learn(&mut self, messages: &[Message]) {
        let bytes: usize = messages.iter().map(|message| message.body.len()).sum();
        if bytes > WANTED {
            self.limit = (self.limit / 2).max(1);
        } else if bytes < WANTED / 2 {
            self.limit = (self.limit * 2).min(MOST);
        }
    }
}

/// What was found behind a place.
pub(super) struct Read {
    /// The messages that can be shown, in order.
    pub(super) messages: Vec<Followed>,
    /// How far was read.
    pub(super) place: Place,
    /// Whether there may be more now.
    pub(super) more: bool,
    /// When more will be, where nothing was found and that is known.
    pub(super) next_due: Option<Timestamp>,
    /// The queue that was read, if it exists.
    pub(super) known: Option<Arc<Known>>,
}

impl Service {
    /// The next messages behind that place: available ones and claimed ones, none that is not due.
    pub(super) async fn read_behind(
        &self,
        project: &ProjectId,
        name: &QueueName,
        place: Place,
        pages: &mut Pages,
    ) -> Result<Read> {
        let limit = pages.limit;
        let found = self.on_queue(project, name, super::FAILED, |known| async move {
            // An earlier life than one that was met before: the record is stale.
            let after = place.cursor_in(known.queue().epoch).ok_or(storage::Error::Gone)?;
            let query = ListQuery { after, limit, include_claimed: true, ..ListQuery::default() };
            let page = self.data(&known).await?.list(known.queue(), &query, self.inner.clock.now()).await?;
            Ok((known, query, page))
        });
        let Some((known, query, page)) = found.await? else {
            return Ok(Read { messages: Vec::new(), place, more: false, next_due: None, known: None });
        };
        pages.learn(&page.messages);
        let Page { messages, resume, next_due } = page;
        let (epoch, more) = (known.queue().epoch, resume.is_some() || messages.len() >= limit);
        let last = resume.or(messages.last().map(|message| message.cursor)).unwrap_or(query.after);
        let messages = messages.into_iter().filter_map(|message| self.followed(&known, message));
        Ok(Read {
            messages: messages.collect(),
            place: Place::behind(epoch, last),
            more,
            next_due,
            known: Some(known),
        })
    }

    /// A message as followers get it; one that cannot be opened is left out, for it must not end the stream.
    fn followed(&self, known: &Known, message: Message) -> Option<Followed> {
        let (queue, id, client) = (known.queue(), message.id, message.client.clone());
        let place = Place::behind(queue.epoch, message.cursor);
        match self.message_view(&queue.project, message, self.inner.clock.now()) {
            Ok(view) => Some(Followed::new(view, place.marker(&queue.project, &queue.name), client, place)),
            Err(error) => {
                tracing::error!(error.cause = ?error, queue.name = %queue.name, message.id = %id, "not pushed");
                None
            }
        }
    }
}
