//! Opens the stores that a configuration names.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;

use super::{pools, state_directory};
use crate::config::Config;
use crate::model::Metadata;
use crate::storage::memory::{MemoryManagement, MemoryStore};
use crate::storage::redis::RedisStore;
use crate::storage::sql::SqlManagement;
use crate::storage::sqlite::{Options, SqliteStore};
use crate::storage::timed::Timed;
use crate::storage::{DataStore, ManagementStore, Stores};

/// Message stores that are built in.
pub const DATA_DRIVERS: &[&str] = &["sqlite", "redis", "memory"];

/// Management stores that are built in.
pub const MANAGEMENT_DRIVERS: &[&str] = &["sqlalchemy", "memory"];

/// Opens both stores.
pub(super) async fn open(config: &Config) -> anyhow::Result<Stores> {
    config.check_stores(DATA_DRIVERS, MANAGEMENT_DRIVERS)?;
    let data: Arc<dyn DataStore> = match config.drivers.message_store.as_str() {
        "memory" => Arc::new(MemoryStore::default()),
        "redis" => Arc::new(redis(config).await?),
        _ => Arc::new(sqlite(config)?),
    };
    let management: Arc<dyn ManagementStore> = match config.drivers.management_store.as_str() {
        "memory" => Arc::new(MemoryManagement::default()),
        _ => Arc::new(management(config).await?),
    };
    Ok(Stores {
        management: Arc::new(Timed::new(management, "management")),
        data: Arc::new(Timed::new(data, "messages")),
    })
}

/// The message store for a second process that only sweeps it; `None` where it lives in the server alone.
pub async fn shared_store(config: &Config) -> anyhow::Result<Option<Arc<dyn DataStore>>> {
    match config.drivers.message_store.as_str() {
        "memory" => Ok(None),
        "redis" => Ok(Some(Arc::new(redis(config).await?))),
        _ => {
            let path = sqlite_path(config)?;
            let store = SqliteStore::open_shared(&path, Options::default())
                .with_context(|| format!("message store {}", path.display()))?;
            Ok(Some(Arc::new(store)))
        }
    }
}

/// The message store in Redis.
async fn redis(config: &Config) -> anyhow::Result<RedisStore> {
    let section = &config.redis_messages;
    let options = pools::redis_options(section, &Metadata::new());
    RedisStore::open(section.uri.expose_secret(), &options).await.context("[drivers:message_store:redis] uri")
}

/// The embedded message store.
fn sqlite(config: &Config) -> anyhow::Result<SqliteStore> {
    let path = sqlite_path(config)?;
    SqliteStore::open(&path, Options::default()).with_context(|| format!("message store {}", path.display()))
}

/// The file of the embedded message store: as configured, else in the state directory.
fn sqlite_path(config: &Config) -> anyhow::Result<PathBuf> {
    const FORM: &str =
        "[drivers:message_store:sqlite] uri must be sqlite:////absolute/path or sqlite:///relative/path";
    match &config.sqlite_messages.uri {
        Some(uri) => {
            let path = uri.strip_prefix("sqlite:///").filter(|path| !path.is_empty()).context(FORM)?;
            Ok(PathBuf::from(path))
        }
        None => Ok(state(config)?.join("messages.db")),
    }
}

pub(super) async fn management(config: &Config) -> anyhow::Result<SqlManagement> {
    SqlManagement::open(&management_uri(config)?).await.context("management store")
}

/// The URL of the management database: as configured, else a file in the state directory. It may hold a password.
pub fn management_uri(config: &Config) -> anyhow::Result<String> {
    Ok(match &config.sqlalchemy.uri {
        Some(uri) => uri.expose_secret().to_owned(),
        None => format!("sqlite:///{}", state(config)?.join("management.db").display()),
    })
}

fn state(config: &Config) -> anyhow::Result<PathBuf> {
    state_directory(config.default.state_path.as_deref(), |name| std::env::var(name).ok())
}
