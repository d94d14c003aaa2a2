//! Claims: create, read, renew, release.

use super::queues::page_size;
use super::registry::Known;
use super::{Context, MessageView, Service};
use crate::error::{Error, Result};
use crate::model::limits::{MIN_CLAIM_GRACE, MIN_CLAIM_TTL};
use crate::model::{ClaimId, Message, QueueName};
use crate::policy::Rule;
use crate::storage::{self, ClaimRequest};
use crate::telemetry::{self, Metric};

/// A claim as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimAnswer {
    /// Seconds since it was made or renewed.
    pub age: u64,
    /// Seconds it lives, counted from then.
    pub ttl: u64,
    /// Its messages, oldest first.
    pub messages: Vec<MessageView>,
}

impl Service {
    /// Claims the oldest messages that nobody holds. `None` where there is nothing to claim, the queue missing
    /// included.
    pub async fn claim(
        &self,
        context: &Context,
        name: &QueueName,
        ttl: Option<i64>,
        grace: Option<i64>,
        limit: Option<i64>,
    ) -> Result<Option<(ClaimId, Vec<MessageView>)>> {
        context.granted(Rule::ClaimsCreate)?;
        let limits = self.limits();
        let ttl = self.claim_ttl(ttl)?;
        let most = limits.max_messages_per_claim_or_pop;
        let limit = page_size(limit, most).ok_or_else(|| super::messages::limit_error(most))?;
        let grace = grace.map_or(Some(limits.defaults.claim_grace), |grace| u64::try_from(grace).ok());
        let grace = grace.filter(|grace| (MIN_CLAIM_GRACE..=limits.max_claim_grace).contains(grace));
        let grace = grace.ok_or_else(|| {
            Error::invalid(format!(
                "The grace for a claim may not exceed {} seconds, and must be at least {MIN_CLAIM_GRACE} seconds long.",
                limits.max_claim_grace
            ))
        })?;
        let id = ClaimId::new(self.inner.clock.now());
        let claimed = self
            .on_queue(&context.project, name, "Claim could not be created.", |known| async move {
                let dead_letters = known.attributes.dead_letters.clone();
                self.claim_page(&known, ClaimRequest { id, ttl, grace, limit, dead_letters }).await
            })
            .await?;
        let Some(messages) = claimed.filter(|messages| !messages.is_empty()) else { return Ok(None) };
        telemetry::count(Metric::MessagesClaimed, &[], messages.len() as u64);
        match self.views(context, messages) {
            Ok(views) => Ok(Some((id, views))),
            Err(error) => {
                // Nobody will know this claim; its messages must not wait for its end.
                self.release(context, name, &id.to_string()).await?;
                Err(error)
            }
        }
    }

    /// Claims until the page is full or nothing is left, and has dead letters moved.
    async fn claim_page(&self, known: &Known, mut request: ClaimRequest) -> storage::Result<Vec<Message>> {
        let (limit, mut messages, mut outgoing) = (request.limit, Vec::new(), false);
        let data = self.data(known).await?;
        loop {
            match data.claim(known.queue(), &request, self.inner.clock.now()).await {
                Ok(claimed) => {
                    messages.extend(claimed.messages);
                    outgoing |= claimed.outgoing > 0;
                    if !claimed.more || messages.len() >= limit {
                        break;
                    }
                    request.limit = limit - messages.len();
                }
                // What was claimed already must reach its client.
                Err(_) if !messages.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        if outgoing {
            match self.places(known).await {
                Ok(places) => {
                    for (queue, store) in places {
                        self.move_dead_letters(queue, store).await;
                    }
                }
                Err(error) => tracing::warn!(error.cause = ?error, "dead letters wait for the next sweep"),
            }
        }
        Ok(messages)
    }

    /// A claim and its messages, by its id as the client sent it.
    pub async fn claimed(&self, context: &Context, name: &QueueName, id: &str) -> Result<ClaimAnswer> {
        context.granted(Rule::ClaimsGet)?;
        let missing = || Error::ClaimMissing(id.to_owned(), name.clone(), context.project.clone());
        let claim = ClaimId::parse(id).ok_or_else(missing)?;
        let found = self
            .on_queue(&context.project, name, "Claim could not be queried.", |known| async move {
                self.data(&known).await?.claimed(known.queue(), claim, self.inner.clock.now()).await
            })
            .await?;
        let (claim, messages) = found.flatten().ok_or_else(missing)?;
        let age = self.inner.clock.now().seconds_since(claim.expires.minus_seconds(claim.ttl));
        Ok(ClaimAnswer { age, ttl: claim.ttl, messages: self.views(context, messages)? })
    }

    /// Starts a claim anew.
    pub async fn renew(
        &self,
        context: &Context,
        name: &QueueName,
        id: &str,
        ttl: Option<i64>,
        grace: Option<i64>,
    ) -> Result<()> {
        context.granted(Rule::ClaimsUpdate)?;
        let ttl = self.claim_ttl(ttl)?;
        // Its range is not checked here, as in the reference (rest.md 6.4); what is negative adds nothing.
        let grace =
            grace.map_or(self.limits().defaults.claim_grace, |grace| u64::try_from(grace).unwrap_or(0));
        let missing = || Error::ClaimMissing(id.to_owned(), name.clone(), context.project.clone());
        let claim = ClaimId::parse(id).ok_or_else(missing)?;
        let renewed = self
            .on_queue(&context.project, name, "Claim could not be updated.", |known| async move {
                self.data(&known).await?.renew(known.queue(), claim, ttl, grace, self.inner.clock.now()).await
            })
            .await?;
        if renewed == Some(true) { Ok(()) } else { Err(missing()) }
    }

    /// Ends a claim; one that does not exist is no error.
    pub async fn release(&self, context: &Context, name: &QueueName, id: &str) -> Result<()> {
        context.granted(Rule::ClaimsDelete)?;
        let Some(claim) = ClaimId::parse(id) else { return Ok(()) };
        self.on_queue(&context.project, name, "Claim could not be deleted.", |known| async move {
            self.data(&known).await?.release(known.queue(), claim, self.inner.clock.now()).await
        })
        .await?;
        Ok(())
    }

    fn claim_ttl(&self, ttl: Option<i64>) -> Result<u64> {
        let limits = self.limits();
        let ttl = ttl.map_or(Some(limits.defaults.claim_ttl), |ttl| u64::try_from(ttl).ok());
        ttl.filter(|ttl| (MIN_CLAIM_TTL..=limits.max_claim_ttl).contains(ttl)).ok_or_else(|| {
            Error::invalid(format!(
                "The TTL for a claim may not exceed {} seconds, and must be at least {MIN_CLAIM_TTL} seconds long.",
                limits.max_claim_ttl
            ))
        })
    }
}
