//! Messages on their way between queues.

use async_trait::async_trait;

use super::codec::{self, Stored};
use super::library::Operation;
use super::{MOST, RedisStore};
use crate::clock::Timestamp;
use crate::model::{MessageId, Position, QueueRef};
use crate::storage::{Parcel, Result, Transfer};

#[async_trait]
impl Transfer for RedisStore {
    async fn outgoing(&self, queue: &QueueRef, limit: usize) -> Result<Vec<Parcel>> {
        let fill = |command: &mut redis::Cmd| {
            command.arg(limit.min(MOST));
        };
        let answer = self.call(Operation::Outgoing, queue, Timestamp::default(), 16, fill).await?;
        let mut values = codec::list(answer)?.into_iter();
        let mut parcels = Vec::with_capacity(values.len() / 2);
        while let Some(id) = values.next() {
            let parcel = values.next().ok_or_else(|| codec::corrupt("answer that is cut off"))?;
            parcels.push(codec::parcel(id, parcel)?);
        }
        Ok(parcels)
    }

    async fn import(&self, queue: &QueueRef, parcels: &[Parcel], now: Timestamp) -> Result<()> {
        let size = parcels.iter().map(|parcel| parcel.body.len() + 256).sum();
        let fill = |command: &mut redis::Cmd| {
            for parcel in parcels.iter().filter(|parcel| parcel.expires > now) {
                let stored = Stored {
                    position: Position::default(),
                    expires: parcel.expires,
                    created: parcel.created,
                    ttl: parcel.ttl,
                    client: parcel.client.as_bytes(),
                    checksum: parcel.checksum,
                    body: &parcel.body,
                };
                command.arg(parcel.id.0.as_bytes()).arg(stored.encode()).arg("");
            }
        };
        self.call(Operation::Import, queue, now, size, fill).await.map(drop)
    }

    async fn forget(&self, queue: &QueueRef, ids: &[MessageId]) -> Result<()> {
        let fill = |command: &mut redis::Cmd| {
            for id in ids {
                command.arg(id.0.as_bytes());
            }
        };
        self.call(Operation::Forget, queue, Timestamp::default(), 24 * ids.len(), fill).await.map(drop)
    }

    /// Those that calls through this store left so, and those that the last walk over all keys found.
    async fn unfinished(&self, limit: usize) -> Result<Vec<QueueRef>> {
        self.check_open()?;
        self.unfinished_page(limit).await
    }
}
