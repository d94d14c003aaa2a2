//! Messages: one call of the function library each.

use std::collections::HashSet;

use async_trait::async_trait;
use redis::Value;
use uuid::Uuid;

use super::codec::{self, Stored};
use super::keys;
use super::library::Operation;
use super::{MOST, RedisStore};
use crate::clock::Timestamp;
use crate::model::{Capability, ClaimId, Cursor, Message, MessageId, NewMessage, Position, QueueRef};
use crate::storage::{Deletion, ListQuery, Messages, Page, Popped, Result, Stats, Swept};
use crate::wake::{Bell, Who};

/// Bytes of a stored message beside body and client, and those of its protocol.
const OVERHEAD: usize = 128;

/// How often `stats` removes what has expired at the ends of a queue before it gives them up.
const ROUNDS: usize = 40;

#[async_trait]
impl Messages for RedisStore {
    async fn open(&self, queue: &QueueRef, now: Timestamp) -> Result<()> {
        let fill = |command: &mut redis::Cmd| {
            command.arg(Uuid::new_v4().as_bytes());
        };
        self.call(Operation::Open, queue, now, 16, fill).await.map(drop)
    }

    async fn drop_queue(&self, queue: &QueueRef) -> Result<()> {
        self.call(Operation::Drop, queue, Timestamp::default(), 0, |_| ()).await.map(drop)
    }

    async fn post(&self, queue: &QueueRef, messages: Vec<NewMessage>, now: Timestamp) -> Result<()> {
        let size = messages.iter().map(|new| new.body.len() + new.client.as_bytes().len() + OVERHEAD).sum();
        let fill = |command: &mut redis::Cmd| {
            let mut position = now.micros();
            for new in &messages {
                let stored = Stored {
                    position: Position(if new.delay > 0 { 0 } else { position }),
                    expires: now.plus_seconds(new.ttl),
                    created: now,
                    ttl: new.ttl,
                    client: new.client.as_bytes(),
                    checksum: new.checksum,
                    body: &new.body,
                };
                command.arg(new.id.0.as_bytes()).arg(stored.encode());
                match new.delay {
                    0 => command.arg(""),
                    delay => command.arg(now.plus_seconds(delay).micros()),
                };
                position += i64::from(new.delay == 0);
            }
        };
        self.call(Operation::Post, queue, now, size, fill).await.map(drop)
    }

    async fn list(&self, queue: &QueueRef, query: &ListQuery, now: Timestamp) -> Result<Page> {
        let fill = |command: &mut redis::Cmd| {
            fill_list(command, query, now);
        };
        let answer = self.call(Operation::List, queue, now, 128, fill).await?;
        page(answer, query.after)
    }

    async fn locate(&self, queue: &QueueRef, id: MessageId, now: Timestamp) -> Result<Option<Cursor>> {
        let fill = |command: &mut redis::Cmd| {
            command.arg(id.0.as_bytes());
        };
        let found = codec::messages(self.call(Operation::Locate, queue, now, 16, fill).await?)?;
        Ok(found.first().map(|message| message.cursor))
    }

    async fn end(&self, queue: &QueueRef, now: Timestamp) -> Result<(Position, bool)> {
        let [more, last] = codec::parts(self.call(Operation::Tail, queue, now, 0, |_| ()).await?)?;
        let last = codec::due(last)?.unwrap_or_default();
        Ok((Position(last.micros()), codec::flag(&more)?))
    }

    async fn get(&self, queue: &QueueRef, ids: &[MessageId], now: Timestamp) -> Result<Vec<Message>> {
        let fill = |command: &mut redis::Cmd| {
            let mut seen = HashSet::new();
            for id in ids.iter().filter(|id| seen.insert(**id)) {
                command.arg(id.0.as_bytes());
            }
        };
        codec::messages(self.call(Operation::Get, queue, now, 24 * ids.len(), fill).await?)
    }

    async fn delete(
        &self,
        queue: &QueueRef,
        id: MessageId,
        claim: Option<ClaimId>,
        now: Timestamp,
    ) -> Result<Deletion> {
        let fill = |command: &mut redis::Cmd| {
            command.arg(id.0.as_bytes());
            command.arg(claim.as_ref().map_or(&[][..], |claim| claim.0.as_bytes()));
        };
        deletion(self.call(Operation::Delete, queue, now, 48, fill).await?)
    }

    async fn delete_many(
        &self,
        queue: &QueueRef,
        ids: &[MessageId],
        claims: Option<&[ClaimId]>,
        now: Timestamp,
    ) -> Result<std::result::Result<u64, (MessageId, Deletion)>> {
        let fill = |command: &mut redis::Cmd| {
            let mut seen = HashSet::new();
            let ids: Vec<_> = ids.iter().filter(|id| seen.insert(**id)).collect();
            command.arg(u8::from(claims.is_some())).arg(ids.len());
            for id in ids {
                command.arg(id.0.as_bytes());
            }
            for claim in claims.unwrap_or_default() {
                command.arg(claim.0.as_bytes());
            }
        };
        let answer = self.call(Operation::DeleteMany, queue, now, 24 * ids.len(), fill).await?;
        let mut answer = codec::list(answer)?.into_iter();
        match (answer.next(), answer.next()) {
            (Some(deleted), None) => codec::count(&deleted).map(Ok),
            (Some(verdict), Some(id)) => Ok(Err((codec::id(id)?, deletion(verdict)?))),
            (None, _) => Err(codec::corrupt("empty answer")),
        }
    }

    async fn pop(&self, queue: &QueueRef, limit: usize, now: Timestamp) -> Result<Popped> {
        let fill = |command: &mut redis::Cmd| {
            command.arg(limit.min(MOST));
        };
        let answer = self.call(Operation::Pop, queue, now, 16, fill).await?;
        let [more, next_due, messages] = codec::parts(answer)?;
        Ok(Popped {
            messages: codec::messages(messages)?,
            more: codec::flag(&more)?,
            next_due: codec::due(next_due)?,
        })
    }

    async fn purge(&self, queue: &QueueRef, now: Timestamp) -> Result<(u64, bool)> {
        let [purged, more] = codec::parts(self.call(Operation::Purge, queue, now, 0, |_| ()).await?)?;
        Ok((codec::count(&purged)?, codec::flag(&more)?))
    }

    /// Where very much has expired at an end of the queue and was not swept yet, that end is not told.
    async fn stats(&self, queue: &QueueRef, now: Timestamp) -> Result<Stats> {
        let mut stats = Stats::default();
        for _ in 0..ROUNDS {
            let answer = self.call(Operation::Stats, queue, now, 0, |_| ()).await?;
            let [more, free, claimed, oldest, newest] = codec::parts(answer)?;
            stats = Stats {
                free: codec::count(&free)?,
                claimed: codec::count(&claimed)?,
                oldest: end(oldest)?,
                newest: end(newest)?,
            };
            if !codec::flag(&more)? {
                break;
            }
        }
        Ok(stats)
    }

    async fn sweep(&self, now: Timestamp, budget: usize) -> Result<Swept> {
        self.check_open()?;
        self.sweep_step(now, budget).await
    }

    /// In the order of the servers' `SCAN`. A walk is remembered by its last queue; one that is not remembered any
    /// more goes on in the order of names, at a higher cost.
    async fn opened(&self, after: Option<&QueueRef>, limit: usize) -> Result<Vec<QueueRef>> {
        self.check_open()?;
        self.opened_page(after, limit).await
    }

    /// The sum over all queues, each as it is when it is asked: exact while nothing changes.
    async fn volume(&self) -> Result<(u64, u64)> {
        self.check_open()?;
        self.sum_sizes().await
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Fifo, Capability::Claims, Capability::Aod, Capability::HighThroughput]
    }

    async fn identity(&self) -> Result<Uuid> {
        self.check_open()?;
        let mut make = redis::cmd("SET");
        make.arg(keys::IDENTITY).arg(Uuid::new_v4().as_bytes()).arg("NX");
        self.connection.call_confirmed(keys::IDENTITY.as_bytes(), &make).await?;
        let mut get = redis::cmd("GET");
        get.arg(keys::IDENTITY);
        let identity = codec::bytes(self.connection.call(keys::IDENTITY.as_bytes(), &get).await?)?;
        Uuid::from_slice(&identity).map_err(|_| codec::corrupt("identity"))
    }

    async fn ping(&self) -> Result<()> {
        self.check_open()?;
        for node in self.connection.masters().await? {
            node.call(&redis::cmd("PING")).await?;
        }
        let mut write = redis::cmd("SET");
        write.arg(keys::PING).arg("1").arg("EX").arg(60);
        match self.connection.call_confirmed(keys::PING.as_bytes(), &write).await? {
            Value::Okay => Ok(()),
            _ => Err(codec::corrupt("answer to a ping")),
        }
    }

    async fn watch(&self, queue: &QueueRef, who: Who) -> Result<Bell> {
        self.check_open()?;
        Ok(self.bells.watch(queue, who).await)
    }

    async fn close(&self) {
        self.closed.store(true, std::sync::atomic::Ordering::Release);
        self.bells.close();
    }
}

/// The arguments of `list`.
fn fill_list(command: &mut redis::Cmd, query: &ListQuery, now: Timestamp) {
    match query.after {
        Cursor::Head => command.arg("-inf").arg("").arg(""),
        Cursor::After(position) => command.arg(format!("({}", position.0)).arg("").arg(""),
        // What fell due since then has got positions from that time on.
        Cursor::AfterDelayed(due, _) if due <= now => command.arg(due.micros()).arg("").arg(""),
        Cursor::AfterDelayed(due, id) => command.arg("").arg(due.micros()).arg(id.0.as_bytes()),
    };
    command.arg(query.limit.min(MOST));
    match &query.without {
        Some(client) => command.arg(codec::client(client)),
        None => command.arg(""),
    };
    command.arg(u8::from(query.include_claimed)).arg(u8::from(query.include_delayed));
}

/// The answer of `list`.
fn page(answer: Value, after: Cursor) -> Result<Page> {
    let [resume, last, next_due, messages] = codec::parts(answer)?;
    let messages = codec::messages(messages)?;
    let resume = match codec::int(&resume)? {
        0 => None,
        1 => codec::some_message(last)?.map(|last| last.cursor),
        // From the last message that was given, since what is moved next may stand before the last one seen.
        2 => Some(messages.last().map_or(after, |message| message.cursor)),
        _ => return Err(codec::corrupt("page")),
    };
    Ok(Page { messages, resume, next_due: codec::due(next_due)? })
}

fn deletion(verdict: Value) -> Result<Deletion> {
    match codec::text(verdict)?.as_str() {
        "D" => Ok(Deletion::Deleted),
        "M" => Ok(Deletion::Missing),
        "C" => Ok(Deletion::Claimed),
        "N" => Ok(Deletion::NotClaimed),
        "O" => Ok(Deletion::ClaimedByOther),
        "S" => Ok(Deletion::NoSuchClaim),
        _ => Err(codec::corrupt("verdict")),
    }
}

/// A message at the end of a queue: its id and when it was posted.
fn end(message: Value) -> Result<Option<(MessageId, Timestamp)>> {
    Ok(codec::some_message(message)?.map(|found| (found.id, found.created)))
}
