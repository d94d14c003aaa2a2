//! Messages on their way to followers: read once, encoded once, shared by all.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::place::Place;
use crate::model::ClientId;
use crate::service::MessageView;

/// A followed message.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The message, its body in clear.
    pub message: MessageView,
    /// The marker behind it.
    pub marker: String,
    /// Who posted it.
    pub client: ClientId,
    pub(super) place: Place,
    frames: [OnceLock<Bytes>; SHAPES],
}

/// In which form a message is sent to followers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameShape {
    /// A JSON frame as the reference pushes it.
    Json,
    /// The same with `id` and `marker`.
    JsonMarked,
    /// A MessagePack frame as the reference pushes it.
    MessagePack,
    /// The same with `id` and `marker`.
    MessagePackMarked,
    /// A server-sent event.
    Event,
}

const SHAPES: usize = FrameShape::Event as usize + 1;

impl Followed {
    pub(super) fn new(message: MessageView, marker: String, client: ClientId, place: Place) -> Self {
        Self { message, marker, client, place, frames: Default::default() }
    }

    /// The message in that form, made by whoever asks first and kept for all others: `make` must depend on nothing but
    /// the message and its queue.
    pub fn frame(&self, shape: FrameShape, make: impl FnOnce(&Self) -> Bytes) -> Bytes {
        self.frames[shape as usize].get_or_init(|| make(self)).clone()
    }
}

/// Messages in order, shared by all followers of the queue. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Batch {
    messages: Arc<[Followed]>,
    /// How many of them the follower had before.
    skipped: usize,
}

impl Batch {
    /// Those behind that place.
    pub(super) fn behind(&self, place: Place) -> Self {
        let skipped = self.messages.partition_point(|followed| followed.place <= place);
        Self { messages: self.messages.clone(), skipped }
    }
}

impl From<Vec<Followed>> for Batch {
    fn from(messages: Vec<Followed>) -> Self {
        Self { messages: messages.into(), skipped: 0 }
    }
}

impl Deref for Batch {
    type Target = [Followed];

    fn deref(&self) -> &[Followed] {
        &self.messages[self.skipped..]
    }
}
