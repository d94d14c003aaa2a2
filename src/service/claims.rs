//! Claims: create, read, renew, release.

use std::time::Duration;

use super::messages::Taken;
use super::queues::page_size;
use super::registry::Known;
use super::waiting::{Look, Wait};
use super::{Context, MessageView, Service};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::limits::{MIN_CLAIM_GRACE, MIN_CLAIM_TTL};
use crate::model::{ClaimId, Message, ProjectId, QueueName};
use crate::policy::Rule;
use crate::storage::{self, ClaimRequest};
use crate::telemetry::{self, Metric};
use crate::wake::{Key, Who};

const CLAIM_FAILED: &str = "Claim could not be created.";

/// A claim that is within the limits.
#[derive(Clone, Copy)]
struct Wanted {
    id: ClaimId,
    ttl: u64,
    grace: u64,
    limit: usize,
}

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

/// A claim as a client asks for it; what it does not say is as configured.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClaimRequested {
    /// Seconds that it lives.
    pub ttl: Option<i64>,
    /// Seconds that its messages live longer than itself.
    pub grace: Option<i64>,
    /// At most this many messages; 10 where it is not given.
    pub limit: Option<i64>,
    /// How long to wait while there are none; at most [`MAX_WAIT`](super::MAX_WAIT).
    pub wait: Duration,
}

/// A claim that was won.
pub struct Won {
    /// Its identity.
    pub id: ClaimId,
    /// Its messages, oldest first.
    pub messages: Vec<MessageView>,
    /// Releases it unless it is kept.
    pub hold: Hold,
}

/// A claim whose answer is on its way. Who waited may have gone meanwhile: a claim that nobody will know of is released
/// when this is dropped, unless [`Hold::keep`] was called. Of a claim that was not waited for this does nothing.
#[must_use = "a claim that is not kept is released"]
pub struct Hold(Option<Box<(Service, Key, ClaimId)>>);

impl Hold {
    /// The answer has reached its client, as far as anybody can tell.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let claim = self.0.as_ref().map(|held| held.2);
        f.debug_tuple("Hold").field(&claim).finish()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some((service, queue, claim)) = self.0.take().map(|held| *held) {
            let tasks = service.inner.tasks.clone();
            tasks.spawn(async move { service.give_back(&queue, claim).await });
        }
    }
}

impl Service {
    /// Claims the oldest messages that nobody holds; where there are none, waits for them as long as is asked. `None`
    /// where there is nothing to claim, the queue missing included.
    pub async fn claim(
        &self,
        context: &Context,
        name: &QueueName,
        requested: ClaimRequested,
    ) -> Result<Option<Won>> {
        context.granted(Rule::ClaimsCreate)?;
        let request = self.claim_request(requested)?;
        let (project, sentence) = (&context.project, CLAIM_FAILED);
        let wait = Wait { project, name, who: Who::Consumer, time: requested.wait, sentence };
        let (id, waits) = (request.id, !requested.wait.is_zero());
        let look = || async {
            let (messages, next_due, hold) = if waits {
                self.claim_apart(project, name, request).await?
            } else {
                let (messages, next_due) = self.claim_now(project, name, request).await?;
                (messages, next_due, Hold(None))
            };
            let empty = messages.is_empty();
            Ok(if empty { Look::Empty(None, next_due) } else { Look::Found(Some((messages, hold))) })
        };
        let Some((messages, hold)) = self.look_and_wait(&wait, look).await? else { return Ok(None) };
        telemetry::count(Metric::MessagesClaimed, &[], messages.len() as u64);
        match self.views(context, messages) {
            Ok(messages) => Ok(Some(Won { id, messages, hold })),
            Err(error) => {
                // Nobody will know this claim; its messages must not wait for its end.
                hold.keep();
                self.release_of(project, name, id).await?;
                Err(error)
            }
        }
    }

    /// What is asked, within the limits.
    fn claim_request(&self, requested: ClaimRequested) -> Result<Wanted> {
        let limits = self.limits();
        let ClaimRequested { ttl, grace, limit, .. } = requested;
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
        Ok(Wanted { id: ClaimId::new(self.inner.clock.now()), ttl, grace, limit })
    }

    async fn claim_now(&self, project: &ProjectId, name: &QueueName, wanted: Wanted) -> Result<Taken> {
        let claimed = self.on_queue(project, name, CLAIM_FAILED, |known| async move {
            let Wanted { id, ttl, grace, limit } = wanted;
            let dead_letters = known.attributes.dead_letters.clone();
            self.claim_page(&known, ClaimRequest { id, ttl, grace, limit, dead_letters }).await
        });
        Ok(claimed.await?.unwrap_or_default())
    }

    /// The same in a task: where the client goes away in the middle of it, what was claimed is given back.
    async fn claim_apart(
        &self,
        project: &ProjectId,
        name: &QueueName,
        wanted: Wanted,
    ) -> Result<(Vec<Message>, Option<Timestamp>, Hold)> {
        let (service, project, name) = (self.clone(), project.clone(), name.clone());
        let claimed = self.inner.tasks.spawn(async move {
            let (messages, next_due) = service.claim_now(&project, &name, wanted).await?;
            let held = (!messages.is_empty()).then(|| Box::new((service, (project, name), wanted.id)));
            Ok((messages, next_due, Hold(held)))
        });
        claimed.await.unwrap_or(Err(Error::Internal))
    }

    /// Claims until the page is full or nothing is left, and has dead letters moved.
    async fn claim_page(&self, known: &Known, mut request: ClaimRequest) -> storage::Result<Taken> {
        let (limit, mut messages, mut outgoing) = (request.limit, Vec::new(), false);
        let (data, mut next_due) = (self.data(known).await?, None);
        loop {
            match data.claim(known.queue(), &request, self.inner.clock.now()).await {
                Ok(claimed) => {
                    messages.extend(claimed.messages);
                    outgoing |= claimed.outgoing > 0;
                    next_due = claimed.next_due;
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
        Ok((messages, next_due))
    }

    /// A claim and its messages, by its id as the client sent it.
    pub async fn claimed(&self, context: &Context, name: &QueueName, id: &str) -> Result<ClaimAnswer> {
        context.granted(Rule::ClaimsGet)?;
        let missing = || Error::ClaimMissing(id.to_owned(), name.clone(), context.project.clone());
        let claim = ClaimId::parse(id);
        let found = self
            .on_queue(&context.project, name, "Claim could not be queried.", |known| async move {
                let Some(claim) = claim else { return Ok(None) };
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
        let claim = ClaimId::parse(id);
        let renewed = self
            .on_queue(&context.project, name, "Claim could not be updated.", |known| async move {
                let Some(claim) = claim else { return Ok(false) };
                self.data(&known).await?.renew(known.queue(), claim, ttl, grace, self.inner.clock.now()).await
            })
            .await?;
        if renewed == Some(true) { Ok(()) } else { Err(missing()) }
    }

    /// Ends a claim; one that does not exist is no error.
    pub async fn release(&self, context: &Context, name: &QueueName, id: &str) -> Result<()> {
        context.granted(Rule::ClaimsDelete)?;
        let project = &context.project;
        match ClaimId::parse(id) {
            Some(claim) => self.release_of(project, name, claim).await,
            // What is no id names no claim; but a store that fails is never taken for one that has none.
            None => self.known(project, name).await.map(drop),
        }
    }

    async fn release_of(&self, project: &ProjectId, name: &QueueName, claim: ClaimId) -> Result<()> {
        self.on_queue(project, name, "Claim could not be deleted.", |known| async move {
            self.data(&known).await?.release(known.queue(), claim, self.inner.clock.now()).await
        })
        .await?;
        Ok(())
    }

    /// Releases a claim that nobody knows of.
    async fn give_back(&self, (project, name): &Key, claim: ClaimId) {
        if let Err(error) = self.release_of(project, name, claim).await {
            tracing::warn!(error.cause = ?error, queue.name = %name, "a claim that nobody knows of lives until its end");
        }
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
