//! Claims on a queue on its way. A claim may hold messages in both stores; made at two moments, as the service does where
//! one call did not fill a page, its parts end at two moments until they come together, and then at the later.

use async_trait::async_trait;

use super::{Moving, merge, unless_gone};
use crate::clock::Timestamp;
use crate::model::{Claim, ClaimId, Message, QueueRef};
use crate::storage::{ClaimRequest, Claimed, Claims, Result};

#[async_trait]
impl Claims for Moving {
    async fn claim(&self, queue: &QueueRef, request: &ClaimRequest, now: Timestamp) -> Result<Claimed> {
        let first = unless_gone(self.source.claim(&queue.sealed(), request, now).await)?.unwrap_or_default();
        if first.messages.len() >= request.limit || first.more {
            return Ok(first);
        }
        let rest = ClaimRequest { limit: request.limit - first.messages.len(), ..request.clone() };
        let second = async {
            self.deliver(queue, now).await?;
            self.target.claim(queue, &rest, now).await
        };
        match second.await {
            Ok(second) => Ok(both(first, second, now)),
            // What was claimed already must reach its client.
            Err(_) if !first.messages.is_empty() => Ok(first),
            Err(error) => Err(error),
        }
    }

    async fn claimed(
        &self,
        queue: &QueueRef,
        claim: ClaimId,
        now: Timestamp,
    ) -> Result<Option<(Claim, Vec<Message>)>> {
        let source = unless_gone(self.source.claimed(&queue.sealed(), claim, now).await)?.flatten();
        self.deliver(queue, now).await?;
        let target = self.target.claimed(queue, claim, now).await?;
        Ok(match (source, target) {
            (Some((first, held)), Some((second, more))) => {
                let claim = if first.expires > second.expires { first } else { second };
                Some((claim, merge::united(held, more)))
            }
            (source, target) => source.or(target),
        })
    }

    async fn renew(
        &self,
        queue: &QueueRef,
        claim: ClaimId,
        ttl: u64,
        grace: u64,
        now: Timestamp,
    ) -> Result<bool> {
        let source = unless_gone(self.source.renew(&queue.sealed(), claim, ttl, grace, now).await)?;
        self.deliver(queue, now).await?;
        let target = self.target.renew(queue, claim, ttl, grace, now).await?;
        Ok(target || source == Some(true))
    }

    async fn release(&self, queue: &QueueRef, claim: ClaimId, now: Timestamp) -> Result<()> {
        unless_gone(self.source.release(&queue.sealed(), claim, now).await)?;
        self.deliver(queue, now).await?;
        self.target.release(queue, claim, now).await
    }
}

/// What a claim won in both stores.
fn both(first: Claimed, second: Claimed, now: Timestamp) -> Claimed {
    let mut won = second;
    won.messages.splice(0..0, first.messages);
    won.outgoing += first.outgoing;
    let none = won.messages.is_empty() && !won.more;
    won.next_due = merge::earliest(first.next_due, won.next_due, now).filter(|_| none);
    won
}
