//! Claims: one call of the function library each.

use async_trait::async_trait;

use super::library::Operation;
use super::{MOST, RedisStore, codec};
use crate::clock::Timestamp;
use crate::model::{Claim, ClaimId, Message, QueueRef};
use crate::storage::{ClaimRequest, Claimed, Claims, Result};

#[async_trait]
impl Claims for RedisStore {
    async fn claim(&self, queue: &QueueRef, request: &ClaimRequest, now: Timestamp) -> Result<Claimed> {
        let fill = |command: &mut redis::Cmd| fill_claim(command, request, now);
        let answer = self.call(Operation::Claim, queue, now, 192, fill).await?;
        let [more, outgoing, next_due, messages] = codec::parts(answer)?;
        let outgoing = usize::try_from(codec::count(&outgoing)?).unwrap_or(usize::MAX);
        if outgoing > 0 {
            self.unfinished.note(queue);
        }
        Ok(Claimed {
            messages: codec::messages(messages)?,
            outgoing,
            more: codec::flag(&more)?,
            next_due: codec::due(next_due)?,
        })
    }

    async fn claimed(
        &self,
        queue: &QueueRef,
        claim: ClaimId,
        now: Timestamp,
    ) -> Result<Option<(Claim, Vec<Message>)>> {
        let fill = |command: &mut redis::Cmd| {
            command.arg(claim.0.as_bytes());
        };
        let answer = codec::list(self.call(Operation::Claimed, queue, now, 16, fill).await?)?;
        if answer.is_empty() {
            return Ok(None);
        }
        let [record, messages] = codec::parts(redis::Value::Array(answer))?;
        let mut messages = codec::messages(messages)?;
        messages.sort_unstable_by_key(|message| message.cursor);
        Ok(Some((codec::claim(claim, record)?, messages)))
    }

    async fn renew(
        &self,
        queue: &QueueRef,
        claim: ClaimId,
        ttl: u64,
        grace: u64,
        now: Timestamp,
    ) -> Result<bool> {
        let fill = |command: &mut redis::Cmd| {
            command.arg(claim.0.as_bytes()).arg(&ttl.to_be_bytes());
            command.arg(&codec::time(now.plus_seconds(ttl))).arg(grace);
        };
        codec::flag(&self.call(Operation::Renew, queue, now, 64, fill).await?)
    }

    async fn release(&self, queue: &QueueRef, claim: ClaimId, now: Timestamp) -> Result<()> {
        let fill = |command: &mut redis::Cmd| {
            command.arg(claim.0.as_bytes());
        };
        self.call(Operation::Release, queue, now, 16, fill).await.map(drop)
    }
}

/// The arguments of `claim`.
fn fill_claim(command: &mut redis::Cmd, request: &ClaimRequest, now: Timestamp) {
    command.arg(request.id.0.as_bytes()).arg(&request.ttl.to_be_bytes());
    command.arg(&codec::time(now.plus_seconds(request.ttl))).arg(request.grace).arg(request.limit.min(MOST));
    let Some(dead) = &request.dead_letters else {
        command.arg("").arg("").arg("").arg("");
        return;
    };
    command.arg(dead.max_claims).arg(codec::target(&dead.target));
    match dead.ttl {
        Some(ttl) => command.arg(&ttl.to_be_bytes()).arg(&codec::time(now.plus_seconds(ttl))),
        None => command.arg("").arg(""),
    };
}
