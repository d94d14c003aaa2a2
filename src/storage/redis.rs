//! Messages in Redis: one server, Sentinel or Cluster.

mod connection;
mod uri;

pub use connection::{OpenError, Options};
pub use uri::UriError;
