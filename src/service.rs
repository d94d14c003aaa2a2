//! The operations of the service: authorise, validate, store.
//!
//! Every front door (REST of any version, later WebSocket and others) calls these functions and no store.
//! Nothing here knows HTTP; nothing below knows what a client may do.

mod attributes;
mod claims;
mod context;
mod dead_letters;
mod feed;
mod flavors;
mod follow;
mod health;
mod messages;
mod moves;
mod placement;
mod pools;
mod purge;
mod queues;
mod reconcile;
mod registry;
mod share;
mod subscriptions;
mod sweep;
pub mod vault;
mod waiting;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::claims::{ClaimAnswer, ClaimRequested, Hold, Won};
pub use self::context::Context;
use self::dead_letters::MoveLocks;
pub use self::feed::Feed;
pub use self::flavors::FlavorView;
use self::follow::Pumps;
pub use self::follow::{Batch, Followed, Follower, FrameShape, Start};
pub use self::health::{HealthReport, Probe, StoreHealth};
pub use self::messages::{ListRequest, Listing, MessageView, PostTerms, Removal};
use self::moves::Movers;
pub use self::moves::{Migration, MigrationPage};
pub use self::placement::Pooling;
pub use self::queues::{QueueListRequest, QueueListing, Shown};
use self::registry::Registry;
pub use self::share::{PresignedUrl, ShareTerms, Shared};
pub use self::subscriptions::{CONNECTION_LEASE, DataOrigin, Subscriber, SubscriptionView};
pub use self::sweep::Sweeper;
use self::vault::Vault;
pub use self::waiting::MAX_WAIT;
use crate::auth::SigningKey;
use crate::clock::Clock;
use crate::model::PoolName;
use crate::model::limits::Limits;
use crate::policy::Policy;
use crate::storage::pooled::{self, Opener, Pools};
use crate::storage::{DataStore, Stores};

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
    /// What callers may do.
    pub policy: Policy,
    /// `[signed_url] secret_key`: signs URLs.
    pub signing_key: SigningKey,
    /// `[DEFAULT] pooling`: set where queues are spread over pools.
    pub pooling: Option<Pooling>,
}

/// The service: every operation is a method of it. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    stores: Stores,
    pools: Pools,
    clock: Clock,
    vault: Vault,
    registry: Registry,
    moves: MoveLocks,
    movers: Movers,
    pumps: Pumps,
    tasks: TaskTracker,
    /// Cancelled when nobody is to wait any more.
    waits: CancellationToken,
}

impl Service {
    /// The service over these stores. Work that must outlive its request runs in `tasks`, which the caller
    /// waits for at the end.
    pub fn new(settings: Settings, stores: Stores, clock: Clock, vault: Vault, tasks: TaskTracker) -> Self {
        Self::with_pools(settings, stores, pooled::opens_nothing(), clock, vault, tasks)
    }

    /// The same with a way to open the stores of pools.
    pub fn with_pools(
        settings: Settings,
        stores: Stores,
        opener: Opener,
        clock: Clock,
        vault: Vault,
        tasks: TaskTracker,
    ) -> Self {
        let pools = Pools::new(stores.data.clone(), stores.management.clone(), opener, tasks.clone());
        let moves = MoveLocks::default();
        let registry = Registry::default();
        Self {
            inner: Arc::new(Inner {
                settings,
                stores,
                pools,
                clock,
                vault,
                registry,
                moves,
                movers: Movers::default(),
                pumps: Pumps::default(),
                tasks,
                waits: CancellationToken::new(),
            }),
        }
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
    fn pools_changed(&self) {
        let service = self.clone();
        self.inner.tasks.spawn(async move {
            if let Err(error) = service.inner.pools.follow().await {
                tracing::warn!(error.cause = ?error, "the pools could not be read again");
            }
            service.inner.registry.stores_changed();
        });
    }

    /// The store of the configuration and those of all pools, each with the name of its pool. One that cannot be
    /// opened is left out and named in the log.
    async fn every_store(&self) -> Vec<(Option<PoolName>, Arc<dyn DataStore>)> {
        let pools = &self.inner.pools;
        if self.inner.settings.pooling.is_some()
            && let Err(error) = pools.all().await
        {
            tracing::warn!(error.cause = ?error, "the pools could not be read");
        }
        let mut stores = Vec::new();
        for (name, store) in pools.every().await {
            match store {
                Ok(store) => stores.push((name, store)),
                Err(error) => tracing::warn!(error.cause = ?error, "a pool is left out"),
            }
        }
        stores
    }

    /// Ends the stores in order, after the work in progress.
    pub async fn close(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.pools.close().await;
        self.inner.stores.management.close().await;
    }
}
