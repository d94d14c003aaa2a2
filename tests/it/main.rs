//! The integration tests: one binary, real sockets and stores, in parallel, without sleeps.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod attacks;
mod cloud;
mod contract;
mod faults;
mod frames;
mod identity;
mod model;
mod moves;
mod policy;
mod property;
mod redis;
mod server;
mod sql;
mod stream;
mod support;
mod tenants;
mod token_cache;
mod waiting;
mod websocket;
