//! What two stores say of one queue, as one answer.

use std::collections::HashSet;

use crate::clock::Timestamp;
use crate::model::{Cursor, Message, MessageId, Position};
use crate::storage::{ListQuery, Page};

/// Microseconds after which to look again for a message that is due but not where it becomes ready yet.
const SOON: i64 = 100_000;

/// A page of both. Where one of them was cut short, what the other has behind that point is left for the next page.
pub(super) fn pages(query: &ListQuery, source: Page, target: Page, now: Timestamp) -> Page {
    let due = earliest(source.next_due, target.next_due, now);
    // What is due in the source becomes ready in the target, at its end; until then it stands nowhere.
    let stands = |cursor: Cursor| !matches!(cursor, Cursor::AfterDelayed(due, _) if due <= now);
    let cut = horizon(&source, query.limit);
    let ends = [cut.filter(|cut| stands(*cut)), horizon(&target, query.limit)];
    let hidden = cut.filter(|cut| !stands(*cut)).map(|_| Cursor::After(Position(i64::MAX)));
    let end = ends.into_iter().flatten().min();
    let from_source = source.messages.into_iter().filter(|message| stands(message.cursor));
    let mut messages = united(from_source, target.messages);
    let last = end.into_iter().chain(hidden).min();
    messages.retain(|message| last.is_none_or(|last| message.cursor <= last));
    messages.truncate(query.limit);
    let resume = end.filter(|end| messages.len() < query.limit && last == Some(*end));
    let next_due = due.filter(|_| messages.is_empty() && resume.is_none());
    Page { messages, resume, next_due }
}

/// The last point up to which a page is complete; `None` where it reaches the end of the queue.
fn horizon(page: &Page, limit: usize) -> Option<Cursor> {
    let last = page.messages.last().filter(|_| page.messages.len() >= limit);
    page.resume.or(last.map(|message| message.cursor))
}

/// The messages of both in order, each once; the target's word counts.
pub(super) fn united(source: impl IntoIterator<Item = Message>, target: Vec<Message>) -> Vec<Message> {
    let known: HashSet<MessageId> = target.iter().map(|message| message.id).collect();
    let mut messages = target;
    messages.extend(source.into_iter().filter(|message| !known.contains(&message.id)));
    messages.sort_by_key(|message| message.cursor);
    messages
}

/// When to look again.
pub(super) fn earliest(
    source: Option<Timestamp>,
    target: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let soon = Timestamp::from_micros(now.micros().saturating_add(SOON));
    let source = source.map(|due| if due <= now { soon } else { due });
    source.into_iter().chain(target).min()
}
