//! Subscriptions: one call of the function library each.

use async_trait::async_trait;
use redis::Cmd;

use super::library::Operation;
use super::{MOST, RedisStore, codec};
use crate::clock::Timestamp;
use crate::model::{QueueRef, Subscription, SubscriptionId};
use crate::storage::{Result, Subscriptions};

#[async_trait]
impl Subscriptions for RedisStore {
    async fn subscribe(&self, queue: &QueueRef, subscription: &Subscription, now: Timestamp) -> Result<bool> {
        let record = codec::subscription_record(subscription);
        let size = record.len();
        let fill = |command: &mut Cmd| {
            command.arg(subscription.id.0.as_bytes()).arg(record);
        };
        codec::flag(&self.call(Operation::Subscribe, queue, now, size, fill).await?)
    }

    async fn subscriptions(
        &self,
        queue: &QueueRef,
        after: Option<SubscriptionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Subscription>> {
        let fill = |command: &mut Cmd| {
            command.arg(after.as_ref().map_or(&[][..], |after| after.0.as_bytes())).arg(limit.min(MOST));
        };
        let answer = self.call(Operation::Subscriptions, queue, now, 32, fill).await?;
        let mut values = codec::list(answer)?.into_iter();
        let mut page = Vec::with_capacity(values.len() / 2);
        while let (Some(id), Some(record)) = (values.next(), values.next()) {
            let found = codec::subscription_id(id)?.map(|id| codec::subscription(id, record));
            page.extend(found.transpose()?.flatten());
        }
        Ok(page)
    }

    async fn subscription(
        &self,
        queue: &QueueRef,
        id: SubscriptionId,
        now: Timestamp,
    ) -> Result<Option<Subscription>> {
        let fill = |command: &mut Cmd| {
            command.arg(id.0.as_bytes());
        };
        codec::subscription(id, self.call(Operation::Subscription, queue, now, 16, fill).await?)
    }

    async fn subscribed(
        &self,
        queue: &QueueRef,
        subscriber: &str,
        now: Timestamp,
    ) -> Result<Option<SubscriptionId>> {
        let fill = |command: &mut Cmd| {
            command.arg(subscriber);
        };
        codec::subscription_id(self.call(Operation::Subscribed, queue, now, subscriber.len(), fill).await?)
    }

    async fn unsubscribe(
        &self,
        queue: &QueueRef,
        id: SubscriptionId,
        left: bool,
        now: Timestamp,
    ) -> Result<()> {
        let fill = |command: &mut Cmd| {
            command.arg(id.0.as_bytes()).arg(u8::from(left));
        };
        self.call(Operation::Unsubscribe, queue, now, 16, fill).await.map(drop)
    }

    async fn extend(
        &self,
        queue: &QueueRef,
        ids: &[SubscriptionId],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<SubscriptionId>> {
        let fill = |command: &mut Cmd| {
            command.arg(&codec::time(until));
            for id in ids {
                command.arg(id.0.as_bytes());
            }
        };
        let answer = codec::list(self.call(Operation::Extend, queue, now, 24 * ids.len(), fill).await?)?;
        answer.into_iter().filter_map(|id| codec::subscription_id(id).transpose()).collect()
    }

    async fn purge_subscriptions(&self, queue: &QueueRef, now: Timestamp) -> Result<bool> {
        codec::flag(&self.call(Operation::PurgeSubscriptions, queue, now, 0, |_| ()).await?)
    }
}
