//! Messages: post, list, get, delete, pop.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::queues::page_size;
use super::registry::Known;
use super::waiting::{Look, Wait};
use super::{Context, Service};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::json::Posted;
use crate::model::limits::MIN_MESSAGE_TTL;
use crate::model::{
    ClaimId, Cursor, Marker, Message, MessageId, NewMessage, Position, ProjectId, QueueName, checksum,
};
use crate::policy::Rule;
use crate::storage::{self, Deletion, ListQuery};
use crate::telemetry::{self, Metric};
use crate::wake::Who;

use super::attributes::Attributes;

/// What a queue demands of the body of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostTerms {
    /// The most bytes it may have.
    pub max_size: u64,
    /// Whether messages may be delayed; otherwise `delay` is an unknown field.
    pub delays: bool,
    /// The service's limit, and the queue's where it has one.
    limits: (u64, Option<u64>),
}

impl PostTerms {
    /// The refusal of a body that has more bytes, in the words of the reference.
    pub fn too_large(&self) -> Error {
        let (size, (service, queue)) = (self.max_size, self.limits);
        Error::invalid(match queue {
            None => format!("Message collection size is too large. Max size {size}"),
            Some(queue) => format!(
                "Message collection size is too large. The max size for current queue is {size}. It is calculated by \
                 max size = min(max_messages_post_size_config: {service}, max_messages_post_size_queue: {queue})."
            ),
        })
    }
}

/// A message as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageView {
    /// Its identity.
    pub id: MessageId,
    /// Seconds it may live.
    pub ttl: u64,
    /// Seconds since it was posted.
    pub age: u64,
    /// The live claim that holds it.
    pub claim: Option<ClaimId>,
    /// How often it was claimed from a queue with dead letters on.
    pub claim_count: u32,
    /// MD5 of the body, where checksums are on.
    pub checksum: Option<[u8; 16]>,
    /// The body: JSON text, in clear.
    pub body: Bytes,
}

/// Which messages a client wants listed.
#[derive(Clone, Debug, Default)]
pub struct ListRequest {
    /// Where to begin.
    pub marker: Option<String>,
    /// At most this many; 10 where it is not given.
    pub limit: Option<i64>,
    /// The client's own messages too.
    pub echo: bool,
    /// Claimed messages too.
    pub include_claimed: bool,
    /// Messages not yet due too. On a queue without a default delay they are always included.
    pub include_delayed: Option<bool>,
    /// How long to wait while there are none; at most [`MAX_WAIT`](super::MAX_WAIT).
    pub wait: Duration,
}

/// A page of messages.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The messages, in order.
    pub messages: Vec<MessageView>,
    /// Where the next page begins, unless this one is empty.
    pub marker: Option<String>,
    /// Whether delayed messages were included, if the client asked or the queue has no default delay.
    pub include_delayed: Option<bool>,
}

/// Which messages a client wants removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Those with these ids.
    Ids(Vec<String>),
    /// So many of the oldest, which are returned.
    Pop(usize),
}

const NOT_ENQUEUED: &str = "Messages could not be enqueued.";

/// What becomes of a queue that a post finds missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Created,
    Refused,
}

/// Messages that were taken, and when the next may be there, if there were none.
pub(super) type Taken = (Vec<Message>, Option<Timestamp>);

/// A page as it was read.
struct Seen {
    known: Arc<Known>,
    include_delayed: Option<bool>,
    messages: Vec<Message>,
    next_due: Option<Timestamp>,
}

impl Service {
    /// What a queue demands of the body of a post.
    pub async fn post_terms(&self, context: &Context, name: &QueueName) -> Result<PostTerms> {
        context.granted(Rule::MessagesCreate)?;
        let most = self.limits().max_messages_post_size;
        let known = self.known(&context.project, name).await?;
        let attributes = known.map(|known| known.attributes.clone()).unwrap_or_default();
        let own = attributes.max_post_size;
        let max_size = own.map_or(most, |own| own.min(most));
        Ok(PostTerms { max_size, delays: attributes.delay.is_some(), limits: (most, own) })
    }

    /// Stores messages, all or none, in order; a missing queue is created. Their ids, in order.
    pub async fn post(
        &self,
        context: &Context,
        name: &QueueName,
        submissions: &[Posted],
    ) -> Result<Vec<MessageId>> {
        self.post_to(context, name, submissions, Missing::Created).await
    }

    /// The same, but an error where the queue is missing.
    pub async fn post_to_existing(
        &self,
        context: &Context,
        name: &QueueName,
        submissions: &[Posted],
    ) -> Result<Vec<MessageId>> {
        self.post_to(context, name, submissions, Missing::Refused).await
    }

    async fn post_to(
        &self,
        context: &Context,
        name: &QueueName,
        submissions: &[Posted],
        missing: Missing,
    ) -> Result<Vec<MessageId>> {
        context.granted(Rule::MessagesCreate)?;
        let find =
            || async move { self.known_or_created(context, name, submissions, missing).await.map(Some) };
        let posted = self.on_found(&context.project, name, NOT_ENQUEUED, find, |known| async move {
            let now = self.inner.clock.now();
            let messages = match self.prepare(context, &known.attributes, submissions, now) {
                Ok(messages) => messages,
                Err(refused) => return Ok(Err(refused)),
            };
            let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
            self.taker(&known).await?.post(known.queue(), messages, now).await?;
            Ok(Ok(ids))
        });
        let ids = posted.await?.ok_or_else(|| Error::unavailable(NOT_ENQUEUED)(storage::Error::Gone))??;
        telemetry::count(Metric::MessagesPosted, &[], ids.len() as u64);
        Ok(ids)
    }

    /// The queue; where it is missing and the submissions are in order, a new one or an error.
    async fn known_or_created(
        &self,
        context: &Context,
        name: &QueueName,
        submissions: &[Posted],
        missing: Missing,
    ) -> Result<Arc<Known>> {
        let known = self.known(&context.project, name).await?;
        if let Some(known) = known.as_ref().filter(|known| !self.lies_nowhere(&known.record)) {
            return Ok(known.clone());
        }
        let attributes = known.as_ref().map(|known| known.attributes.clone()).unwrap_or_default();
        self.prepare(context, &attributes, submissions, self.inner.clock.now())?;
        match missing {
            Missing::Refused if known.is_none() => {
                Err(Error::QueueMissing(name.clone(), context.project.clone()))
            }
            Missing::Refused | Missing::Created => self.known_or_new(context, name, NOT_ENQUEUED).await,
        }
    }

    /// Checks what was submitted and makes messages of it.
    fn prepare(
        &self,
        context: &Context,
        attributes: &Attributes,
        submissions: &[Posted],
        now: Timestamp,
    ) -> Result<Vec<NewMessage>> {
        let mut messages = Vec::with_capacity(submissions.len());
        for (index, submission) in (0..).zip(submissions) {
            let (ttl, delay) = self.check(attributes, submission)?;
            // Ids of one post rise with their order.
            let id = MessageId::new(Timestamp::from_micros(now.micros() + index));
            let checksum = self.inner.settings.checksums.then(|| checksum::of(&submission.body)).flatten();
            let body = if attributes.encrypts {
                self.inner.vault.seal(&context.project, id, &submission.body).map_err(sealed)?
            } else {
                submission.body.clone()
            };
            let client = context.client.clone();
            messages.push(NewMessage { id, ttl, delay, client, checksum, body });
        }
        Ok(messages)
    }

    /// The ttl and delay of a message, within their ranges.
    fn check(&self, attributes: &Attributes, submission: &Posted) -> Result<(u64, u64)> {
        let limits = self.limits();
        let default = attributes.default_ttl.unwrap_or(limits.defaults.message_ttl);
        let ttl = submission.ttl.map_or(Some(default), |ttl| u64::try_from(ttl).ok());
        let ttl = ttl.filter(|ttl| (MIN_MESSAGE_TTL..=limits.max_message_ttl).contains(ttl)).ok_or_else(|| {
            Error::invalid(format!(
                "The TTL for a message may not exceed {} seconds, and must be at least {MIN_MESSAGE_TTL} seconds long.",
                limits.max_message_ttl
            ))
        })?;
        // Only a delay queue delays; elsewhere the field means nothing.
        let delay = match (attributes.delay, submission.delay) {
            (None, _) => Some(0),
            (Some(default), None) => Some(default),
            (Some(_), Some(asked)) => u64::try_from(asked).ok(),
        };
        let delay = delay.filter(|delay| *delay <= limits.max_message_delay);
        let delay = delay.ok_or_else(|| {
            Error::invalid(format!(
                "The Delay TTL for a message may not exceed {} seconds,and must be at least 0 seconds long.",
                limits.max_message_delay
            ))
        })?;
        Ok((ttl, delay))
    }

    /// A page of a queue's messages; that of a missing queue is empty. An empty one may be waited over.
    pub async fn list(&self, context: &Context, name: &QueueName, request: &ListRequest) -> Result<Listing> {
        context.granted(Rule::MessagesGetAll)?;
        let most = self.limits().max_messages_per_page;
        let limit = page_size(request.limit, most).ok_or_else(|| limit_error(most))?;
        let (project, sentence) = (&context.project, "Messages could not be listed.");
        let wait = Wait { project, name, who: Who::Reader, time: request.wait, sentence };
        let look = || async move {
            let page = |known| async move { self.page(context, known, request, limit).await };
            let Some(seen) = self.on_queue(project, name, sentence, page).await? else {
                return Ok(Look::Empty(Listing::default(), None));
            };
            let Seen { known, include_delayed, messages, next_due } = seen;
            let marker = messages.last().map(|message| Marker::text(message.cursor, known.queue()));
            let listing = Listing { messages: self.views(context, messages)?, marker, include_delayed };
            let empty = listing.messages.is_empty();
            Ok(if empty { Look::Empty(listing, next_due) } else { Look::Found(listing) })
        };
        self.look_and_wait(&wait, look).await
    }

    async fn page(
        &self,
        context: &Context,
        known: Arc<Known>,
        request: &ListRequest,
        limit: usize,
    ) -> storage::Result<Seen> {
        let forced = known.attributes.delay.is_none().then_some(true);
        let include_delayed = forced.or(request.include_delayed);
        let after = match &request.marker {
            Some(text) => self.start(&known, text).await?,
            None => Some(Cursor::Head),
        };
        let mut seen = Seen { known, include_delayed, messages: Vec::new(), next_due: None };
        let Some(after) = after else { return Ok(seen) };
        let known = seen.known.clone();
        let mut query = ListQuery {
            after,
            limit,
            without: (!request.echo).then(|| context.client.clone()),
            include_claimed: request.include_claimed,
            include_delayed: include_delayed == Some(true),
        };
        loop {
            let page = self.data(&known).await?.list(known.queue(), &query, self.inner.clock.now()).await?;
            seen.messages.extend(page.messages);
            query.limit = limit - seen.messages.len();
            match page.resume {
                Some(resume) if query.limit > 0 => query.after = resume,
                _ => return Ok(Seen { next_due: page.next_due, ..seen }),
            }
        }
    }

    /// Where a listing with that marker starts; `None` where the marker is foreign.
    pub(super) async fn start(&self, known: &Known, marker: &str) -> storage::Result<Option<Cursor>> {
        match Marker::parse(marker, known.queue()) {
            Marker::At(cursor) => Ok(Some(cursor)),
            Marker::Foreign => Ok(None),
            Marker::Message(id) => {
                let now = self.inner.clock.now();
                let place = self.data(known).await?.locate(known.queue(), id, now).await?;
                Ok(Some(place.unwrap_or(Cursor::After(Position(id.time().micros())))))
            }
        }
    }

    /// One message, by its id as the client sent it.
    pub async fn message(&self, context: &Context, name: &QueueName, id: &str) -> Result<MessageView> {
        context.granted(Rule::MessagesGet)?;
        let parsed: Vec<_> = MessageId::parse(id).into_iter().collect();
        let found = self.fetch(context, name, &parsed, "Message could not be retrieved.").await?;
        let project = || context.project.clone();
        let found = found.ok_or_else(|| Error::QueueMissing(name.clone(), project()))?;
        let missing = || Error::MessageMissing(id.to_owned(), name.clone(), project());
        found.into_iter().next().ok_or_else(missing)
    }

    /// Those of the messages that exist, by their ids as the client sent them; an error if none does.
    pub async fn messages(
        &self,
        context: &Context,
        name: &QueueName,
        ids: Vec<String>,
    ) -> Result<Vec<MessageView>> {
        context.granted(Rule::MessagesGetAll)?;
        let most = self.limits().max_messages_per_page;
        if !fits(ids.len(), most) {
            return Err(limit_error(most));
        }
        let parsed: Vec<_> = ids.iter().filter_map(|id| MessageId::parse(id)).collect();
        let found = self.fetch(context, name, &parsed, "Message could not be retrieved.").await?;
        let found = found.unwrap_or_default();
        if found.is_empty() {
            return Err(Error::MessagesMissing(ids, name.clone(), context.project.clone()));
        }
        Ok(found)
    }

    async fn fetch(
        &self,
        context: &Context,
        name: &QueueName,
        ids: &[MessageId],
        sentence: &'static str,
    ) -> Result<Option<Vec<MessageView>>> {
        let call = |known: Arc<Known>| async move {
            self.data(&known).await?.get(known.queue(), ids, self.inner.clock.now()).await
        };
        let found = self.on_queue(&context.project, name, sentence, call).await?;
        found.map(|messages| self.views(context, messages)).transpose()
    }

    /// Deletes one message, with the claim that is said to hold it; a missing one is no error.
    pub async fn delete_message(
        &self,
        context: &Context,
        name: &QueueName,
        id: &str,
        claim: Option<&str>,
    ) -> Result<()> {
        context.granted(Rule::MessagesDelete)?;
        let Some(id) = MessageId::parse(id) else {
            // As for a claim that is none: where nobody knows the queue, nothing is said of it.
            return self.known(&context.project, name).await.map(drop);
        };
        let claim_id = claim.and_then(ClaimId::parse);
        if claim.is_some() && claim_id.is_none() {
            let found = self.fetch(context, name, &[id], "Message could not be deleted.").await?;
            let missing = found.is_none_or(|found| found.is_empty());
            return if missing { Ok(()) } else { Err(Error::ClaimGone) };
        }
        let deletion = self
            .on_queue(&context.project, name, "Message could not be deleted.", |known| async move {
                self.data(&known).await?.delete(known.queue(), id, claim_id, self.inner.clock.now()).await
            })
            .await?;
        match deletion.unwrap_or(Deletion::Missing) {
            Deletion::Deleted => {
                telemetry::count(Metric::MessagesDeleted, &[], 1);
                Ok(())
            }
            Deletion::Missing => Ok(()),
            Deletion::Claimed | Deletion::ClaimedByOther => Err(Error::MessageClaimed),
            Deletion::NotClaimed => Err(Error::MessageNotClaimed),
            Deletion::NoSuchClaim => Err(Error::ClaimGone),
        }
    }

    /// Checks a bulk removal: exactly one of `ids` and `pop`, within the limits; and `claim_ids` where
    /// `message_delete_with_claim_id` is on.
    pub fn removal(
        &self,
        ids: Option<Vec<String>>,
        pop: Option<i64>,
        claim_ids: Option<&[String]>,
    ) -> Result<Removal> {
        let (both, neither) = (ids.is_some() && pop.is_some(), ids.is_none() && pop.is_none());
        if both {
            return Err(Error::invalid(
                "pop and id params cannot be present together in the delete request.",
            ));
        }
        if neither {
            return Err(Error::invalid(NEITHER_IDS_NOR_POP));
        }
        if self.inner.settings.delete_needs_claims && ids.is_some() != claim_ids.is_some() {
            return Err(Error::invalid(IDS_WITHOUT_CLAIMS));
        }
        let limits = self.limits();
        if let Some(pop) = pop {
            let most = limits.max_messages_per_claim_or_pop;
            let words = format!("Pop value must be at least 1 and may not be greater than {most}.");
            return page_size(Some(pop), most).map(Removal::Pop).ok_or_else(|| Error::invalid(words));
        }
        let (ids, most) = (ids.unwrap_or_default(), limits.max_messages_per_page);
        let words = format!("ids parameter should have at least 1 and not greater than {most} values.");
        if fits(ids.len(), most) { Ok(Removal::Ids(ids)) } else { Err(Error::invalid(words)) }
    }

    /// Deletes those of the messages that exist, whoever holds them. Where `message_delete_with_claim_id` is
    /// on, each must be held by one of the claims, or nothing is deleted.
    pub async fn delete_messages(
        &self,
        context: &Context,
        name: &QueueName,
        ids: &[String],
        claim_ids: Option<&[String]>,
    ) -> Result<()> {
        context.granted(Rule::MessagesDeleteAll)?;
        let ids: Vec<_> = ids.iter().filter_map(|id| MessageId::parse(id)).collect();
        let claims = claim_ids.filter(|_| self.inner.settings.delete_needs_claims);
        let claims: Option<Vec<_>> =
            claims.map(|ids| ids.iter().filter_map(|id| ClaimId::parse(id)).collect());
        let (ids, claims) = (ids.as_slice(), claims.as_deref());
        let deletion = self
            .on_queue(&context.project, name, "Messages could not be deleted.", |known| async move {
                let now = self.inner.clock.now();
                self.data(&known).await?.delete_many(known.queue(), ids, claims, now).await
            })
            .await?;
        match deletion {
            Some(Err((id, _))) => Err(Error::ClaimsDoNotMatch(id)),
            deleted => {
                let deleted = deleted.and_then(std::result::Result::ok).unwrap_or(0);
                telemetry::count(Metric::MessagesDeleted, &[], deleted);
                Ok(())
            }
        }
    }

    /// Removes and returns the oldest messages that nobody holds; where there are none, waits for them so long, at most
    /// [`MAX_WAIT`](super::MAX_WAIT). At most once: what is lost on the way to the client is lost.
    pub async fn pop(
        &self,
        context: &Context,
        name: &QueueName,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<MessageView>> {
        context.granted(Rule::MessagesDeleteAll)?;
        let (project, sentence) = (&context.project, "Messages could not be popped.");
        let wait = Wait { project, name, who: Who::Consumer, time: wait, sentence };
        let look = || async move {
            let page = |known: Arc<Known>| async move { self.pop_page(&known, limit).await };
            let popped = self.on_queue(project, name, sentence, page).await?;
            let (messages, next_due) = popped.unwrap_or_default();
            Ok(if messages.is_empty() { Look::Empty(messages, next_due) } else { Look::Found(messages) })
        };
        let popped = self.look_and_wait(&wait, look).await?;
        telemetry::count(Metric::MessagesDeleted, &[], popped.len() as u64);
        self.views(context, popped)
    }

    async fn pop_page(&self, known: &Known, limit: usize) -> storage::Result<Taken> {
        let (data, mut messages) = (self.data(known).await?, Vec::new());
        loop {
            let (queue, left) = (known.queue(), limit - messages.len());
            match data.pop(queue, left, self.inner.clock.now()).await {
                Ok(popped) => {
                    messages.extend(popped.messages);
                    if !popped.more || messages.len() >= limit {
                        return Ok((messages, popped.next_due));
                    }
                }
                // What was popped already must reach its client.
                Err(_) if !messages.is_empty() => return Ok((messages, None)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Messages as the client sees them, bodies in clear.
    pub(super) fn views(&self, context: &Context, messages: Vec<Message>) -> Result<Vec<MessageView>> {
        let now = self.inner.clock.now();
        messages.into_iter().map(|message| self.message_view(&context.project, message, now)).collect()
    }

    /// A message of that project as the client sees it, its body in clear.
    pub(super) fn message_view(
        &self,
        project: &ProjectId,
        message: Message,
        now: Timestamp,
    ) -> Result<MessageView> {
        let body = self.inner.vault.open(project, message.id, message.body).map_err(sealed)?;
        Ok(MessageView {
            id: message.id,
            ttl: message.ttl,
            age: now.seconds_since(message.created),
            claim: message.claim,
            claim_count: message.claim_count,
            checksum: message.checksum.filter(|_| self.inner.settings.checksums),
            body,
        })
    }
}

const NEITHER_IDS_NOR_POP: &str =
    "The request should have either \"ids\" or \"pop\" parameter in the request, to be able to delete.";
const IDS_WITHOUT_CLAIMS: &str = "The request should have both \"ids\" and \"claim_ids\" parameter in the \
                                  request when message_delete_with_claim_id is True.";

pub(super) fn limit_error(most: usize) -> Error {
    Error::invalid(format!("Limit must be at least 1 and may not be greater than {most}."))
}

fn fits(count: usize, most: usize) -> bool {
    (1..=most).contains(&count)
}

fn sealed(problem: super::vault::Error) -> Error {
    Error::Sealed(problem.into())
}
