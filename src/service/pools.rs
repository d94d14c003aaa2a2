//! Pools: the stores that an administrator registers (rest.md 10).

mod terms;

use std::sync::Arc;

use serde_json::{Value, json};

use super::health::PING;
use super::queues::page_size;
use super::{Context, Service};
use crate::error::{Error, Result};
use crate::model::{Capability, Metadata, Pool, PoolName};
use crate::policy::Rule;
use crate::storage::{self, DataStore, PoolChange, PoolDeletion, PoolStored};
use crate::telemetry::{self, Audited};

use self::terms::Terms;

/// The most characters of a pool's or a flavor's name: those of its column in the management store.
pub(super) const MAX_NAME: usize = 64;

const FAILED: &str = "Pools could not be read or changed.";

impl Service {
    /// Checks the name of a pool or a flavor; beyond its length everything is legal.
    pub(super) fn check_name(name: &str) -> Result<()> {
        let legal = (1..=MAX_NAME).contains(&name.chars().count()) && !name.contains('\0');
        let words = format!("A name must have at least 1 and no more than {MAX_NAME} characters.");
        if legal { Ok(()) } else { Err(Error::invalid(words)) }
    }

    /// A page of pools, by name.
    pub async fn list_pools(
        &self,
        context: &Context,
        marker: Option<&str>,
        limit: Option<i64>,
    ) -> Result<Vec<Pool>> {
        context.granted(Rule::PoolsGetAll)?;
        let most = self.limits().max_pools_per_page;
        let limit = page_size(limit, most).ok_or_else(|| page_error(most))?;
        let marker = marker.map(PoolName::new);
        let pools = self.inner.stores.management.pools(marker.as_ref(), limit).await;
        let pools = pools.map_err(Error::unavailable(FAILED))?;
        Ok(pools.into_iter().map(|pool| self.shown(context, pool)).collect())
    }

    /// The pool as the caller may see it: credentials are for those who may register pools (decision 15).
    fn shown(&self, context: &Context, mut pool: Pool) -> Pool {
        if !self.may(context, Rule::PoolsCreate, None) {
            pool.uri = telemetry::mask_uri(&pool.uri);
            pool.options = masked(&pool.options);
        }
        pool
    }

    /// One pool.
    pub async fn pool(&self, context: &Context, name: &str) -> Result<Pool> {
        context.granted(Rule::PoolsGet)?;
        let pool = self.stored_pool(&PoolName::new(name)).await?;
        Ok(self.shown(context, pool.ok_or_else(|| Error::PoolMissing(name.to_owned()))?))
    }

    /// Registers a pool by the body of a request, over one of the same name if there is one. Its store must be
    /// reachable, and able to do exactly what the other stores of its flavor can.
    pub async fn put_pool(&self, context: &Context, name: &str, body: &Value) -> Result<()> {
        context.granted(Rule::PoolsCreate)?;
        Self::check_name(name)?;
        let terms = Terms::of_new(body)?;
        let pool = Pool {
            name: PoolName::new(name),
            uri: terms.uri.unwrap_or_default(),
            weight: terms.weight.unwrap_or_default(),
            flavor: terms.flavor.filter(|flavor| !flavor.is_empty()),
            options: terms.options.unwrap_or_default(),
        };
        let before = self.stored_pool(&pool.name).await?;
        let stored = async {
            let store = self.reach(&pool.uri, &pool.options).await?;
            self.check_flavor(&pool, store.capabilities()).await?;
            self.inner.stores.management.put_pool(&pool).await.map_err(Error::unavailable(FAILED))
        };
        let stored = self.then_refreshed(stored).await?;
        let action = if before.is_some() { "pool.replace" } else { "pool.create" };
        settle(context, action, before.as_ref(), name, stored).map(drop)
    }

    /// Changes some of a pool by the body of a request: the pool then.
    pub async fn patch_pool(&self, context: &Context, name: &str, body: &Value) -> Result<Pool> {
        context.granted(Rule::PoolsUpdate)?;
        let terms = Terms::of_change(body)?;
        let pool = PoolName::new(name);
        let before = self.stored_pool(&pool).await?;
        let stored = async {
            self.check_change(before.as_ref(), &terms).await?;
            let change = PoolChange {
                weight: terms.weight,
                uri: terms.uri.clone(),
                flavor: terms.flavor.clone().map(|flavor| Some(flavor).filter(|flavor| !flavor.is_empty())),
                options: terms.options.clone(),
            };
            let changed = self.inner.stores.management.change_pool(&pool, &change).await;
            changed.map_err(Error::unavailable(FAILED))
        };
        let stored = self.then_refreshed(stored).await?;
        settle(context, "pool.update", before.as_ref(), name, stored).map(|pool| self.shown(context, pool))
    }

    /// Deletes a pool; one that is missing is no error. Refused where it is the only pool of its flavor, where a queue
    /// is on its way into it or out of it, and, if pools in use are protected, where queues are in it.
    pub async fn delete_pool(&self, context: &Context, name: &str) -> Result<()> {
        context.granted(Rule::PoolsDelete)?;
        let pool = PoolName::new(name);
        let protect = self.inner.settings.pooling.as_ref().is_some_and(|pooling| pooling.protect_used);
        let before = self.stored_pool(&pool).await?;
        let deletion = async {
            let deletion = self.inner.stores.management.delete_pool(&pool, protect).await;
            deletion.map_err(Error::unavailable(FAILED))
        };
        match self.then_refreshed(deletion).await? {
            PoolDeletion::Missing => Ok(()),
            PoolDeletion::Deleted => {
                record(context, "pool.delete", name, before.as_ref().map(document), None);
                Ok(())
            }
            PoolDeletion::OnlyPoolOf(flavor) => Err(Error::PoolInUse(
                format!("This pool is used by flavors {flavor}; It cannot be deleted.").into(),
            )),
            PoolDeletion::HoldsQueues => Err(Error::PoolInUse("Queues are in this pool.".into())),
            PoolDeletion::InMotion => {
                Err(Error::PoolInUse("A queue is on its way into this pool or out of it.".into()))
            }
        }
    }

    async fn stored_pool(&self, name: &PoolName) -> Result<Option<Pool>> {
        self.inner.stores.management.pool(name).await.map_err(Error::unavailable(FAILED))
    }

    /// Runs a change of pools and lets this node know of it, whatever became of it.
    pub(super) async fn then_refreshed<T>(&self, change: impl Future<Output = Result<T>>) -> Result<T> {
        let changed = change.await;
        if let Err(error) = self.inner.pools.refresh().await {
            tracing::warn!(error.cause = ?error, "the pools could not be read again");
        }
        changed
    }

    /// Checks what a change says: another URI must lead to a store that answers, and what stands there or serves another
    /// flavor must fit the flavor. A broken pool may be given another weight.
    async fn check_change(&self, before: Option<&Pool>, terms: &Terms) -> Result<()> {
        let changed = before.map(|before| terms.applied_to(before));
        let options = changed.as_ref().map(|pool| pool.options.clone()).unwrap_or_default();
        let reached = match &terms.uri {
            Some(uri) => Some(self.reach(uri, &options).await?.capabilities()),
            None => None,
        };
        let Some(pool) = changed.filter(|_| terms.uri.is_some() || terms.flavor.is_some()) else {
            return Ok(());
        };
        let theirs = match reached {
            Some(theirs) => theirs,
            None => self.capabilities(&pool.name).await.map_err(Error::unavailable(FAILED))?,
        };
        self.check_flavor(&pool, theirs).await
    }

    /// Checks that a pool whose store can do this can do what the other pools of its flavor can.
    async fn check_flavor(&self, pool: &Pool, theirs: &[Capability]) -> Result<()> {
        let Some(flavor) = &pool.flavor else { return Ok(()) };
        let others =
            self.inner.stores.management.pools_of(flavor).await.map_err(Error::unavailable(FAILED))?;
        let Some(other) = others.iter().find(|other| other.name != pool.name) else { return Ok(()) };
        let wanted = self.capabilities(&other.name).await.map_err(Error::unavailable(FAILED))?;
        if same(wanted, theirs) { Ok(()) } else { Err(Error::PoolMismatch) }
    }

    /// The store at that URI, if it answers.
    async fn reach(&self, uri: &str, options: &Metadata) -> Result<Arc<dyn DataStore>> {
        let reached = async {
            let store = self.inner.pools.reach(uri, options).await?;
            let answered = tokio::time::timeout(PING, store.ping()).await;
            answered.unwrap_or(Err(storage::Error::Timeout(PING)))?;
            Ok::<_, storage::Error>(store)
        };
        reached.await.map_err(|error| {
            let uri = telemetry::mask_uri(uri);
            tracing::info!(error.cause = ?error, pool.uri = uri, "the store of a pool cannot be reached");
            Error::body(format!("cannot connect to {uri}"))
        })
    }

    /// What the store of a pool can do.
    pub(super) async fn capabilities(&self, pool: &PoolName) -> storage::Result<&'static [Capability]> {
        Ok(self.inner.pools.store(Some(pool)).await?.capabilities())
    }
}

/// Whether two stores can do the same, in whatever order they say so.
pub(super) fn same(one: &[Capability], other: &[Capability]) -> bool {
    one.len() == other.len() && one.iter().all(|capability| other.contains(capability))
}

pub(super) fn page_error(most: usize) -> Error {
    Error::invalid(format!("Limit must be at least 1 and no greater than {most}."))
}

/// What became of a pool that was to be stored; what was, goes to the audit log.
fn settle(
    context: &Context,
    action: &'static str,
    before: Option<&Pool>,
    name: &str,
    stored: PoolStored,
) -> Result<Pool> {
    match stored {
        PoolStored::Done(pool) => {
            record(context, action, name, before.map(document), Some(document(&pool)));
            Ok(pool)
        }
        PoolStored::UriTaken => Err(Error::Conflict("The database URI is in use by another pool.".into())),
        PoolStored::Missing => Err(Error::PoolMissing(name.to_owned())),
    }
}

/// The options with the values of those that sound secret hidden.
fn masked(options: &Metadata) -> Metadata {
    let masked = |(name, value): (&String, &Value)| {
        let value = if telemetry::is_secret(name) { "***".into() } else { value.clone() };
        (name.clone(), value)
    };
    options.iter().map(masked).collect()
}

/// The pool for the audit log.
fn document(pool: &Pool) -> String {
    let uri = telemetry::mask_uri(&pool.uri);
    let options = masked(&pool.options);
    json!({ "uri": uri, "weight": pool.weight, "flavor": pool.flavor, "options": options }).to_string()
}

/// Writes a change to the audit log.
pub(super) fn record(
    context: &Context,
    action: &'static str,
    subject: &str,
    before: Option<String>,
    after: Option<String>,
) {
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let project = context.project.as_str();
    telemetry::audit(&Audited { action, subject, project, roles: &context.identity.roles, before, after });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::auth::Identity;
    use crate::clock::Clock;
    use crate::model::{ClientId, ProjectId};
    use crate::service::Settings;
    use crate::service::vault::Vault;
    use crate::storage::Stores;
    use crate::storage::memory::{MemoryManagement, MemoryStore};

    fn secretive() -> Pool {
        let options = serde_json::from_str(r#"{"sentinel_password": "s3cret", "dbid": 1}"#).unwrap();
        let (name, uri) = (PoolName::new("p"), "redis://u:s3cret@h".to_owned());
        Pool { name, uri, weight: 1, flavor: None, options }
    }

    #[test]
    fn only_who_may_register_pools_sees_their_secrets() {
        let stores =
            Stores { management: Arc::new(MemoryManagement::new()), data: Arc::new(MemoryStore::new()) };
        let (clock, vault) = (Clock::system(), Vault::new(None, &[], "AES256"));
        let service = Service::new(Settings::default(), stores, clock, vault, TaskTracker::new());
        let context = |role: &str| {
            let identity = Identity { roles: vec![role.to_owned()], ..Identity::default() };
            Context::new(Arc::new(identity), ProjectId::new("p"), ClientId::new("c"))
        };
        assert_eq!(service.shown(&context("Admin"), secretive()), secretive());
        let pool = service.shown(&context("reader"), secretive());
        assert_eq!(pool.uri, "redis://***@h");
        assert_eq!(serde_json::to_string(&pool.options).unwrap(), r#"{"sentinel_password":"***","dbid":1}"#);
    }

    #[test]
    fn the_audit_log_sees_none() {
        assert!(!document(&secretive()).contains("s3cret"));
    }

    #[test]
    fn names_have_a_length_and_no_other_rule() {
        for good in ["a b", "ä/ö", &"x".repeat(MAX_NAME)] {
            Service::check_name(good).unwrap();
        }
        for bad in ["", "a\0b", &"x".repeat(MAX_NAME + 1)] {
            Service::check_name(bad).unwrap_err();
        }
    }

    #[test]
    fn capabilities_are_compared_as_sets() {
        use Capability::{Aod, Claims, Fifo};
        assert!(same(&[Fifo, Aod], &[Aod, Fifo]));
        assert!(!same(&[Fifo, Aod], &[Fifo]));
        assert!(!same(&[Fifo, Aod], &[Fifo, Claims]));
    }
}
