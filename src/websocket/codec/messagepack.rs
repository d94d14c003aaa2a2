//! MessagePack ("new" specification) to JSON text and back, without trees.

mod read;
mod write;

pub(in crate::websocket) use self::read::{Sizes, to_json};
pub(in crate::websocket) use self::write::from_json;

#[cfg(test)]
mod tests;
