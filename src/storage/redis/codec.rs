//! Messages as Redis keeps them, and answers of the function library as values.
//!
//! A message: its position (8 bytes, put right by the library; 0 while it is delayed), end, creation (both µs, 8),
//! ttl (8), 1 where a checksum is there (1), length of the client (4), client, checksum (16), body. All numbers are
//! big-endian. It is never written again; what changes later is its state: flags (1), claim count (4), position (8),
//! end (8), ttl (8), claim (16, or missing).

use bytes::Bytes;
use redis::Value;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::model::{
    Claim, ClaimId, ClientId, Cursor, Epoch, Message, MessageId, Position, QueueName, Subscription,
    SubscriptionId,
};
use crate::storage::{Error, Landing, Ledger, Line, Parcel, Receipt, Result};

/// Bytes of a message before the client.
const HEAD: usize = 37;

/// Bytes of a position or time.
const NUMBER: usize = 8;

/// A message to be stored.
pub(super) struct Stored<'a> {
    /// The one that it will probably get: that spares the library a copy.
    pub(super) position: Position,
    pub(super) expires: Timestamp,
    pub(super) created: Timestamp,
    pub(super) ttl: u64,
    pub(super) client: &'a [u8],
    pub(super) checksum: Option<[u8; 16]>,
    pub(super) body: &'a [u8],
}

impl Stored<'_> {
    /// The message as Redis keeps it.
    pub(super) fn encode(&self) -> Vec<u8> {
        let checksum = self.checksum.as_ref().map_or(&[][..], |checksum| checksum);
        let mut bytes = Vec::with_capacity(HEAD + self.client.len() + checksum.len() + self.body.len());
        bytes.extend_from_slice(&self.position.0.to_be_bytes());
        bytes.extend_from_slice(&time(self.expires));
        bytes.extend_from_slice(&time(self.created));
        bytes.extend_from_slice(&self.ttl.to_be_bytes());
        bytes.push(u8::from(self.checksum.is_some()));
        bytes.extend_from_slice(&length(self.client));
        bytes.extend_from_slice(self.client);
        bytes.extend_from_slice(checksum);
        bytes.extend_from_slice(self.body);
        bytes
    }
}

/// The length of a client, as it stands before it.
fn length(client: &[u8]) -> [u8; 4] {
    // The header block that it comes in is far shorter.
    u32::try_from(client.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// A client with its length before it, as the library compares clients.
pub(super) fn client(client: &ClientId) -> Vec<u8> {
    [&length(client.as_bytes()), client.as_bytes()].concat()
}

/// A message that was kept, its body still where it was read.
struct Kept {
    position: Position,
    expires: Timestamp,
    created: Timestamp,
    ttl: u64,
    client: ClientId,
    checksum: Option<[u8; 16]>,
    body: Bytes,
}

impl Kept {
    fn decode(bytes: &Bytes) -> Result<Self> {
        let decode = || {
            let mut rest = &bytes[..];
            let position = take_position(&mut rest)?;
            let expires = take_time(&mut rest)?;
            let created = take_time(&mut rest)?;
            let ttl = u64::from_be_bytes(take(&mut rest)?);
            let [flags] = take(&mut rest)?;
            let length = usize::try_from(u32::from_be_bytes(take(&mut rest)?)).ok()?;
            let (client, mut rest) = rest.split_at_checked(length)?;
            let client = ClientId::from_bytes(client);
            let checksum = match flags {
                0 => None,
                1 => Some(take(&mut rest)?),
                _ => return None,
            };
            let body = bytes.slice(bytes.len() - rest.len()..);
            Some(Self { position, expires, created, ttl, client, checksum, body })
        };
        decode().ok_or_else(|| corrupt("message"))
    }
}

/// What changed of a message since it was posted.
struct State {
    position: Position,
    count: u32,
    ttl: u64,
    claim: Option<ClaimId>,
}

impl State {
    fn decode(mut rest: &[u8]) -> Option<Self> {
        let [_flags] = take(&mut rest)?;
        let count = u32::from_be_bytes(take(&mut rest)?);
        let position = take_position(&mut rest)?;
        let _expires = take_time(&mut rest)?;
        let ttl = u64::from_be_bytes(take(&mut rest)?);
        let claim = if rest.is_empty() { None } else { Some(ClaimId(uuid(rest)?)) };
        Some(Self { position, count, ttl, claim })
    }
}

/// Takes the first `N` bytes.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*first)
}

fn take_time(rest: &mut &[u8]) -> Option<Timestamp> {
    take(rest).map(i64::from_be_bytes).map(Timestamp::from_micros)
}

fn take_position(rest: &mut &[u8]) -> Option<Position> {
    take(rest).map(i64::from_be_bytes).map(Position)
}

fn uuid(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}

/// A time as 8 bytes.
pub(super) fn time(at: Timestamp) -> [u8; 8] {
    at.micros().to_be_bytes()
}

/// An epoch as 16 digits that sort as epochs do.
pub(super) fn epoch(epoch: Epoch) -> String {
    format!("{:016x}", epoch.0.cast_unsigned() ^ (1 << 63))
}

/// The bytes of a queue's own fields in which its epoch stands.
pub(super) const EPOCH: (usize, usize) = (0, 15);

/// Those of the time before which nothing is to be swept.
pub(super) const SWEEP: (usize, usize) = (40, 47);

/// The epoch of those digits; `None` where there is no queue.
pub(super) fn parse_epoch(value: Value) -> Result<Option<Epoch>> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    let bits = u64::from_str_radix(&text, 16).ok().filter(|_| text.len() == 16);
    Ok(Some(Epoch((bits.ok_or_else(|| corrupt("epoch"))? ^ (1 << 63)).cast_signed())))
}

/// Whether that time, 8 bytes of a queue's own fields, has come; it has not where there is no queue.
pub(super) fn has_come(value: Value, now: Timestamp) -> Result<bool> {
    let bytes = bytes(value)?;
    if bytes.is_empty() {
        return Ok(false);
    }
    let time = f64::from_be_bytes(bytes[..].try_into().map_err(|_| corrupt("time"))?);
    #[expect(clippy::cast_precision_loss, reason = "exact until the year 2255")]
    Ok(time <= now.micros() as f64)
}

pub(super) fn corrupt(what: &str) -> Error {
    Error::Corrupt(format!("a {what} in Redis"))
}

/// An answer with exactly `N` parts.
pub(super) fn parts<const N: usize>(value: Value) -> Result<[Value; N]> {
    list(value)?.try_into().map_err(|_| corrupt("answer of another length"))
}

pub(super) fn list(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(list) => Ok(list),
        _ => Err(corrupt("answer that is no list")),
    }
}

pub(super) fn bytes(value: Value) -> Result<Bytes> {
    match value {
        Value::BulkString(bytes) => Ok(bytes.into()),
        _ => Err(corrupt("answer that is no string")),
    }
}

pub(super) fn text(value: Value) -> Result<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).map_err(|_| corrupt("text")),
        Value::SimpleString(text) => Ok(text),
        _ => Err(corrupt("answer that is no text")),
    }
}

pub(super) fn int(value: &Value) -> Result<i64> {
    match value {
        Value::Int(number) => Ok(*number),
        _ => Err(corrupt("answer that is no number")),
    }
}

pub(super) fn count(value: &Value) -> Result<u64> {
    u64::try_from(int(value)?).map_err(|_| corrupt("negative count"))
}

/// 0 or 1.
pub(super) fn flag(value: &Value) -> Result<bool> {
    match int(value)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(corrupt("flag")),
    }
}

/// A number that Redis keeps as a double.
fn score(text: &str) -> Result<i64> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    // Beyond 17 digits it is written with an exponent.
    let number: f64 = text.parse().map_err(|_| corrupt("score"))?;
    #[expect(clippy::cast_possible_truncation, reason = "saturates, as times do")]
    if number.is_nan() { Err(corrupt("score")) } else { Ok(number as i64) }
}

/// A time, or nothing.
pub(super) fn due(value: Value) -> Result<Option<Timestamp>> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(Timestamp::from_micros(score(&text)?)))
}

pub(super) fn id(value: Value) -> Result<MessageId> {
    let bytes = bytes(value)?;
    uuid(&bytes).map(MessageId).ok_or_else(|| corrupt("message id"))
}

/// Messages of an answer: a list of ids, one of messages, one of states.
pub(super) fn messages(value: Value) -> Result<Vec<Message>> {
    let [ids, kept, states] = parts(value)?;
    let (ids, kept, states) = (list(ids)?, list(kept)?, list(states)?);
    if ids.len() != kept.len() || ids.len() != states.len() {
        return Err(corrupt("answer of lists of several lengths"));
    }
    ids.into_iter().zip(kept).zip(states).map(|((id, kept), state)| message(id, kept, state)).collect()
}

/// One message of an answer, or none.
pub(super) fn some_message(value: Value) -> Result<Option<Message>> {
    match list(value)? {
        none if none.is_empty() => Ok(None),
        values => {
            let [id, kept, state] = parts(Value::Array(values))?;
            message(id, kept, state).map(Some)
        }
    }
}

/// A message from its id, itself, and its state, due time or nothing.
fn message(first: Value, kept: Value, state: Value) -> Result<Message> {
    let id = id(first)?;
    let Kept { position, created, ttl, client, checksum, body, .. } = Kept::decode(&bytes(kept)?)?;
    let state = match state {
        Value::Nil => Bytes::new(),
        state => bytes(state)?,
    };
    let (cursor, state) = match state.len() {
        0 => (Cursor::After(position), None),
        NUMBER => {
            let due = take_time(&mut &state[..]).unwrap_or_default();
            (Cursor::AfterDelayed(due, id), None)
        }
        _ => {
            let state = State::decode(&state).ok_or_else(|| corrupt("message's state"))?;
            (Cursor::After(state.position), Some(state))
        }
    };
    Ok(Message {
        id,
        cursor,
        created,
        ttl: state.as_ref().map_or(ttl, |state| state.ttl),
        client,
        claim: state.as_ref().and_then(|state| state.claim),
        claim_count: state.map_or(0, |state| state.count),
        checksum,
        body,
    })
}

/// A claim's record: ttl and end.
pub(super) fn claim(id: ClaimId, record: Value) -> Result<Claim> {
    let record = bytes(record)?;
    let mut rest = &record[..];
    let decoded = take(&mut rest).zip(take_time(&mut rest)).filter(|_| rest.is_empty());
    let (ttl, expires) = decoded.ok_or_else(|| corrupt("claim"))?;
    Ok(Claim { id, ttl: u64::from_be_bytes(ttl), expires })
}

/// A queue's name with its length before it, as a landing has it.
pub(super) fn target(name: &QueueName) -> Vec<u8> {
    // Names have at most 64 bytes.
    let length = u8::try_from(name.as_str().len()).unwrap_or(u8::MAX);
    [&[length], name.as_str().as_bytes()].concat()
}

/// A subscription as Redis keeps it: in the form of a message whose position tells whether it is confirmed, whose client
/// is the subscriber, and whose body are the options.
pub(super) fn subscription_record(subscription: &Subscription) -> Vec<u8> {
    let stored = Stored {
        position: Position(i64::from(subscription.confirmed)),
        expires: subscription.expires,
        created: subscription.created,
        ttl: subscription.ttl,
        client: subscription.subscriber.as_bytes(),
        checksum: None,
        body: &subscription.options_json(),
    };
    stored.encode()
}

/// A subscription of an answer, or none.
pub(super) fn subscription(id: SubscriptionId, record: Value) -> Result<Option<Subscription>> {
    let record = bytes(record)?;
    if record.is_empty() { Ok(None) } else { subscription_of(id, &Kept::decode(&record)?).map(Some) }
}

/// The id of a subscription, or none.
pub(super) fn subscription_id(value: Value) -> Result<Option<SubscriptionId>> {
    let bytes = bytes(value)?;
    let id = || uuid(&bytes).map(SubscriptionId).ok_or_else(|| corrupt("subscription id"));
    if bytes.is_empty() { Ok(None) } else { id().map(Some) }
}

fn subscription_of(id: SubscriptionId, kept: &Kept) -> Result<Subscription> {
    let subscriber = std::str::from_utf8(kept.client.as_bytes()).ok();
    let options = Subscription::options_of(&kept.body);
    let (subscriber, options) = subscriber.zip(options).ok_or_else(|| corrupt("subscription"))?;
    Ok(Subscription {
        id,
        subscriber: subscriber.to_owned(),
        ttl: kept.ttl,
        options,
        confirmed: kept.position.0 != 0,
        created: kept.created,
        expires: kept.expires,
    })
}

/// A message on an outgoing list: id, ttl, end, claim count, landing, and the message.
pub(super) fn parcel(number: Value, parcel: Value) -> Result<Parcel> {
    let number = text(number)?.parse().map_err(|_| corrupt("number"))?;
    let parcel = bytes(parcel)?;
    let decode = || {
        let mut rest = &parcel[..];
        let id = MessageId(Uuid::from_bytes(take(&mut rest)?));
        let ttl = u64::from_be_bytes(take(&mut rest)?);
        let expires = take_time(&mut rest)?;
        let claim_count = u32::from_be_bytes(take(&mut rest)?);
        let landing = match rest.strip_prefix(b"S") {
            Some(subscription) => {
                rest = subscription;
                None
            }
            None => Some(landing(&mut rest)?),
        };
        Some((id, ttl, expires, claim_count, landing, parcel.slice(parcel.len() - rest.len()..)))
    };
    let (id, ttl, expires, claim_count, landing, kept) =
        decode().ok_or_else(|| corrupt("outgoing message"))?;
    let kept = Kept::decode(&kept)?;
    let Some(landing) = landing else {
        let subscription = subscription_of(SubscriptionId(id.0), &kept)?;
        return Ok(Parcel { number, ..Parcel::of(&subscription) });
    };
    let Kept { created, client, checksum, body, .. } = kept;
    Ok(Parcel { number, id, landing, created, ttl, expires, client, claim_count, checksum, body })
}

fn landing(rest: &mut &[u8]) -> Option<Landing> {
    let [letter] = take(rest)?;
    match letter {
        b'E' => {
            let [length] = take(rest)?;
            let (name, others) = rest.split_at_checked(usize::from(length))?;
            *rest = others;
            QueueName::parse(std::str::from_utf8(name).ok()?).map(Landing::End)
        }
        b'R' => Some(Landing::Ready(take_position(rest)?)),
        b'D' => Some(Landing::Delayed(take_time(rest)?)),
        b'H' => Some(Landing::Held {
            position: take_position(rest)?,
            claim: ClaimId(Uuid::from_bytes(take(rest)?)),
            ttl: u64::from_be_bytes(take(rest)?),
            ends: take_time(rest)?,
        }),
        _ => None,
    }
}

/// A line as 16 bytes.
pub(super) fn line(value: Value) -> Result<Line> {
    uuid(&bytes(value)?).map(Line).ok_or_else(|| corrupt("line"))
}

/// The last position and the receipts of a queue.
pub(super) fn ledger(last: Value, receipts: Value) -> Result<Ledger> {
    let last = Position(score(&text(last)?)?);
    let mut values = list(receipts)?.into_iter();
    let mut received = Vec::with_capacity(values.len() / 2);
    while let Some(first) = values.next() {
        let receipt = bytes(values.next().ok_or_else(|| corrupt("answer that is cut off"))?)?;
        let mut rest = &receipt[..];
        let decoded = take(&mut rest).zip(take_time(&mut rest)).filter(|_| rest.is_empty());
        let (number, at) = decoded.ok_or_else(|| corrupt("receipt"))?;
        received.push(Receipt { line: line(first)?, number: i64::from_be_bytes(number), at });
    }
    Ok(Ledger { last, received })
}

#[cfg(test)]
mod tests;
