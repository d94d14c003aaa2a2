//! Markers: where the next page of a listing begins, opaque to clients.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Cursor, Epoch, MessageId, Position, QueueRef};
use crate::clock::Timestamp;

/// The letter before the encoded part; no message id begins with it.
const PREFIX: char = 'm';

/// A marker as a client sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// A point in the queue.
    At(Cursor),
    /// Behind the message of that id (openstacksdk and WebSocket clients page so).
    Message(MessageId),
    /// Neither ours nor of this queue: the page is empty.
    Foreign,
}

impl Marker {
    /// Reads a marker sent for `queue`. One of another epoch of this queue starts at the head.
    pub fn parse(text: &str, queue: &QueueRef) -> Self {
        if let Some(id) = MessageId::parse(text) {
            return Self::Message(id);
        }
        decode(text, queue).unwrap_or(Self::Foreign)
    }

    /// The text of `cursor` in `queue`, such that [`Marker::parse`] gives it back.
    pub fn text(cursor: Cursor, queue: &QueueRef) -> String {
        let mut raw = Vec::with_capacity(48);
        raw.extend_from_slice(&fingerprint(queue));
        raw.extend_from_slice(&queue.epoch.0.to_be_bytes());
        match cursor {
            Cursor::Head => {}
            Cursor::After(position) => raw.extend_from_slice(&position.0.to_be_bytes()),
            Cursor::AfterDelayed(due, id) => {
                raw.extend_from_slice(&due.micros().to_be_bytes());
                raw.extend_from_slice(id.0.as_bytes());
            }
        }
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(raw))
    }
}

/// Four bytes that tell markers of one queue from those of another.
fn fingerprint(queue: &QueueRef) -> [u8; 4] {
    let hash = Sha256::new()
        .chain_update(queue.project.as_str().len().to_be_bytes())
        .chain_update(queue.project.as_str())
        .chain_update(queue.name.as_str())
        .finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

fn decode(text: &str, queue: &QueueRef) -> Option<Marker> {
    let raw = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
    let rest = raw.strip_prefix(&fingerprint(queue))?;
    let (epoch, rest) = rest.split_first_chunk()?;
    let cursor = match rest.len() {
        0 => Cursor::Head,
        8 => Cursor::After(Position(i64::from_be_bytes(rest.try_into().ok()?))),
        24 => {
            let (due, id) = rest.split_first_chunk()?;
            let id = Uuid::from_bytes(id.try_into().ok()?);
            Cursor::AfterDelayed(Timestamp::from_micros(i64::from_be_bytes(*due)), MessageId(id))
        }
        _ => return None,
    };
    let current = Epoch(i64::from_be_bytes(*epoch)) == queue.epoch;
    Some(Marker::At(if current { cursor } else { Cursor::Head }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ProjectId, QueueName};

    fn queue(project: &str, name: &str, epoch: i64) -> QueueRef {
        let name = QueueName::parse(name).unwrap();
        QueueRef { project: ProjectId::new(project), name, epoch: Epoch(epoch) }
    }

    #[test]
    fn a_marker_comes_back_in_its_queue_and_nowhere_else() {
        let here = queue("p", "q", 7);
        let id = MessageId::new(Timestamp::from_micros(9));
        let delayed = Cursor::AfterDelayed(Timestamp::from_micros(5), id);
        for cursor in [Cursor::Head, Cursor::After(Position(42)), delayed] {
            let text = Marker::text(cursor, &here);
            assert_eq!(Marker::parse(&text, &here), Marker::At(cursor));
            assert_eq!(Marker::parse(&text, &queue("p", "q", 8)), Marker::At(Cursor::Head));
            assert_eq!(Marker::parse(&text, &queue("q", "q", 7)), Marker::Foreign);
            assert_eq!(Marker::parse(&text, &queue("p", "r", 7)), Marker::Foreign);
        }
    }

    #[test]
    fn a_message_id_is_a_marker_and_garbage_is_foreign() {
        let here = queue("p", "q", 7);
        let id = MessageId::new(Timestamp::from_micros(9));
        assert_eq!(Marker::parse(&id.to_string(), &here), Marker::Message(id));
        for bad in ["", "m", "sfhlsfdjh2048", "mAAAA", "ünï", &id.to_string().to_uppercase()] {
            assert_eq!(Marker::parse(bad, &here), Marker::Foreign, "{bad}");
        }
    }
}
