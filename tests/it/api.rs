//! The REST API over a real socket, on every embedded store.

mod claims;
mod common;
mod dead_letters;
mod encryption;
mod flavors;
mod messages;
mod old;
pub(crate) mod pools;
mod queues;
mod share;
