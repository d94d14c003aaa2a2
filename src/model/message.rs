//! Messages as stores keep them and services pass them on.

use bytes::Bytes;
use uuid::Uuid;

use super::ClaimId;
use crate::clock::Timestamp;

/// The identity of a message, unique in the service: a UUIDv7 that rises with time.
///
/// It is kept across dead letter and migration and never used as a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub Uuid);

impl MessageId {
    /// The id in that text, or `None` where it is no UUID in its 36-character lower-case spelling.
    ///
    /// Only the spelling that we hand out is an id: any other text is an unknown message.
    pub fn parse(text: &str) -> Option<Self> {
        canonical_uuid(text).map(Self)
    }

    /// A new id for a message posted at `at`: 60 bits of time to the quarter microsecond, the rest random.
    pub fn new(at: Timestamp) -> Self {
        Self(rising_uuid(at))
    }

    /// When the id was made, to the microsecond (rounded down).
    pub fn time(self) -> Timestamp {
        let bits = self.0.as_u128();
        let millis = i64::try_from(bits >> 80).unwrap_or(0);
        let fraction = i64::try_from((bits >> 64) & 0xfff).unwrap_or(0);
        Timestamp::from_micros(millis * 1000 + fraction * 1000 / 4096)
    }
}

/// The UUID in `text` if it stands there in its canonical form (36 characters, lower case).
pub(super) fn canonical_uuid(text: &str) -> Option<Uuid> {
    let canonical = text.len() == 36 && !text.bytes().any(|b| b.is_ascii_uppercase());
    canonical.then(|| Uuid::try_parse(text).ok()).flatten()
}

/// A UUIDv7 of the moment `at`, its `rand_a` field used for the microseconds (RFC 9562 section 6.2, method 3).
pub(super) fn rising_uuid(at: Timestamp) -> Uuid {
    let micros = u128::from(at.micros().max(0).cast_unsigned());
    // Rounded up, so that reading the time back rounds down to the same microsecond.
    let fraction = ((micros % 1000) * 4096).div_ceil(1000);
    let random = Uuid::new_v4().as_u128() & ((1 << 62) - 1);
    let bits = ((micros / 1000) << 80) | (7 << 76) | (fraction << 64) | (0b10 << 62) | random;
    Uuid::from_u128(bits)
}

impl std::fmt::Display for MessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

/// The place of a message in its queue: `max(last + 1, now in microseconds)` when it became available.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub i64);

/// A point in a queue from which a listing continues. Ready messages come first, by position; then, where
/// they are asked for, delayed ones by (due, id).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cursor {
    /// The head of the queue.
    #[default]
    Head,
    /// Behind the ready message at this position.
    After(Position),
    /// Behind the delayed message that falls due then and has this id.
    AfterDelayed(Timestamp, MessageId),
}

/// Who posts or reads: a UUID by its value, or opaque text where `client_id_uuid_safe` is off.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(Box<[u8]>);

impl ClientId {
    /// The client of that header value. Any spelling of a UUID (without hyphens, in braces, as URN, in any
    /// case) is that UUID; other text is itself.
    pub fn new(text: &str) -> Self {
        match Self::uuid(text) {
            Some(uuid) => Self(Box::new(uuid.into_bytes())),
            None => Self(text.as_bytes().into()),
        }
    }

    /// The UUID in `text`, in any spelling that Python's `uuid.UUID` accepts.
    pub fn uuid(text: &str) -> Option<Uuid> {
        // The usual spellings need no copy.
        if let Ok(uuid) = Uuid::try_parse(text) {
            return Some(uuid);
        }
        let bare: String = text.replace("urn:", "").replace("uuid:", "");
        let bare = bare.trim_matches(['{', '}']).replace('-', "");
        (bare.len() == 32).then(|| Uuid::try_parse(&bare).ok()).flatten()
    }

    /// The client as a store keeps it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The client that a store kept.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

/// A message to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Its identity, made by the service.
    pub id: MessageId,
    /// Seconds it may live.
    pub ttl: u64,
    /// Seconds until it becomes available; 0 = at once.
    pub delay: u64,
    /// Who posts it.
    pub client: ClientId,
    /// MD5 of the plain body, where checksums are on.
    pub checksum: Option<[u8; 16]>,
    /// The body: JSON text, or sealed bytes of an encrypted queue. Opaque to stores.
    pub body: Bytes,
}

/// A stored message as a reader gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its identity.
    pub id: MessageId,
    /// Where a listing continues behind it.
    pub cursor: Cursor,
    /// When it was posted.
    pub created: Timestamp,
    /// Seconds it may live, counted from its creation or from the claim that raised it.
    pub ttl: u64,
    /// Who posted it.
    pub client: ClientId,
    /// The live claim that holds it.
    pub claim: Option<ClaimId>,
    /// How often it was claimed from a queue with dead letters on.
    pub claim_count: u32,
    /// MD5 of the plain body, where checksums were on.
    pub checksum: Option<[u8; 16]>,
    /// The body as it was stored.
    pub body: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_microsecond_and_rises() {
        for micros in [0, 1, 999, 1_000, 1_795_190_691_123_457, 1_795_190_691_999_999] {
            assert_eq!(MessageId::new(Timestamp::from_micros(micros)).time().micros(), micros);
        }
        let at = |m| MessageId::new(Timestamp::from_micros(m));
        assert!(at(1_795_190_691_123_457) < at(1_795_190_691_123_458));
        assert_eq!(at(5).0.get_version_num(), 7);
    }

    #[test]
    fn a_client_is_its_uuid_in_any_spelling() {
        let plain = ClientId::new("3381af92-2b9e-11e3-b191-71861300734c");
        for other in [
            "3381AF922B9E11E3B19171861300734C",
            "{3381af92-2b9e-11e3-b191-71861300734c}",
            "urn:uuid:3381af92-2b9e-11e3-b191-71861300734c",
        ] {
            assert_eq!(ClientId::new(other), plain, "{other}");
        }
        assert_ne!(ClientId::new("free text"), plain);
        for bad in ["", "0xdeadbeef", "3381af92-2b9e-11e3-b191-71861300734"] {
            assert_eq!(ClientId::uuid(bad), None, "{bad}");
        }
    }
}
