//! The operations of the service: authorise, validate, store.
//!
//! Every front door (REST of any version, later WebSocket and others) calls these functions and no store.
//! Nothing here knows HTTP; nothing below knows what a client may do.

mod attributes;
mod claims;
mod context;
mod dead_letters;
mod feed;
mod health;
mod messages;
mod purge;
mod queues;
mod registry;
mod sweep;
pub mod vault;

use std::sync::Arc;

use tokio_util::task::TaskTracker;

pub use self::claims::ClaimAnswer;
pub use self::context::Context;
use self::dead_letters::MoveLocks;
pub use self::feed::Feed;
pub use self::health::{HealthReport, Probe};
pub use self::messages::{ListRequest, Listing, MessageView, PostTerms, Removal};
pub use self::queues::{QueueListRequest, QueueListing};
use self::registry::Registry;
pub use self::sweep::Sweeper;
use self::vault::Vault;
use crate::clock::Clock;
use crate::model::limits::Limits;
use crate::storage::Stores;

/// What the service needs to know of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Limits and defaults of `[transport]`.
    pub limits: Limits,
    /// `[transport] client_id_uuid_safe = off`: clients need not be UUIDs.
    pub free_client_ids: bool,
    /// `[DEFAULT] enable_checksum`: keep and show an MD5 of each body.
    pub checksums: bool,
    /// `[transport] message_delete_with_claim_id`: bulk deletion wants claims.
    pub delete_needs_claims: bool,
}

/// The service: every operation is a method of it. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    stores: Stores,
    clock: Clock,
    vault: Vault,
    registry: Registry,
    moves: MoveLocks,
    tasks: TaskTracker,
}

impl Service {
    /// The service over these stores. Work that must outlive its request runs in `tasks`, which the caller
    /// waits for at the end.
    pub fn new(settings: Settings, stores: Stores, clock: Clock, vault: Vault, tasks: TaskTracker) -> Self {
        let (registry, moves) = (Registry::default(), MoveLocks::default());
        Self { inner: Arc::new(Inner { settings, stores, clock, vault, registry, moves, tasks }) }
    }

    /// The limits that requests are held to.
    pub fn limits(&self) -> &Limits {
        &self.inner.settings.limits
    }

    /// Whether clients may be other than UUIDs.
    pub fn free_client_ids(&self) -> bool {
        self.inner.settings.free_client_ids
    }

    /// The clock that the service goes by.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Notes that pools or flavors may have changed.
    fn pools_changed(&self) {}

    /// Ends the stores in order, after the work in progress.
    pub async fn close(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.stores.data.close().await;
        self.inner.stores.management.close().await;
    }
}
