//! Opens the stores of pools, by their URIs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::state::state_directory;
use crate::config::Config;
use crate::config::sections::Redis;
use crate::model::{Metadata, PoolName};
use crate::storage::memory::MemoryStore;
use crate::storage::pooled::Opener;
use crate::storage::redis::{self, RedisStore};
use crate::storage::sqlite::{OpenError, Options, SqliteStore};
use crate::storage::timed::Timed;
use crate::storage::{Catalogue as _, DataStore, Error, Management as _, Messages as _, Result};

/// What opens the stores of pools in that configuration. Options of a pool go over those of the configuration, for
/// that pool alone.
pub(super) fn opener(config: &Config) -> Opener {
    let places = Arc::new(Places::of(config, SqliteStore::open));
    Arc::new(move |uri, options| {
        let (places, uri, options) = (places.clone(), uri.to_owned(), options.clone());
        Box::pin(async move {
            let store = places.open(&uri, &options).await?;
            Ok(Arc::new(Timed::new(store, "messages")) as Arc<dyn DataStore>)
        })
    })
}

/// The stores of the registered pools for a second process that only sweeps them, each with the name of its pool. Those
/// in RAM live in the server alone.
pub async fn shared_pools(config: &Config) -> anyhow::Result<Vec<(PoolName, Result<Arc<dyn DataStore>>)>> {
    if !config.default.pooling || config.drivers.management_store == "memory" {
        return Ok(Vec::new());
    }
    let (places, mut stores) = (Places::of(config, SqliteStore::open_shared), Vec::new());
    let management = super::stores::management(config).await?;
    let mut after = None;
    loop {
        let page = management.pools(after.as_ref(), PAGE).await?;
        for pool in page.iter().filter(|pool| !pool.uri.starts_with("memory:")) {
            stores.push((pool.name.clone(), places.open(&pool.uri, &pool.options).await));
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.name.clone()),
            _ => break,
        }
    }
    management.close().await;
    Ok(stores)
}

/// How many pools are read at a time.
const PAGE: usize = 100;

/// What opens the file of an SQLite store: for one server alone, or beside it.
type OpenFile = fn(&Path, Options) -> std::result::Result<SqliteStore, OpenError>;

/// What the stores of pools need of the configuration.
struct Places {
    open_file: OpenFile,
    /// Of SQLite files, as configured.
    directory: Option<String>,
    state_path: Option<String>,
    redis: Redis,
    /// The open stores in RAM, by name.
    memory: Mutex<HashMap<String, Arc<MemoryStore>>>,
}

impl Places {
    fn of(config: &Config, open_file: OpenFile) -> Self {
        Self {
            open_file,
            directory: config.sqlite_messages.pool_directory.clone(),
            state_path: config.default.state_path.clone(),
            redis: config.redis_messages.clone(),
            memory: Mutex::default(),
        }
    }

    /// The one match on the scheme of a pool's URI.
    async fn open(&self, uri: &str, options: &Metadata) -> Result<Arc<dyn DataStore>> {
        match uri.split_once(':') {
            Some(("memory", name)) => Ok(self.memory(name).await),
            Some(("sqlite", name)) => self.sqlite(name).await,
            Some(("redis" | "rediss", _)) => {
                let store = RedisStore::open(uri, &redis_options(&self.redis, options)).await;
                Ok(Arc::new(store.map_err(Error::unavailable)?))
            }
            _ => Err(Error::unavailable("no store of that scheme is built in")),
        }
    }

    /// The store in RAM of that name, for tests: what follows a question mark only makes URIs differ.
    async fn memory(&self, name: &str) -> Arc<dyn DataStore> {
        let name = name.split('?').next().unwrap_or_default();
        let known = self.stores().get(name).cloned();
        if let Some(store) = known
            && store.ping().await.is_ok()
        {
            return store;
        }
        let store = Arc::new(MemoryStore::default());
        self.stores().insert(name.to_owned(), store.clone());
        store
    }

    fn stores(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<MemoryStore>>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sqlite(&self, name: &str) -> Result<Arc<dyn DataStore>> {
        let file = name.strip_prefix("//").and_then(pool_file).ok_or_else(|| Error::unavailable(FORM))?;
        let directory = match &self.directory {
            Some(directory) => PathBuf::from(directory),
            None => state_directory(self.state_path.as_deref(), |name| std::env::var(name).ok())
                .map_err(|problem| Error::unavailable(format!("{problem:#}")))?
                .join("pools"),
        };
        let (path, open_file) = (directory.join(file), self.open_file);
        let opened = tokio::task::spawn_blocking(move || open_file(&path, Options::default())).await;
        let store = opened.map_err(Error::unavailable)?.map_err(Error::unavailable)?;
        Ok(Arc::new(store))
    }
}

/// The options of a store in Redis: what a pool says, else what the configuration says. Of what a pool says, values of
/// a wrong type count as unsaid, and unknown options are nobody's.
pub(super) fn redis_options(section: &Redis, pool: &Metadata) -> redis::Options {
    let attempts = pool.get("max_reconnect_attempts").and_then(Value::as_u64);
    let sleep = pool.get("reconnect_sleep").and_then(Value::as_f64).filter(|sleep| *sleep >= 0.0);
    redis::Options {
        max_reconnect_attempts: attempts
            .map_or(section.max_reconnect_attempts, |attempts| u32::try_from(attempts).unwrap_or(u32::MAX)),
        reconnect_sleep: Duration::try_from_secs_f64(sleep.unwrap_or(section.reconnect_sleep))
            .unwrap_or(Duration::MAX),
    }
}

const FORM: &str =
    "the URI of an SQLite pool is sqlite://name or sqlite://name/name, of letters, digits, _ - .";

/// The file of an SQLite pool below the directory of pools; `None` for a name that could lead out of it (decision 15).
fn pool_file(name: &str) -> Option<PathBuf> {
    let legal = |part: &str| {
        let letters = part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        letters && !part.is_empty() && part != "." && !part.contains("..")
    };
    let parts: Vec<_> = name.split('/').collect();
    let ok = parts.len() <= 2 && parts.iter().all(|part| legal(part));
    ok.then(|| PathBuf::from(format!("{name}.db")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_pool_are_its_own() {
        let section = &Config::default().redis_messages;
        let pool: Metadata = serde_json::from_str(
            r#"{"max_reconnect_attempts": 3, "reconnect_sleep": 0.5, "max_retry_sleep": 1}"#,
        )
        .unwrap();
        let of_pool = redis_options(section, &pool);
        assert_eq!((of_pool.max_reconnect_attempts, of_pool.reconnect_sleep.as_millis()), (3, 500));
        let wrong: Metadata =
            serde_json::from_str(r#"{"max_reconnect_attempts": "3", "reconnect_sleep": -1}"#).unwrap();
        for unsaid in [Metadata::new(), wrong] {
            let other = redis_options(section, &unsaid);
            assert_eq!((other.max_reconnect_attempts, other.reconnect_sleep.as_millis()), (10, 1_000));
        }
    }

    #[test]
    fn sqlite_pools_stay_in_their_directory() {
        for (name, file) in [("a", "a.db"), ("a/b", "a/b.db"), ("A-1_.x/0", "A-1_.x/0.db")] {
            assert_eq!(pool_file(name), Some(file.into()), "{name}");
        }
        for bad in [
            "", "/a", "a/", "a//b", "a/b/c", "..", "a/..", "../a", ".", "./a", "a..b", "a b", "a?b", "ä",
            "a\0",
        ] {
            assert_eq!(pool_file(bad), None, "{bad}");
        }
    }
}
