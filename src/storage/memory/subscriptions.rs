//! The subscriptions of one queue.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use super::queue::first_due;
use crate::clock::Timestamp;
use crate::model::{Subscription, SubscriptionId};
use crate::storage::STEP;

/// Each subscription stands in all three.
#[derive(Default)]
pub(super) struct Subscribers {
    by_id: BTreeMap<SubscriptionId, Subscription>,
    by_subscriber: HashMap<String, SubscriptionId>,
    ending: BTreeSet<(Timestamp, SubscriptionId)>,
}

impl Subscribers {
    /// Stores the subscription, unless its subscriber or its id is there.
    pub(super) fn add(&mut self, new: Subscription, now: Timestamp) -> bool {
        self.settle(now, STEP);
        let taken = self.find(&new.subscriber, now).is_some() || self.get(new.id, now).is_some();
        if taken {
            return false;
        }
        // What has ended but was not swept makes room.
        let ended = self.by_subscriber.get(&new.subscriber).copied();
        for id in ended.into_iter().chain([new.id]) {
            self.remove(id);
        }
        self.by_subscriber.insert(new.subscriber.clone(), new.id);
        self.ending.insert((new.expires, new.id));
        self.by_id.insert(new.id, new);
        true
    }

    pub(super) fn page(
        &mut self,
        after: Option<SubscriptionId>,
        limit: usize,
        now: Timestamp,
    ) -> Vec<Subscription> {
        self.settle(now, STEP);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.by_id.range((from, Bound::Unbounded)).map(|(_, one)| one);
        rest.filter(|one| one.expires > now).take(limit).cloned().collect()
    }

    pub(super) fn get(&self, id: SubscriptionId, now: Timestamp) -> Option<&Subscription> {
        self.by_id.get(&id).filter(|one| one.expires > now)
    }

    pub(super) fn find(&self, subscriber: &str, now: Timestamp) -> Option<SubscriptionId> {
        self.get(*self.by_subscriber.get(subscriber)?, now).map(|one| one.id)
    }

    pub(super) fn remove(&mut self, id: SubscriptionId) -> Option<Subscription> {
        let one = self.by_id.remove(&id)?;
        self.by_subscriber.remove(&one.subscriber);
        self.ending.remove(&(one.expires, id));
        Some(one)
    }

    /// Extends those that live: the others.
    pub(super) fn extend(
        &mut self,
        ids: &[SubscriptionId],
        until: Timestamp,
        now: Timestamp,
    ) -> Vec<SubscriptionId> {
        let gone = ids.iter().filter(|id| !self.extend_one(**id, until, now));
        gone.copied().collect()
    }

    fn extend_one(&mut self, id: SubscriptionId, until: Timestamp, now: Timestamp) -> bool {
        let Some(one) = self.by_id.get_mut(&id).filter(|one| one.expires > now) else { return false };
        self.ending.remove(&(one.expires, id));
        one.expires = one.expires.max(until);
        self.ending.insert((one.expires, id));
        true
    }

    /// Removes the first ones, at most `limit`, ended or not.
    pub(super) fn take(&mut self, limit: usize) -> Vec<Subscription> {
        let ids: Vec<_> = self.by_id.keys().take(limit).copied().collect();
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Removes what has ended, at most `budget`: how many.
    pub(super) fn settle(&mut self, now: Timestamp, budget: usize) -> usize {
        let mut removed = 0;
        while removed < budget && self.is_due(now) {
            if let Some(id) = first_due(&self.ending, now) {
                self.remove(id);
            }
            removed += 1;
        }
        removed
    }

    /// Whether one has ended.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        first_due(&self.ending, now).is_some()
    }
}
