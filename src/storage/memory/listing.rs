//! Reading one queue: a page of a listing, and messages by id.

use std::ops::Bound;

use super::queue::{Entry, QueueData};
use crate::clock::Timestamp;
use crate::model::{Cursor, Message, MessageId, Position};
use crate::storage::{EXAMINED, ListQuery, Page, STEP};

impl QueueData {
    /// A page of messages.
    pub(super) fn list(&mut self, query: &ListQuery, now: Timestamp) -> Page {
        let more = self.settle(now, STEP).more;
        let mut page = Page::default();
        let mut last = query.after;
        for (examined, id) in self.behind(query, now, more).enumerate() {
            if page.messages.len() == query.limit {
                return page;
            }
            if examined == EXAMINED {
                page.resume = Some(last);
                return page;
            }
            if let Some(entry) = self.messages.get(&id) {
                last = entry.cursor(id);
                let wanted = query.without.as_ref() != Some(&entry.client);
                page.messages.extend(self.read(id, now).filter(|_| wanted));
            }
        }
        if more && page.messages.len() < query.limit {
            // From the last message that was given, since what is moved next may stand before the last one seen.
            page.resume = Some(page.messages.last().map_or(query.after, |message| message.cursor));
        } else if page.messages.is_empty() {
            page.next_due = self.next_due();
        }
        page
    }

    /// The messages that the listing looks at, in order.
    fn behind(&self, query: &ListQuery, now: Timestamp, more: bool) -> impl Iterator<Item = MessageId> {
        let placed = if query.include_claimed { &self.line } else { &self.ready };
        let (position, delayed) = match query.after {
            Cursor::Head => (Some(Bound::Unbounded), Bound::Unbounded),
            Cursor::After(position) => (Some(Bound::Excluded(position)), Bound::Unbounded),
            Cursor::AfterDelayed(due, _) if due <= now => {
                (Some(Bound::Included(Position(due.micros()))), Bound::Unbounded)
            }
            Cursor::AfterDelayed(due, id) => (None, Bound::Excluded((due, id))),
        };
        let placed = position.map(|from| placed.range((from, Bound::Unbounded)));
        let delayed =
            (query.include_delayed && !more).then(|| self.delayed.range((delayed, Bound::Unbounded)));
        let placed = placed.into_iter().flatten().map(|(_, id)| *id);
        placed.chain(delayed.into_iter().flatten().map(|(_, id)| *id))
    }

    /// Where the message stands.
    pub(super) fn locate(&mut self, id: MessageId, now: Timestamp) -> Option<Cursor> {
        self.settle(now, STEP);
        self.alive(id, now).map(|entry: &Entry| entry.cursor(id))
    }

    /// The last position, and whether due messages will come behind it.
    pub(super) fn end(&mut self, now: Timestamp) -> (Position, bool) {
        let more = self.settle(now, STEP).more;
        (self.last, more)
    }

    /// Those of the messages that exist, each once.
    pub(super) fn get(&self, ids: &[MessageId], now: Timestamp) -> Vec<Message> {
        let mut seen = std::collections::HashSet::new();
        ids.iter().filter(|id| seen.insert(**id)).filter_map(|id| self.read(*id, now)).collect()
    }
}
