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
