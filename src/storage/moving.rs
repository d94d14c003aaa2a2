//! A queue on its way from one store to another, as one store (decision 16).
//!
//! The source is sealed: it takes nothing new, and its messages only leave it. Each goes the same way: from the source to
//! its list of outgoing messages, from there to the target. So every operation asks the source first, then has delivered
//! what is in transit, then asks the target: what the source did not have any more is in the target by then. The source
//! sends its newest messages first; who empties the source before the target therefore gets the oldest first.
//!
//! Where the source's data is gone, all of it has been moved, and the target alone answers. Where the target's data is
//! gone, so is the queue, or it has moved on: the answer is [`Error::Gone`].

mod claims;
mod merge;
mod messages;
mod subscriptions;

use std::sync::Arc;

use async_trait::async_trait;

use super::{DataStore, Error, Ledger, Line, Outgoing, Parcel, Result, SentOff, Transfer, Way};
use crate::clock::Timestamp;
use crate::model::QueueRef;

/// The most messages read at a time.
const CARRIED: usize = 100;

/// The most bytes of bodies that the target takes in with one call.
const LOAD: usize = 1 << 20;

/// The two stores of queues on their way from one to the other; data calls name a queue by its ordinary epoch.
#[derive(Clone)]
pub struct Moving {
    source: Arc<dyn DataStore>,
    target: Arc<dyn DataStore>,
}

impl Moving {
    /// From the one, whose data is sealed, to the other, which has adopted what the one knew.
    pub fn new(source: Arc<dyn DataStore>, target: Arc<dyn DataStore>) -> Self {
        Self { source, target }
    }

    /// Brings to the target what has left the source: how much. Any number of callers may do so at the same time.
    pub async fn deliver(&self, queue: &QueueRef, now: Timestamp) -> Result<Delivered> {
        let source = queue.sealed();
        let mut delivered = Delivered::default();
        loop {
            let away = unless_gone(self.source.outgoing(&source, Way::Pool, CARRIED).await)?;
            let Some(Outgoing { line, parcels }) = away else { return Ok(delivered) };
            for load in loads(&parcels) {
                self.target.import(queue, line, load, now).await?;
                let numbers: Vec<_> = load.iter().map(|parcel| parcel.number).collect();
                unless_gone(self.source.forget(&source, Way::Pool, &numbers).await)?;
                delivered.messages += load.len() as u64;
                delivered.bytes += load.iter().map(|parcel| parcel.body.len() as u64).sum::<u64>();
            }
            if parcels.len() < CARRIED {
                return Ok(delivered);
            }
        }
    }
}

/// What was brought to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Messages.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// The parcels in order, in parts of at most [`LOAD`] bytes, or one message.
fn loads(mut parcels: &[Parcel]) -> impl Iterator<Item = &[Parcel]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let more = parcels.iter().position(|parcel| {
            bytes += parcel.body.len();
            bytes > LOAD
        });
        let (load, rest) = parcels.split_at(more.map_or(parcels.len(), |more| more.max(1)));
        parcels = rest;
        Some(load).filter(|load| !load.is_empty())
    })
}

/// The answer of a source; nothing where its data is gone.
fn unless_gone<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Err(Error::Gone) => Ok(None),
        answer => answer.map(Some),
    }
}

/// Of the target alone: what comes from other queues goes there, and the source's own lists are asked of the source.
#[async_trait]
impl Transfer for Moving {
    async fn outgoing(&self, queue: &QueueRef, way: Way, limit: usize) -> Result<Outgoing> {
        self.target.outgoing(queue, way, limit).await
    }

    async fn import(&self, queue: &QueueRef, line: Line, parcels: &[Parcel], now: Timestamp) -> Result<()> {
        self.target.import(queue, line, parcels, now).await
    }

    async fn forget(&self, queue: &QueueRef, way: Way, numbers: &[i64]) -> Result<()> {
        self.target.forget(queue, way, numbers).await
    }

    async fn unfinished(&self, limit: usize) -> Result<Vec<QueueRef>> {
        self.target.unfinished(limit).await
    }

    async fn seal(&self, queue: &QueueRef, now: Timestamp) -> Result<Ledger> {
        self.target.seal(queue, now).await
    }

    async fn adopt(&self, queue: &QueueRef, ledger: &Ledger, now: Timestamp) -> Result<()> {
        self.target.adopt(queue, ledger, now).await
    }

    async fn send_off(&self, queue: &QueueRef, limit: usize, now: Timestamp) -> Result<SentOff> {
        self.target.send_off(queue, limit, now).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClientId, MessageId, Position};
    use crate::storage::Landing;

    fn parcel(number: i64, size: usize) -> Parcel {
        Parcel {
            number,
            id: MessageId(uuid::Uuid::nil()),
            landing: Landing::Ready(Position(number)),
            created: Timestamp::default(),
            ttl: 1,
            expires: Timestamp::default(),
            client: ClientId::new("c"),
            claim_count: 0,
            checksum: None,
            body: vec![0; size].into(),
        }
    }

    #[test]
    fn loads_are_bounded_and_lose_nothing() {
        let sizes = [LOAD - 1, 1, 1, LOAD, LOAD + 5, 0, 7];
        let parcels: Vec<_> = sizes.into_iter().zip(1..).map(|(size, number)| parcel(number, size)).collect();
        let numbers = |load: &[Parcel]| load.iter().map(|parcel| parcel.number).collect::<Vec<_>>();
        let split: Vec<_> = loads(&parcels).map(numbers).collect();
        assert_eq!(split, [vec![1, 2], vec![3], vec![4], vec![5], vec![6, 7]]);
        assert_eq!(loads(&[]).count(), 0);
    }
}
