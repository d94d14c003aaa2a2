//! The WebSocket API (websocket.md): the same operations as REST, many requests over one connection, and messages
//! pushed as they arrive.
//!
//! ```text
//! handshake (HTTP → WebSocket) → socket (frames) → connection (I/O) ⇄ session (rules, no I/O)
//!         → requests (decode, authenticate, carry out) → actions → service
//! ```
//!
//! There are two front doors: a listener of its own, where any path is one, and `/v2/ws` on the port of the REST API.
//! Behind them it is the same.
//!
//! A frame is read ([`decode`]) into a [`Request`], which names an [`Action`]; [`Actions::perform`] carries it out
//! and gives a [`Reply`], which is a whole frame in the encoding of its request ([`Reply::encode`]).

mod actions;
mod authenticate;
mod codec;
mod connection;
mod envelope;
mod handshake;
mod hub;
mod leases;
mod origin;
mod outbox;
mod push;
mod pushed;
mod reply;
mod requests;
mod schema;
mod session;
mod settings;
mod signed;
mod socket;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request as HttpRequest;
use axum::routing::any;

pub use self::actions::{Actions, Offer};
pub use self::codec::Encoding;
pub use self::envelope::{Request, decode};
pub use self::hub::Hub;
pub use self::origin::Origins;
pub use self::pushed::pushed;
pub use self::reply::Reply;
pub use self::schema::Action;
pub use self::settings::WebSocketSettings;
pub use self::socket::{End, Incoming, Kind, Socket};

/// The codes that close a connection, beside those of the protocol itself.
pub mod code {
    /// The service stops; connect again, to another one.
    pub const GOING_AWAY: u16 = 1001;
    /// A push cannot go on, for a defect of the service; connect again.
    pub const FAILED: u16 = 1011;
    /// The token's time has passed; reason `Authentication expired.`.
    pub const EXPIRED: u16 = 4003;
    /// The client does not take what is sent to it; reason `slow reader`.
    pub const SLOW_READER: u16 = 4008;
}

/// The path on the port of the REST API.
pub const PATH: &str = "/v2/ws";

/// Where a client comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// The listener of its own.
    Own,
    /// The port of the REST API.
    Rest,
}

/// The route on the port of the REST API.
pub(crate) fn route(hub: Arc<Hub>) -> Router {
    Router::new()
        .route(PATH, any(move |request: HttpRequest| handshake::answer(hub.clone(), Door::Rest, request)))
}

/// All paths of the own listener.
pub(crate) fn everywhere(hub: Arc<Hub>) -> Router {
    Router::new().fallback(move |request: HttpRequest| handshake::answer(hub.clone(), Door::Own, request))
}
