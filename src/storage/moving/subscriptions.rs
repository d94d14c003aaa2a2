//! The subscriptions of a queue on its way: the source takes no new ones, and each is delivered once.

use async_trait::async_trait;

use super::{Moving, unless_gone};
use crate::clock::Timestamp;
use crate::model::{QueueRef, Subscription, SubscriptionId};
use crate::storage::{Result, Subscriptions};

#[async_trait]
impl Subscriptions for Moving {
    async fn subscribe(&self, queue: &QueueRef, subscription: &Subscription, now: Timestamp) -> Result<bool> {
        let source = queue.sealed();
        let rival = unless_gone(self.source.subscribed(&source, &subscription.subscriber, now).await)?;
        let same = unless_gone(self.source.subscription(&source, subscription.id, now).await)?;
        if rival.flatten().is_some() || same.flatten().is_some() {
            return Ok(false);
        }
        self.deliver(queue, now).await?;
        self.target.subscribe(queue, subscription, now).await
    }

    async fn subscriptions(
        &self,
        queue: &QueueRef,
        after: Option<SubscriptionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Subscription>> {
        let source = unless_gone(self.source.subscriptions(&queue.sealed(), after, limit, now).await)?;
        self.deliver(queue, now).await?;
        let mut page = self.target.subscriptions(queue, after, limit, now).await?;
        page.extend(source.unwrap_or_default());
        // The sort is stable: of two the target's word counts.
        page.sort_by_key(|one| one.id);
        page.dedup_by_key(|one| one.id);
        page.truncate(limit);
        Ok(page)
    }

    async fn subscription(
        &self,
        queue: &QueueRef,
        id: SubscriptionId,
        now: Timestamp,
    ) -> Result<Option<Subscription>> {
        let source = unless_gone(self.source.subscription(&queue.sealed(), id, now).await)?.flatten();
        if source.is_some() {
            return Ok(source);
        }
        self.deliver(queue, now).await?;
        self.target.subscription(queue, id, now).await
    }

    async fn subscribed(
        &self,
        queue: &QueueRef,
        subscriber: &str,
        now: Timestamp,
    ) -> Result<Option<SubscriptionId>> {
        let source = unless_gone(self.source.subscribed(&queue.sealed(), subscriber, now).await)?.flatten();
        if source.is_some() {
            return Ok(source);
        }
        self.deliver(queue, now).await?;
        self.target.subscribed(queue, subscriber, now).await
    }

    async fn unsubscribe(
        &self,
        queue: &QueueRef,
        id: SubscriptionId,
        left: bool,
        now: Timestamp,
    ) -> Result<()> {
        unless_gone(self.source.unsubscribe(&queue.sealed(), id, left, now).await)?;
        self.deliver(queue, now).await?;
        self.target.unsubscribe(queue, id, left, now).await
    }

    async fn extend(
        &self,
        queue: &QueueRef,
        ids: &[SubscriptionId],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<SubscriptionId>> {
        let source = unless_gone(self.source.extend(&queue.sealed(), ids, until, now).await)?;
        let elsewhere = source.unwrap_or_else(|| ids.to_vec());
        if elsewhere.is_empty() {
            return Ok(elsewhere);
        }
        self.deliver(queue, now).await?;
        self.target.extend(queue, &elsewhere, until, now).await
    }

    async fn purge_subscriptions(&self, queue: &QueueRef, now: Timestamp) -> Result<bool> {
        if unless_gone(self.source.purge_subscriptions(&queue.sealed(), now).await)? == Some(true) {
            return Ok(true);
        }
        self.deliver(queue, now).await?;
        self.target.purge_subscriptions(queue, now).await
    }
}
