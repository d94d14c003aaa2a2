//! The messages of a queue on its way.

use std::cmp::Ordering;

use async_trait::async_trait;
use uuid::Uuid;

use super::{Moving, merge, unless_gone};
use crate::clock::Timestamp;
use crate::model::{Capability, ClaimId, Cursor, Message, MessageId, NewMessage, Position, QueueRef};
use crate::storage::{Claims as _, Deletion, ListQuery, Messages, Page, Popped, Result, Stats, Swept};
use crate::wake::{Bell, Who};

/// The id and creation time of a message at one end of a queue.
type End = (MessageId, Timestamp);

#[async_trait]
impl Messages for Moving {
    async fn open(&self, queue: &QueueRef, now: Timestamp) -> Result<()> {
        self.target.open(queue, now).await
    }

    async fn drop_queue(&self, queue: &QueueRef) -> Result<()> {
        self.source.drop_queue(&queue.sealed()).await?;
        self.target.drop_queue(queue).await
    }

    async fn post(&self, queue: &QueueRef, messages: Vec<NewMessage>, now: Timestamp) -> Result<()> {
        self.target.post(queue, messages, now).await
    }

    async fn list(&self, queue: &QueueRef, query: &ListQuery, now: Timestamp) -> Result<Page> {
        let source = unless_gone(self.source.list(&queue.sealed(), query, now).await)?;
        self.deliver(queue, now).await?;
        let target = self.target.list(queue, query, now).await?;
        Ok(match source {
            Some(source) => merge::pages(query, source, target, now),
            None => target,
        })
    }

    async fn locate(&self, queue: &QueueRef, id: MessageId, now: Timestamp) -> Result<Option<Cursor>> {
        let source = unless_gone(self.source.locate(&queue.sealed(), id, now).await)?.flatten();
        if source.is_some() {
            return Ok(source);
        }
        self.deliver(queue, now).await?;
        self.target.locate(queue, id, now).await
    }

    /// The target's: it has adopted what the source gave away, which gives nothing away any more.
    async fn end(&self, queue: &QueueRef, now: Timestamp) -> Result<(Position, bool)> {
        self.deliver(queue, now).await?;
        self.target.end(queue, now).await
    }

    async fn get(&self, queue: &QueueRef, ids: &[MessageId], now: Timestamp) -> Result<Vec<Message>> {
        let source = unless_gone(self.source.get(&queue.sealed(), ids, now).await)?;
        self.deliver(queue, now).await?;
        let target = self.target.get(queue, ids, now).await?;
        let mut found = merge::united(source.unwrap_or_default(), target);
        found.sort_by_key(|message| ids.iter().position(|id| *id == message.id));
        Ok(found)
    }

    async fn delete(
        &self,
        queue: &QueueRef,
        id: MessageId,
        claim: Option<ClaimId>,
        now: Timestamp,
    ) -> Result<Deletion> {
        let source = unless_gone(self.source.delete(&queue.sealed(), id, claim, now).await)?;
        let verdict = match source {
            Some(verdict) if verdict != Deletion::Missing => verdict,
            _ => {
                self.deliver(queue, now).await?;
                self.target.delete(queue, id, claim, now).await?
            }
        };
        // Each store knows its own part of a claim.
        let claims = claim.as_slice();
        if verdict == Deletion::NoSuchClaim && self.any_alive(queue, claims, now).await? {
            return Ok(Deletion::ClaimedByOther);
        }
        Ok(verdict)
    }

    async fn delete_many(
        &self,
        queue: &QueueRef,
        ids: &[MessageId],
        claims: Option<&[ClaimId]>,
        now: Timestamp,
    ) -> Result<std::result::Result<u64, (MessageId, Deletion)>> {
        if let Some(claims) = claims
            && let Some(refusal) = self.judge(queue, ids, claims, now).await?
        {
            return Ok(Err(refusal));
        }
        let source = unless_gone(self.source.delete_many(&queue.sealed(), ids, claims, now).await)?;
        let first = match source.unwrap_or(Ok(0)) {
            Ok(deleted) => deleted,
            refusal => return Ok(refusal),
        };
        self.deliver(queue, now).await?;
        let second = self.target.delete_many(queue, ids, claims, now).await?;
        Ok(second.map(|second| first + second))
    }

    async fn pop(&self, queue: &QueueRef, limit: usize, now: Timestamp) -> Result<Popped> {
        let first = unless_gone(self.source.pop(&queue.sealed(), limit, now).await)?.unwrap_or_default();
        if first.messages.len() >= limit || first.more {
            return Ok(first);
        }
        let left = limit - first.messages.len();
        let second = async {
            self.deliver(queue, now).await?;
            self.target.pop(queue, left, now).await
        };
        match second.await {
            Ok(mut second) => {
                second.next_due = merge::earliest(first.next_due, second.next_due, now);
                second.messages.splice(0..0, first.messages);
                let none = second.messages.is_empty() && !second.more;
                second.next_due = second.next_due.filter(|_| none);
                Ok(second)
            }
            // What was popped already must reach its client.
            Err(_) if !first.messages.is_empty() => Ok(first),
            Err(error) => Err(error),
        }
    }

    async fn purge(&self, queue: &QueueRef, now: Timestamp) -> Result<(u64, bool)> {
        let source = unless_gone(self.source.purge(&queue.sealed(), now).await)?;
        let (first, more) = source.unwrap_or_default();
        if more {
            return Ok((first, true));
        }
        self.deliver(queue, now).await?;
        let (second, more) = self.target.purge(queue, now).await?;
        Ok((first + second, more))
    }

    async fn stats(&self, queue: &QueueRef, now: Timestamp) -> Result<Stats> {
        let source = unless_gone(self.source.stats(&queue.sealed(), now).await)?;
        self.deliver(queue, now).await?;
        let target = self.target.stats(queue, now).await?;
        let Some(source) = source else { return Ok(target) };
        Ok(Stats {
            free: source.free + target.free,
            claimed: source.claimed + target.claimed,
            oldest: self.end(queue, [source.oldest, target.oldest], Ordering::Less, now).await?,
            newest: self.end(queue, [source.newest, target.newest], Ordering::Greater, now).await?,
        })
    }

    async fn sweep(&self, now: Timestamp, budget: usize) -> Result<Swept> {
        let first = self.source.sweep(now, budget).await?;
        if first.more {
            return Ok(first);
        }
        let left = budget.saturating_sub(usize::try_from(first.messages).unwrap_or(budget));
        let second = self.target.sweep(now, left).await?;
        Ok(Swept {
            messages: first.messages + second.messages,
            claims: first.claims + second.claims,
            more: second.more,
        })
    }

    async fn opened(&self, after: Option<&QueueRef>, limit: usize) -> Result<Vec<QueueRef>> {
        self.target.opened(after, limit).await
    }

    async fn volume(&self) -> Result<(u64, u64)> {
        let (source, target) = (self.source.volume().await?, self.target.volume().await?);
        Ok((source.0 + target.0, source.1 + target.1))
    }

    /// The target's.
    fn capabilities(&self) -> &'static [Capability] {
        self.target.capabilities()
    }

    /// The target's.
    async fn identity(&self) -> Result<Uuid> {
        self.target.identity().await
    }

    async fn ping(&self) -> Result<()> {
        self.source.ping().await?;
        self.target.ping().await
    }

    async fn watch(&self, queue: &QueueRef, who: Who) -> Result<Bell> {
        let source = self.source.watch(&queue.sealed(), who).await?;
        Ok(self.target.watch(queue, who).await?.or(source))
    }

    /// Ends both stores.
    async fn close(&self) {
        self.source.close().await;
        self.target.close().await;
    }
}

impl Moving {
    /// The first of the messages that may not be deleted with these claims, and why.
    async fn judge(
        &self,
        queue: &QueueRef,
        ids: &[MessageId],
        claims: &[ClaimId],
        now: Timestamp,
    ) -> Result<Option<(MessageId, Deletion)>> {
        let found = self.get(queue, ids, now).await?;
        let held_by_us = |message: &Message| message.claim.is_some_and(|holder| claims.contains(&holder));
        let Some(refused) = found.iter().find(|message| !held_by_us(message)) else { return Ok(None) };
        let why = match refused.claim {
            None => Deletion::NotClaimed,
            Some(_) if self.any_alive(queue, claims, now).await? => Deletion::ClaimedByOther,
            Some(_) => Deletion::NoSuchClaim,
        };
        Ok(Some((refused.id, why)))
    }

    /// The one of two messages that stands before or behind the other.
    async fn end(
        &self,
        queue: &QueueRef,
        ends: [Option<End>; 2],
        wanted: Ordering,
        now: Timestamp,
    ) -> Result<Option<End>> {
        let [Some(first), Some(second)] = ends else { return Ok(ends[0].or(ends[1])) };
        let place = self.locate(queue, first.0, now).await?;
        let other = self.locate(queue, second.0, now).await?;
        Ok(Some(if place.cmp(&other) == wanted { first } else { second }))
    }

    async fn any_alive(&self, queue: &QueueRef, claims: &[ClaimId], now: Timestamp) -> Result<bool> {
        for claim in claims {
            if self.claimed(queue, *claim, now).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
