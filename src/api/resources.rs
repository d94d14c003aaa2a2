//! The handlers of all versions, a file for each resource: parse, call, answer.

pub(crate) mod claims;
pub(crate) mod flavors;
pub(crate) mod health;
pub(crate) mod home;
mod link;
pub(crate) mod messages;
pub(crate) mod metadata;
pub(crate) mod migrations;
pub(crate) mod pools;
pub(crate) mod purge;
pub(crate) mod queues;
pub(crate) mod shapes;
pub(crate) mod share;
pub(crate) mod stream;
