//! Frames that nobody asked for: messages that are pushed to subscribers (websocket.md 6).

use bytes::Bytes;
use serde_json::json;

use super::codec::Encoding;
use crate::model::QueueName;
use crate::service::MessageView;

/// The frame that carries a message of that queue. With a marker it names the message and where to resume behind it;
/// without one it is in the reference's bare shape.
pub fn pushed(queue: &QueueName, message: &MessageView, marker: Option<&str>, encoding: Encoding) -> Bytes {
    let mut text = Vec::with_capacity(message.body.len() + 192);
    text.extend_from_slice(format!("{{\"ttl\":{},\"body\":", message.ttl).as_bytes());
    text.extend_from_slice(&message.body);
    text.extend_from_slice(b",\"Message_Type\":\"Notification\",\"queue_name\":");
    text.extend_from_slice(json!(queue.as_str()).to_string().as_bytes());
    if let Some(marker) = marker {
        let more = format!(",\"id\":\"{}\",\"marker\":{}", message.id, json!(marker));
        text.extend_from_slice(more.as_bytes());
    }
    text.push(b'}');
    encoding.of_json(text)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::clock::Timestamp;
    use crate::model::MessageId;

    #[test]
    fn a_frame_is_bare_unless_its_subscriber_wants_to_resume() {
        let queue = QueueName::parse("q").unwrap();
        let id = MessageId::new(Timestamp::from_micros(0));
        let body = Bytes::from_static(b"{\"n\":[1.50]}");
        let (claim, checksum) = (None, Some([0; 16]));
        let message = MessageView { id, ttl: 300, age: 5, claim, claim_count: 0, checksum, body };
        let bare = r#"{"ttl":300,"body":{"n":[1.50]},"Message_Type":"Notification","queue_name":"q"}"#;
        assert_eq!(pushed(&queue, &message, None, Encoding::Json), bare);
        let marked = format!(r#"{},"id":"{id}","marker":"m\"1"}}"#, bare.strip_suffix('}').unwrap());
        assert_eq!(pushed(&queue, &message, Some("m\"1"), Encoding::Json), marked);
        for (text, marker) in [(bare, None), (&*marked, Some("m\"1"))] {
            let frame = pushed(&queue, &message, marker, Encoding::MessagePack);
            let sent: Value = rmp_serde::from_slice(&frame).unwrap();
            assert_eq!(sent, serde_json::from_str::<Value>(text).unwrap());
        }
    }
}
