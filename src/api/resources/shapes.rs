//! How messages and lists look on the wire, written straight into the answer: bodies are copied as they are.

use std::io::Write as _;

use crate::api::Version;
use crate::clock::Timestamp;
use crate::model::{ClaimId, QueueName, checksum};
use crate::service::MessageView;

/// A JSON document in the making.
pub(crate) struct Document {
    bytes: Vec<u8>,
}

impl Document {
    /// `{"<name>":[<items>]`, not closed yet.
    pub(crate) fn list<T>(name: &str, items: &[T], write: impl FnMut(&mut Self, &T)) -> Self {
        let mut document = Self::sized_for(items);
        document.raw("{\"");
        document.raw(name);
        document.raw("\":");
        document.items(items, write);
        document
    }

    /// `,"<name>":[<items>]`.
    pub(crate) fn and_list<T>(mut self, name: &str, items: &[T], write: impl FnMut(&mut Self, &T)) -> Self {
        self.bytes.reserve(64 + 256 * items.len());
        self.print(format_args!(",\"{name}\":"));
        self.items(items, write);
        self
    }

    /// A document that begins so.
    pub(crate) fn open(text: &str) -> Self {
        Self { bytes: text.into() }
    }

    /// A whole document of such items: `{"<name>":[<items>]}`, and in v1 the bare array.
    pub(crate) fn listing<T>(
        version: Version,
        name: &str,
        items: &[T],
        write: impl FnMut(&mut Self, &T),
    ) -> Vec<u8> {
        if version > Version::V1 {
            return Self::list(name, items, write).end();
        }
        let mut document = Self::sized_for(items);
        document.items(items, write);
        document.bytes
    }

    fn sized_for<T>(items: &[T]) -> Self {
        Self { bytes: Vec::with_capacity(64 + 256 * items.len()) }
    }

    fn items<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.raw("[");
        for (index, item) in items.iter().enumerate() {
            self.raw(if index > 0 { "," } else { "" });
            write(self, item);
        }
        self.raw("]");
    }

    /// `,"links":[…]`: a next link where there is one.
    pub(crate) fn links(mut self, next: Option<String>) -> Self {
        match next {
            Some(href) => {
                self.raw(",\"links\":[{\"rel\":\"next\",\"href\":");
                self.string(&href);
                self.raw("}]");
            }
            None => self.raw(",\"links\":[]"),
        }
        self
    }

    /// `,"<name>":<number>`.
    pub(crate) fn number(mut self, name: &str, number: u64) -> Self {
        self.print(format_args!(",\"{name}\":{number}"));
        self
    }

    /// `,"<name>":false`.
    pub(crate) fn denial(mut self, name: &str) -> Self {
        self.print(format_args!(",\"{name}\":false"));
        self
    }

    /// `,"<name>":"<text>"`.
    pub(crate) fn text(mut self, name: &str, text: &str) -> Self {
        self.print(format_args!(",\"{name}\":"));
        self.string(text);
        self
    }

    /// The closed document.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.raw("}");
        self.bytes
    }

    /// A message, its href under the queue and with the claim that holds it. v1 tells of no claim here.
    pub(crate) fn message(&mut self, version: Version, queue: &QueueName, message: &MessageView) {
        let claim = message.claim.filter(|_| version > Version::V1);
        self.object(version, queue, message, claim);
    }

    /// The same in an answer about a claim, where v1 tells of it too.
    pub(crate) fn claimed(&mut self, version: Version, queue: &QueueName, message: &MessageView) {
        self.object(version, queue, message, message.claim);
    }

    fn object(&mut self, version: Version, queue: &QueueName, message: &MessageView, claim: Option<ClaimId>) {
        let MessageView { id, ttl, age, .. } = message;
        self.raw("{");
        if version > Version::V1 {
            self.print(format_args!("\"id\":\"{id}\","));
        }
        self.print(format_args!("\"href\":\"{}", version.message(queue, &id.to_string())));
        if let Some(claim) = claim {
            self.print(format_args!("?claim_id={claim}"));
        }
        self.print(format_args!("\",\"ttl\":{ttl},\"age\":{age},\"body\":"));
        self.bytes.extend_from_slice(&message.body);
        self.close(message, version > Version::V1);
    }

    /// A message that was popped: without href, with its claim count (rest.md 5.7).
    pub(crate) fn popped(&mut self, message: &MessageView) {
        let MessageView { id, ttl, age, claim_count, .. } = message;
        self.print(format_args!("{{\"id\":\"{id}\",\"age\":{age},\"ttl\":{ttl},\"body\":"));
        self.bytes.extend_from_slice(&message.body);
        self.print(format_args!(",\"claim_id\":null,\"claim_count\":{claim_count}"));
        self.close(message, true);
    }

    /// A message as the WebSocket API shows it: without href and checksum, in a claim if that is what was asked for.
    pub(crate) fn plain(&mut self, message: &MessageView, claim: Option<ClaimId>) {
        let MessageView { id, ttl, age, .. } = message;
        self.print(format_args!("{{\"id\":\"{id}\",\"claim_id\":"));
        self.claim(claim);
        self.print(format_args!(",\"ttl\":{ttl},\"age\":{age},\"body\":"));
        self.bytes.extend_from_slice(&message.body);
        self.close(message, false);
    }

    /// A message with all that is known of it, as the WebSocket API shows those at the ends of a queue.
    pub(crate) fn record(&mut self, message: &MessageView, created: Timestamp) {
        let MessageView { id, ttl, age, claim, claim_count, .. } = message;
        self.print(format_args!("{{\"id\":\"{id}\",\"age\":{age},\"ttl\":{ttl},\"body\":"));
        self.bytes.extend_from_slice(&message.body);
        self.raw(",\"claim_id\":");
        self.claim(*claim);
        self.print(format_args!(",\"claim_count\":{claim_count},\"created\":\"{}\"", moment(created)));
        self.close(message, true);
    }

    fn claim(&mut self, claim: Option<ClaimId>) {
        match claim {
            Some(claim) => self.print(format_args!("\"{claim}\"")),
            None => self.raw("null"),
        }
    }

    /// The end of a message.
    fn close(&mut self, message: &MessageView, with_checksum: bool) {
        if let Some(checksum) = message.checksum.filter(|_| with_checksum) {
            self.print(format_args!(",\"checksum\":\"{}\"", checksum::text(checksum)));
        }
        self.raw("}");
    }

    /// A JSON string.
    pub(crate) fn string(&mut self, text: &str) {
        self.value(&text);
    }

    /// Any JSON value.
    pub(crate) fn value(&mut self, value: &impl serde::Serialize) {
        serde_json::to_writer(&mut self.bytes, value).expect("plain values can be written to memory");
    }

    /// Text as it is.
    pub(crate) fn raw(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn print(&mut self, text: std::fmt::Arguments<'_>) {
        self.bytes.write_fmt(text).expect("memory takes all that is written");
    }
}

/// A single message as a document.
pub(crate) fn message(version: Version, queue: &QueueName, message: &MessageView) -> Vec<u8> {
    let mut document = Document { bytes: Vec::with_capacity(256 + message.body.len()) };
    document.message(version, queue, message);
    document.bytes
}

/// A time as answers write it: ISO 8601, to the second, in UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_second(at.seconds()).unwrap_or_default();
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
