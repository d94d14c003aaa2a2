//! Pages of a queue: ready messages by position, with claimed ones among them and delayed ones behind them.

use std::iter::Peekable;

use rusqlite::{Row, params};
use uuid::Uuid;

use super::claim_row::ClaimRow;
use super::db::Db;
use super::place::Place;
use super::queue::Queue;
use super::{Outcome, due};
use crate::clock::Timestamp;
use crate::model::{ClaimId, Cursor, Message, Position};
use crate::storage::{EXAMINED, ListQuery, Page};

/// A page; `more` tells that due messages were left unmoved, so that a short page is not the end.
pub(super) fn page(
    db: &Db<'_>,
    queue: &Queue,
    query: &ListQuery,
    now: Timestamp,
    more: bool,
) -> Outcome<Page> {
    let mut lister = Lister { db, queue, query, now, page: Page::default(), examined: 0, at: query.after };
    lister.placed()?;
    if !more {
        lister.delayed()?;
    }
    let Lister { mut page, examined, at, .. } = lister;
    let short = page.messages.len() < query.limit;
    if short && examined >= EXAMINED {
        page.resume = Some(at);
    } else if short && more {
        // Not behind what was examined last, for what is moved next may stand before it.
        page.resume = Some(page.messages.last().map_or(query.after, |message| message.cursor));
    } else if page.messages.is_empty() {
        page.next_due = due::next(db, queue)?;
    }
    Ok(page)
}

struct Lister<'a, 'c> {
    db: &'a Db<'c>,
    queue: &'a Queue,
    query: &'a ListQuery,
    now: Timestamp,
    page: Page,
    examined: usize,
    /// Behind what was examined last.
    at: Cursor,
}

impl Lister<'_, '_> {
    /// Room for another message, and leave to look at another position.
    fn goes_on(&self) -> bool {
        self.page.messages.len() < self.query.limit && self.examined < EXAMINED
    }

    fn examine(&mut self, at: Cursor) {
        self.examined += 1;
        self.at = at;
    }

    /// Ready messages, and claimed ones where they are asked for.
    fn placed(&mut self) -> Outcome<()> {
        let after = match self.query.after {
            Cursor::Head => i64::MIN,
            Cursor::After(position) => position.0,
            // What fell due since then has got positions from that time on.
            Cursor::AfterDelayed(due, _) if due <= self.now => due.micros().saturating_sub(1),
            Cursor::AfterDelayed(..) => return Ok(()),
        };
        let ready = "SELECT position, key, expires, ttl, count, client FROM ready
                     WHERE queue = ? AND position > ? ORDER BY position";
        let claimed = "SELECT position, key, expires, ttl, count, client, claim FROM claimed
                       WHERE queue = ? AND position > ? ORDER BY position";
        let asked = if self.query.include_claimed { self.queue.key } else { NO_QUEUE };
        let (db, query, now) = (self.db, self.query, self.now);
        db.with(ready, |ready| {
            db.with(claimed, |claimed| {
                let read = |row: &Row<'_>| Seen::read(row, query, now, false);
                let ready = ready.query_map([self.queue.key, after], read)?;
                let read = |row: &Row<'_>| Seen::read(row, query, now, true);
                let claimed = claimed.query_map([asked, after], read)?;
                self.merge(ready.peekable(), claimed.peekable())
            })
        })
    }

    /// Takes the messages of both tables in the order of their positions.
    fn merge<A, B>(&mut self, mut ready: Peekable<A>, mut claimed: Peekable<B>) -> Outcome<()>
    where
        A: Iterator<Item = rusqlite::Result<Seen>>,
        B: Iterator<Item = rusqlite::Result<Seen>>,
    {
        while self.goes_on() {
            let Some(seen) = first(&mut ready, &mut claimed).transpose()? else { break };
            self.examine(Cursor::After(Position(seen.position)));
            if let Some(place) = seen.place {
                let claim = self.live_claim(&place)?;
                self.page.messages.push(place.message(self.db, claim)?);
            }
        }
        Ok(())
    }

    /// The claim of a place if it is alive; neighbours mostly share theirs.
    fn live_claim(&self, place: &Place) -> Outcome<Option<ClaimId>> {
        let Some(id) = place.claim.map(|id| ClaimId(Uuid::from_bytes(id))) else { return Ok(None) };
        if self.page.messages.last().is_some_and(|message| message.claim == Some(id)) {
            return Ok(Some(id));
        }
        Ok(ClaimRow::live(self.db, self.queue.key, id, self.now)?.map(|claim| claim.id))
    }

    /// Messages not yet due, where they are asked for.
    fn delayed(&mut self) -> Outcome<()> {
        if !self.query.include_delayed || self.queue.delayed == 0 {
            return Ok(());
        }
        let (due, id) = match self.query.after {
            Cursor::AfterDelayed(due, id) if due > self.now => (due.micros(), id.0.into_bytes()),
            _ => (i64::MIN, [0; 16]),
        };
        let sql = "SELECT due, id, key, expires, ttl, client FROM delayed
                   WHERE queue = ? AND (due, id) > (?, ?) ORDER BY due, id";
        self.db.with(sql, |statement| {
            let mut rows = statement.query(params![self.queue.key, due, id])?;
            while self.goes_on() {
                let Some(row) = rows.next()? else { break };
                let (due, id, place) = due::delayed(row)?;
                self.examine(Cursor::AfterDelayed(due, id));
                if visible(self.query, self.now, place.expires, &place.client) {
                    let message = place.message(self.db, None)?;
                    self.page.messages.push(Message { cursor: self.at, ..message });
                }
            }
            Ok(())
        })
    }
}

/// The key of no queue.
const NO_QUEUE: i64 = -1;

/// A position that was looked at, and what lies there if the query wants it.
struct Seen {
    position: i64,
    place: Option<Place>,
}

impl Seen {
    fn read(row: &Row<'_>, query: &ListQuery, now: Timestamp, claimed: bool) -> rusqlite::Result<Self> {
        let position = row.get(0)?;
        let place = if visible(query, now, row.get(2)?, row.get_ref(5)?.as_blob()?) {
            Some(if claimed { Place::claimed(row)? } else { Place::ready(row)? })
        } else {
            None
        };
        Ok(Self { position, place })
    }
}

fn visible(query: &ListQuery, now: Timestamp, expires: i64, client: &[u8]) -> bool {
    let own = query.without.as_ref().is_some_and(|without| without.as_bytes() == client);
    expires > now.micros() && !own
}

/// The next of two ascending streams; an error comes at once.
fn first<A, B>(left: &mut Peekable<A>, right: &mut Peekable<B>) -> Option<rusqlite::Result<Seen>>
where
    A: Iterator<Item = rusqlite::Result<Seen>>,
    B: Iterator<Item = rusqlite::Result<Seen>>,
{
    match (left.peek(), right.peek()) {
        (Some(Ok(a)), Some(Ok(b))) if b.position < a.position => right.next(),
        (None, _) | (_, Some(Err(_))) => right.next(),
        _ => left.next(),
    }
}
