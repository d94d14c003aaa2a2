//! A service that is asked in frames.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use zaqar::clock::{Clock, Timestamp};
use zaqar::model::Metadata;
use zaqar::service::vault::Vault;
use zaqar::service::{Service, Settings};
use zaqar::storage::memory::{MemoryManagement, MemoryStore};
use zaqar::storage::pooled::Opener;
use zaqar::storage::{DataStore, Stores};
use zaqar::websocket::{Actions, Encoding, Offer, Reply, decode};

/// The client of most frames.
pub(super) const CLIENT: &str = "3381af92-2b9e-11e3-b191-71861300734c";

/// A service over memory, and what it offers.
pub(super) struct Desk {
    pub(super) actions: Actions,
    pub(super) clock: Clock,
    encoding: Encoding,
}

impl Desk {
    /// A service with default settings.
    pub(super) fn new(encoding: Encoding) -> Self {
        Self::with(encoding, Settings::default(), Offer::default())
    }

    /// A service with these settings. Any URI of a pool opens a store of its own in memory.
    pub(super) fn with(encoding: Encoding, settings: Settings, offer: Offer) -> Self {
        let stores =
            Stores { management: Arc::new(MemoryManagement::new()), data: Arc::new(MemoryStore::new()) };
        let clock = Clock::manual(Timestamp::from_micros(1_800_000_000_000_000));
        let opener: Opener = Arc::new(|_: &str, _: &Metadata| {
            let store: Arc<dyn DataStore> = Arc::new(MemoryStore::new());
            Box::pin(async move { Ok(store) })
        });
        let vault = Vault::new(Some(&"a secret".to_owned().into()), &[], "AES256");
        let service = Service::with_pools(settings, stores, opener, clock.clone(), vault, TaskTracker::new());
        Self { actions: Actions::new(service, offer), clock, encoding }
    }

    /// The reply to a frame of a caller who is believed, as bytes.
    pub(super) async fn answer(&self, encoding: Encoding, frame: Bytes) -> Reply {
        match decode(encoding, frame, self.actions.offer()) {
            Ok(request) => self.actions.perform(&Arc::new(request.believed()), &request).await,
            Err(reply) => *reply,
        }
    }

    /// The reply to that frame, in the encoding of the desk.
    pub(super) async fn send(&self, frame: &Value) -> Value {
        let bytes = match self.encoding {
            Encoding::Json => frame.to_string().into_bytes(),
            Encoding::MessagePack => rmp_serde::to_vec(frame).unwrap(),
        };
        let reply = self.answer(self.encoding, bytes.into()).await;
        assert_eq!(reply.encoding(), self.encoding);
        let sent = read(self.encoding, &reply.encode());
        assert_eq!(sent["headers"]["status"], reply.status().as_u16());
        sent
    }

    /// Status and body of the reply to that action with that body.
    pub(super) async fn ask(&self, action: &str, body: Value) -> (u64, Value) {
        self.ask_as(json!({ "Client-ID": CLIENT, "X-Project-ID": "p" }), action, body).await
    }

    /// The same with these headers. What is answered repeats what was asked.
    pub(super) async fn ask_as(&self, headers: Value, action: &str, body: Value) -> (u64, Value) {
        let mut reply = self.send(&json!({ "action": action, "headers": headers, "body": body })).await;
        assert_eq!(
            reply["request"],
            json!({ "action": action, "body": body, "headers": headers, "api": "v2" })
        );
        (reply["headers"]["status"].as_u64().unwrap(), reply["body"].take())
    }

    /// Posts messages: their ids.
    pub(super) async fn post(&self, queue: &str, messages: Value) -> Vec<Value> {
        let (status, mut body) =
            self.ask("message_post", json!({ "queue_name": queue, "messages": messages })).await;
        assert_eq!(status, 201, "{body}");
        body["message_ids"].as_array_mut().unwrap().drain(..).collect()
    }
}

/// A frame as a value.
pub(super) fn read(encoding: Encoding, frame: &[u8]) -> Value {
    match encoding {
        Encoding::Json => serde_json::from_slice(frame).unwrap(),
        Encoding::MessagePack => rmp_serde::from_slice(frame).unwrap(),
    }
}
