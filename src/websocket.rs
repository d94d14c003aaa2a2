//! The WebSocket API (websocket.md): the same operations as REST, many requests over one connection.
//!
//! A frame is read ([`decode`]) into a [`Request`], which names an [`Action`]; [`Actions::perform`] carries it out
//! and gives a [`Reply`], which is a whole frame in the encoding of its request ([`Reply::encode`]).

mod actions;
mod codec;
mod envelope;
mod pushed;
mod reply;
mod schema;

pub use self::actions::{Actions, Offer};
pub use self::codec::Encoding;
pub use self::envelope::{Request, decode};
pub use self::pushed::pushed;
pub use self::reply::Reply;
pub use self::schema::Action;
