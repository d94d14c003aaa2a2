//! The message store of clouds: Redis or Valkey, one server, under Sentinels, or a Cluster.
//!
//! All keys of a queue share a hash tag (`keys`), each operation on it is one atomic Lua function (`library`, `lua/`),
//! over shared pipelined connections (`connection`); `bells` hear what the functions publish. `messages`, `claims` and `transfer` are the traits, one call
//! each; `codec` packs and unpacks; `scan` walks over all queues for `sweep`, `opened` and `unfinished`.

mod bells;
mod claims;
mod codec;
mod connection;
mod keys;
mod library;
mod messages;
mod opened;
mod scan;
mod start;
mod subscriptions;
mod sweep;
mod transfer;
mod unfinished;
mod uri;

use std::sync::atomic::{AtomicBool, Ordering};

use redis::Value;

pub use connection::{OpenError, Options};
pub use uri::UriError;

use self::bells::Bells;
use self::connection::Connection;
use self::library::{Call, Library, Operation};
use self::opened::Walks;
use self::sweep::Sweeping;
use self::unfinished::Unfinished;
use self::uri::Uri;
use super::{Error, Result};
use crate::clock::Timestamp;
use crate::model::QueueRef;

/// The most items that one call asks of a queue, whatever its caller wants; larger limits are met in several calls.
const MOST: usize = 10_000;

/// The message store in Redis; implements all traits of [`storage`](crate::storage) for the data of queues.
pub struct RedisStore {
    connection: Connection,
    library: Library,
    closed: AtomicBool,
    walks: Walks,
    sweeping: Sweeping,
    unfinished: Unfinished,
    bells: Bells,
    /// Whether the servers were looked at, or need not be.
    inspected: AtomicBool,
}

impl RedisStore {
    /// The store at that URI. A server that cannot be reached is no error: calls reach it once it is there. Warns of
    /// servers that may lose messages by their configuration, and of data of the Python service; where none can be
    /// reached yet, the first sweep that reaches them does.
    pub async fn open(uri: &str, options: &Options) -> std::result::Result<Self, OpenError> {
        let store = Self::prepare(uri, options, false).await?;
        store.inspected.store(store.inspect().await, Ordering::Relaxed);
        Ok(store)
    }

    /// The same with the operations as scripts, as on servers without function libraries.
    pub async fn open_with_scripts(uri: &str, options: &Options) -> std::result::Result<Self, OpenError> {
        Self::prepare(uri, options, true).await
    }

    async fn prepare(uri: &str, options: &Options, scripts: bool) -> std::result::Result<Self, OpenError> {
        let uri = Uri::parse(uri)?;
        let connection = Connection::open(&uri, options).await?;
        Ok(Self {
            library: Library::new(connection.clone(), uri.timeout, scripts),
            bells: Bells::new(&connection),
            connection,
            closed: AtomicBool::new(false),
            walks: Walks::default(),
            sweeping: Sweeping::default(),
            unfinished: Unfinished::default(),
            inspected: AtomicBool::new(true),
        })
    }

    /// Fails once the store is closed.
    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::unavailable("the store is closed"));
        }
        Ok(())
    }

    /// Calls an operation on the queue at `now`; `fill` adds the arguments, about `size` bytes.
    async fn call(
        &self,
        operation: Operation,
        queue: &QueueRef,
        now: Timestamp,
        size: usize,
        fill: impl FnOnce(&mut redis::Cmd) + Send,
    ) -> Result<Value> {
        self.check_open()?;
        let base = keys::base(queue);
        let mut call: Call = self.library.begin(operation, &base, size).await?;
        call.command.arg(codec::epoch(queue.epoch)).arg(now.micros());
        fill(&mut call.command);
        self.library.finish(&base, call).await
    }
}
