//! The WebSocket API over real sockets.

mod authenticate;
mod doors;
mod handshake;
mod kill;
mod limits;
mod nodes;
mod order;
mod push;
mod soak;
