//! Frames of the WebSocket API, without a socket: what is read of them, what is done, and what is answered.

mod actions;
mod administration;
mod desk;
mod envelope;
mod messages;
mod transcript;
