//! The WebSocket API over real sockets.

mod authenticate;
mod handshake;
mod limits;
mod order;
mod push;
