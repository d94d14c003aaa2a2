//! Messages on their way between queues and stores.

use async_trait::async_trait;
use redis::Cmd;
use uuid::Uuid;

use super::codec::{self, Stored};
use super::library::Operation;
use super::{MOST, RedisStore, keys};
use crate::clock::Timestamp;
use crate::model::{Position, QueueRef};
use crate::storage::{Landing, Ledger, Line, Outgoing, Parcel, Result, SentOff, Transfer, Way};

#[async_trait]
impl Transfer for RedisStore {
    async fn outgoing(&self, queue: &QueueRef, way: Way, limit: usize) -> Result<Outgoing> {
        let fill = |command: &mut Cmd| {
            command.arg(list_of(way)).arg(limit.min(MOST));
        };
        let answer = self.call(Operation::Outgoing, queue, Timestamp::default(), 16, fill).await?;
        let [line, parcels] = codec::parts(answer)?;
        let mut values = codec::list(parcels)?.into_iter();
        let mut parcels = Vec::with_capacity(values.len() / 2);
        while let Some(number) = values.next() {
            let parcel = values.next().ok_or_else(|| codec::corrupt("answer that is cut off"))?;
            parcels.push(codec::parcel(number, parcel)?);
        }
        Ok(Outgoing { line: codec::line(line)?, parcels })
    }

    async fn import(&self, queue: &QueueRef, line: Line, parcels: &[Parcel], now: Timestamp) -> Result<()> {
        let size = parcels.iter().map(|parcel| parcel.body.len() + 256).sum();
        let fill = |command: &mut Cmd| {
            command.arg(line.0.as_bytes());
            for parcel in parcels {
                fill_parcel(command, parcel);
            }
        };
        self.call(Operation::Import, queue, now, size, fill).await.map(drop)
    }

    async fn forget(&self, queue: &QueueRef, way: Way, numbers: &[i64]) -> Result<()> {
        let fill = |command: &mut Cmd| {
            command.arg(list_of(way));
            for number in numbers {
                command.arg(*number);
            }
        };
        self.call(Operation::Forget, queue, Timestamp::default(), 16 * numbers.len(), fill).await.map(drop)
    }

    /// Those that calls through this store left so, and those that the last walk over all keys found.
    async fn unfinished(&self, limit: usize) -> Result<Vec<QueueRef>> {
        self.check_open()?;
        self.unfinished_page(limit).await
    }

    async fn seal(&self, queue: &QueueRef, now: Timestamp) -> Result<Ledger> {
        let fill = |command: &mut Cmd| {
            command.arg(codec::epoch(queue.epoch.sealed()));
        };
        let [last, received] = codec::parts(self.call(Operation::Seal, queue, now, 16, fill).await?)?;
        codec::ledger(last, received)
    }

    async fn adopt(&self, queue: &QueueRef, ledger: &Ledger, now: Timestamp) -> Result<()> {
        let fill = |command: &mut Cmd| {
            command.arg(Uuid::new_v4().as_bytes()).arg(ledger.last.0);
            for receipt in &ledger.received {
                command.arg(receipt.line.0.as_bytes()).arg(receipt.number).arg(receipt.at.micros());
            }
        };
        self.call(Operation::Adopt, queue, now, 64 * ledger.received.len(), fill).await.map(drop)
    }

    async fn send_off(&self, queue: &QueueRef, limit: usize, now: Timestamp) -> Result<SentOff> {
        let fill = |command: &mut Cmd| {
            command.arg(limit.min(MOST));
        };
        let [sent, left] = codec::parts(self.call(Operation::SendOff, queue, now, 16, fill).await?)?;
        Ok(SentOff { sent: codec::count(&sent)?, left: codec::count(&left)? })
    }
}

/// The key's suffix of an outgoing list.
fn list_of(way: Way) -> &'static str {
    match way {
        Way::DeadLetters => keys::OUTGOING,
        Way::Pool => keys::TRANSIT,
    }
}

/// The arguments of `import` for one message.
fn fill_parcel(command: &mut Cmd, parcel: &Parcel) {
    let (letter, position, claim_count, extra) = match &parcel.landing {
        Landing::End(_) => ("E", Position::default(), 0, Vec::new()),
        Landing::Ready(position) => ("R", *position, parcel.claim_count, Vec::new()),
        Landing::Held { position, claim, ttl, ends } => {
            let extra = [&claim.0.as_bytes()[..], &ttl.to_be_bytes(), &codec::time(*ends)].concat();
            ("H", *position, parcel.claim_count, extra)
        }
        Landing::Delayed(due) => {
            ("D", Position::default(), parcel.claim_count, due.micros().to_string().into_bytes())
        }
        Landing::Subscriber { .. } => ("S", Position::default(), 0, Vec::new()),
    };
    let stored = match parcel.subscription() {
        Some(subscription) => codec::subscription_record(&subscription),
        None => message_record(parcel, position),
    };
    command.arg(parcel.number).arg(letter).arg(parcel.id.0.as_bytes()).arg(stored);
    command.arg(claim_count).arg(extra);
}

fn message_record(parcel: &Parcel, position: Position) -> Vec<u8> {
    let stored = Stored {
        position,
        expires: parcel.expires,
        created: parcel.created,
        ttl: parcel.ttl,
        client: parcel.client.as_bytes(),
        checksum: parcel.checksum,
        body: &parcel.body,
    };
    stored.encode()
}
