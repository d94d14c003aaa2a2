//! Subscriptions: create, list, read, delete; and the leases of those that connections hold.

use uuid::Uuid;

use super::messages::limit_error;
use super::queues::page_size;
use super::{Context, Service};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::limits::MIN_SUBSCRIPTION_TTL;
use crate::model::{Metadata, ProjectId, QueueName, QueueRef, Subscription, SubscriptionId, metadata};
use crate::policy::Rule;
use crate::storage::{Line, Placement, STEP, Way};
use crate::wake::{Bell, Who};

/// Seconds for which a connection's subscription lives without its node (decision 26). The node extends it by
/// [`Service::extend_connections`] well before that.
pub const CONNECTION_LEASE: u64 = 30;

/// The first moment that no subscription may reach: the year 10000.
const LAST: Timestamp = Timestamp::from_micros(253_402_300_800_000_000);

const NOT_CREATED: &str = "Subscription could not be created.";

/// Who is to be told of new messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscriber<'a> {
    /// A connection of this node, by its id.
    Connection(Uuid),
    /// A URI that the client gave.
    Address(&'a str),
}

/// A subscription as a client sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct SubscriptionView {
    /// Its identity.
    pub id: SubscriptionId,
    /// The queue.
    pub source: QueueName,
    /// Who is told.
    pub subscriber: String,
    /// Seconds it lives, as its client asked.
    pub ttl: u64,
    /// Seconds since it was made.
    pub age: u64,
    /// What the client said about delivery.
    pub options: Metadata,
    /// Whether the subscriber agreed. One that needs no confirmation is listed as unconfirmed (websocket.md 5).
    pub confirmed: bool,
}

/// The data of a queue as it was made in its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataOrigin {
    queue: QueueRef,
    placement: Placement,
    line: Line,
}

impl DataOrigin {
    /// Whether the store has lost this: the queue lies where it lay, as it was created, and its data was made anew.
    pub fn was_lost(&self, now: &Self) -> bool {
        self.queue == now.queue && self.placement == now.placement && self.line != now.line
    }
}

impl Service {
    /// Subscribes to a queue, which is created where it is missing. A connection's subscription lives as long as its
    /// node extends it, whatever `ttl` says (seconds; the service's default where it is not given).
    /// [`Error::SubscriptionExists`] where the subscriber has one at this queue.
    pub async fn subscribe(
        &self,
        context: &Context,
        name: &QueueName,
        subscriber: Subscriber<'_>,
        ttl: Option<i64>,
        options: Metadata,
    ) -> Result<Subscription> {
        context.granted(Rule::SubscriptionCreate)?;
        let Subscriber::Connection(connection) = subscriber else {
            return Err(Error::invalid(
                "Subscribers other than the WebSocket connection itself are not supported yet.",
            ));
        };
        metadata::validate_options(&options).map_err(|problem| Error::invalid(problem.to_string()))?;
        let now = self.inner.clock.now();
        let subscription = Subscription {
            id: SubscriptionId::new(now),
            subscriber: format!("websocket:{connection}"),
            ttl: self.subscription_ttl(ttl, now)?,
            options,
            confirmed: false,
            created: now,
            expires: now.plus_seconds(CONNECTION_LEASE),
        };
        let made = &subscription;
        let stored = self
            .on_queue_or_new(context, name, NOT_CREATED, |known| async move {
                self.data(&known).await?.subscribe(known.queue(), made, now).await
            })
            .await?;
        if stored { Ok(subscription) } else { Err(Error::SubscriptionExists) }
    }

    /// Subscriptions of a queue by id, behind that of `marker`; a missing queue has none. A marker that is no id of ours
    /// begins at the first one, as in the reference.
    pub async fn subscriptions(
        &self,
        context: &Context,
        name: &QueueName,
        marker: Option<&str>,
        limit: Option<i64>,
    ) -> Result<Vec<SubscriptionView>> {
        context.granted(Rule::SubscriptionGetAll)?;
        let most = self.limits().max_subscriptions_per_page;
        let limit = page_size(limit, most).ok_or_else(|| limit_error(most))?;
        let (after, now) = (marker.and_then(SubscriptionId::parse), self.inner.clock.now());
        let page = self
            .on_queue(&context.project, name, "Subscriptions could not be listed.", |known| async move {
                self.data(&known).await?.subscriptions(known.queue(), after, limit, now).await
            })
            .await?;
        Ok(page.unwrap_or_default().into_iter().map(|one| view(name, one, now)).collect())
    }

    /// One subscription, by its id as the client sent it.
    pub async fn subscription(
        &self,
        context: &Context,
        name: &QueueName,
        id: &str,
    ) -> Result<SubscriptionView> {
        context.granted(Rule::SubscriptionGet)?;
        let missing = || Error::SubscriptionMissing(id.to_owned());
        let (wanted, now) = (SubscriptionId::parse(id).ok_or_else(missing)?, self.inner.clock.now());
        let found = self
            .on_queue(&context.project, name, "Subscription could not be retrieved.", |known| async move {
                self.data(&known).await?.subscription(known.queue(), wanted, now).await
            })
            .await?;
        found.flatten().map(|one| view(name, one, now)).ok_or_else(missing)
    }

    /// Ends a subscription; one that does not exist is no error.
    pub async fn unsubscribe(&self, context: &Context, name: &QueueName, id: &str) -> Result<()> {
        context.granted(Rule::SubscriptionDelete)?;
        let Some(id) = SubscriptionId::parse(id) else { return Ok(()) };
        self.end_subscription(&context.project, name, id, false).await
    }

    /// Ends the subscription of a connection that is gone.
    pub async fn leave(&self, project: &ProjectId, name: &QueueName, id: SubscriptionId) -> Result<()> {
        self.end_subscription(project, name, id, true).await
    }

    async fn end_subscription(
        &self,
        project: &ProjectId,
        name: &QueueName,
        id: SubscriptionId,
        left: bool,
    ) -> Result<()> {
        self.on_queue(project, name, "Subscription could not be deleted.", |known| async move {
            self.data(&known).await?.unsubscribe(known.queue(), id, left, self.inner.clock.now()).await
        })
        .await?;
        Ok(())
    }

    /// A bell that rings from now on where the queue may have been deleted, moved or changed, here or on another node.
    pub fn changes(&self, project: &ProjectId, name: &QueueName) -> Bell {
        self.inner.registry.watch(project, name)
    }

    /// A bell that rings from now on where somebody ends subscriptions of the queue, here or on another node. It hears
    /// the store where the queue lies now: after a change ([`Service::changes`]) another one is to be taken.
    pub async fn ends(&self, project: &ProjectId, name: &QueueName) -> Result<Bell> {
        let bell = self
            .on_queue(project, name, "Subscriptions could not be watched.", |known| async move {
                self.data(&known).await?.watch(known.queue(), Who::Keeper).await
            })
            .await?;
        Ok(bell.unwrap_or_else(Bell::silent))
    }

    /// Which data of the queue there is; `None` where there is no queue.
    pub async fn data_origin(&self, project: &ProjectId, name: &QueueName) -> Result<Option<DataOrigin>> {
        self.on_queue(project, name, "Subscriptions could not be watched.", |known| async move {
            let line = self.taker(&known).await?.outgoing(known.queue(), Way::Pool, 0).await?.line;
            let (queue, placement) = (known.queue().clone(), known.record.placement.clone());
            Ok(DataOrigin { queue, placement, line })
        })
        .await
    }

    /// Extends the leases of connections' subscriptions to one queue by [`CONNECTION_LEASE`] seconds from now: those
    /// that are gone, because somebody deleted or purged them, or the queue, or because they were not extended in time;
    /// for those there is [`Service::restore_connection`].
    pub async fn extend_connections(
        &self,
        project: &ProjectId,
        name: &QueueName,
        ids: &[SubscriptionId],
    ) -> Result<Vec<SubscriptionId>> {
        let mut gone = Vec::new();
        for some in ids.chunks(STEP) {
            let now = self.inner.clock.now();
            let until = now.plus_seconds(CONNECTION_LEASE);
            let extended = self
                .on_queue(project, name, "Subscriptions could not be extended.", |known| async move {
                    self.data(&known).await?.extend(known.queue(), some, until, now).await
                })
                .await?;
            gone.extend(extended.unwrap_or_else(|| some.to_vec()));
        }
        Ok(gone)
    }

    /// Stores a connection's subscription again whose lease ran out while its store was out of reach, or that its store
    /// has lost: whether it lives.
    /// It does not where the queue is missing, or the connection has subscribed again meanwhile.
    pub async fn restore_connection(
        &self,
        project: &ProjectId,
        name: &QueueName,
        lapsed: &Subscription,
    ) -> Result<bool> {
        let now = self.inner.clock.now();
        let subscription = Subscription { expires: now.plus_seconds(CONNECTION_LEASE), ..lapsed.clone() };
        let subscription = &subscription;
        let stored = self
            .on_queue(project, name, NOT_CREATED, |known| async move {
                self.data(&known).await?.subscribe(known.queue(), subscription, now).await
            })
            .await?;
        Ok(stored == Some(true))
    }

    fn subscription_ttl(&self, ttl: Option<i64>, now: Timestamp) -> Result<u64> {
        let Some(ttl) = ttl else { return Ok(self.limits().defaults.subscription_ttl) };
        let ttl = u64::try_from(ttl).ok().filter(|ttl| *ttl >= MIN_SUBSCRIPTION_TTL);
        let ttl = ttl.ok_or_else(|| {
            Error::invalid(format!(
                "The TTL for a subscription must be at least {MIN_SUBSCRIPTION_TTL} seconds long."
            ))
        })?;
        if now.plus_seconds(ttl) < LAST { Ok(ttl) } else { Err(Error::invalid(TOO_LONG)) }
    }
}

const TOO_LONG: &str =
    "The TTL seconds for a subscription plus current time must be less than 9999-12-31 23:59:59.999999.";

fn view(source: &QueueName, one: Subscription, now: Timestamp) -> SubscriptionView {
    let age = now.seconds_since(one.created);
    let Subscription { id, subscriber, ttl, options, confirmed, .. } = one;
    SubscriptionView { id, source: source.clone(), subscriber, ttl, age, options, confirmed }
}

#[cfg(test)]
mod tests;
