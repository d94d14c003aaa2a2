//! Zaqar: multi-tenant messaging for OpenStack clouds, in one binary.
//!
//! # What a request meets, in order
//!
//! ```text
//! socket → server → api/middleware → api/v2/messages.rs (shapes of the wire only)
//!        → service/messages.rs (the operation: authorise → validate → store)
//!        → a storage trait → storage/memory | storage/sqlite | storage/sql
//! ```
//!
//! Nothing above [`service`] knows a database; nothing below it knows HTTP. Bodies of messages are opaque
//! bytes from socket to store to socket. Time, randomness and listeners are passed in.

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod model;
pub mod policy;
pub mod server;
pub mod service;
pub mod storage;
pub mod telemetry;
pub mod wake;
pub mod websocket;
