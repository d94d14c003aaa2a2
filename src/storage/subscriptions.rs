//! What the service needs to keep subscriptions.

use async_trait::async_trait;

use super::Result;
use crate::clock::Timestamp;
use crate::model::{QueueRef, Subscription, SubscriptionId};

/// Subscriptions to queues. They lie with the queue's messages, under its epoch, and go with it.
#[async_trait]
pub trait Subscriptions: Send + Sync {
    /// Stores the subscription, unless a live one of its subscriber or of its id is at this queue: whether it was stored.
    /// Redis: `subscribe`.
    async fn subscribe(&self, queue: &QueueRef, subscription: &Subscription, now: Timestamp) -> Result<bool>;

    /// Live subscriptions by id, at most `limit`, those alone whose ids are greater than `after`. Redis: `subscriptions`.
    async fn subscriptions(
        &self,
        queue: &QueueRef,
        after: Option<SubscriptionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Subscription>>;

    /// The live subscription of that id. Redis: `subscription`.
    async fn subscription(
        &self,
        queue: &QueueRef,
        id: SubscriptionId,
        now: Timestamp,
    ) -> Result<Option<Subscription>>;

    /// The live subscription of that subscriber. Redis: `subscribed`.
    async fn subscribed(
        &self,
        queue: &QueueRef,
        subscriber: &str,
        now: Timestamp,
    ) -> Result<Option<SubscriptionId>>;

    /// Removes a subscription; one that does not exist is no error. Unless its connection `left`, the queue's keepers
    /// are rung ([`News::Ended`](crate::wake::News)): its node knows of its own connections. Redis: `unsubscribe`.
    async fn unsubscribe(
        &self,
        queue: &QueueRef,
        id: SubscriptionId,
        left: bool,
        now: Timestamp,
    ) -> Result<()>;

    /// Lets those of the subscriptions that live end at `until`, or later where they do already; the others, in the order
    /// of `ids`. A caller names at most [`STEP`](super::STEP) at once. Redis: `extend`.
    async fn extend(
        &self,
        queue: &QueueRef,
        ids: &[SubscriptionId],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<SubscriptionId>>;

    /// Removes subscriptions, at most [`STEP`](super::STEP) a call, and rings the queue's keepers: whether there are more.
    /// Redis: `purge_subscriptions`.
    async fn purge_subscriptions(&self, queue: &QueueRef, now: Timestamp) -> Result<bool>;
}
