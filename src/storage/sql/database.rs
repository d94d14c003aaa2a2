//! The open database, whichever it is, and the sessions it gives.

use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::{Executor as _, MySql, MySqlPool, PgPool, Postgres};

use super::OpenError;
use super::connections::Connections;
use super::dialect::Dialect;
use super::session::Session;
use super::url::{Address, Location};
use crate::storage::Result;

/// Connections to a server, at most. A node asks its database little: what it knows of queues is cached.
const CONNECTIONS: u32 = 10;

/// How long an unused connection stays; proxies before a Galera cluster cut it after a minute or more.
const IDLE: Duration = Duration::from_secs(50);

/// How long a connection is used at most, so that after a failover load spreads again.
const LIFETIME: Duration = Duration::from_mins(30);

/// What each session of `MariaDB` and `MySQL` begins with. Names are quoted as in standard SQL; nothing is cut to fit;
/// locks are waited for for a second, and then the call is tried again.
const MYSQL_SESSION: &str = "SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
     time_zone = '+00:00', innodb_lock_wait_timeout = 1, lock_wait_timeout = 2, autocommit = 1; \
     SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// What each session of `PostgreSQL` begins with: work that nobody waits for any more ends, in milliseconds.
const POSTGRES_SESSION: &str =
    "SET lock_timeout = 1000; SET statement_timeout = 10000; SET idle_in_transaction_session_timeout = 10000";

/// An open database.
pub(super) enum Database {
    Sqlite(Connections),
    Mysql(MySqlPool, Address),
    Postgres(PgPool, Address),
}

impl Database {
    /// Opens the database: a file of `SQLite` is locked, created and upgraded; of a server only the first
    /// connection is tried. `busy` is how long `SQLite` waits for another process that writes, `acquire` how long
    /// a connection to a server is waited for.
    pub(super) async fn open(
        location: Location,
        busy: Duration,
        acquire: Duration,
    ) -> std::result::Result<Self, OpenError> {
        match location {
            Location::Memory => Ok(Self::Sqlite(Connections::open(None, busy).await?)),
            Location::File(path) => Ok(Self::Sqlite(Connections::open(Some(&path), busy).await?)),
            Location::Mysql(options, address) => {
                let pool = server::<MySql>(acquire).after_connect(|connection, _| {
                    Box::pin(async move { connection.execute(MYSQL_SESSION).await.map(drop) })
                });
                Ok(Self::Mysql(pool.connect_lazy_with(*options), address))
            }
            Location::Postgres(options, address) => {
                let pool = server::<Postgres>(acquire).after_connect(|connection, _| {
                    Box::pin(async move { connection.execute(POSTGRES_SESSION).await.map(drop) })
                });
                Ok(Self::Postgres(pool.connect_lazy_with(*options), address))
            }
        }
    }

    /// Its language.
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Mysql(..) => Dialect::Mysql,
            Self::Postgres(..) => Dialect::Postgres,
        }
    }

    /// Where it is, without a password; `None` for one of this process.
    pub(super) fn address(&self) -> Option<&str> {
        match self {
            Self::Sqlite(_) => None,
            Self::Mysql(_, address) | Self::Postgres(_, address) => Some(address),
        }
    }

    /// For single statements that read, by an index.
    pub(super) async fn read(&self) -> Result<Session> {
        match self {
            Self::Sqlite(connections) => Ok(Session::sqlite(connections.readers.acquire().await?, None)),
            _ => self.session().await,
        }
    }

    /// For a statement that scans. It ends early when its caller goes away or gives up.
    pub(super) async fn scan(&self) -> Result<Session> {
        match self {
            Self::Sqlite(connections) => connections.scan().await,
            _ => self.session().await,
        }
    }

    /// An open transaction that writes. Dropped without a commit, it is rolled back.
    pub(super) async fn begin(&self) -> Result<Session> {
        self.session().await?.begin().await
    }

    /// A session in no transaction; on `SQLite` the one that writes.
    pub(super) async fn session(&self) -> Result<Session> {
        Ok(match self {
            Self::Sqlite(connections) => connections.write().await?,
            Self::Mysql(pool, _) => Session::mysql(pool.acquire().await?),
            Self::Postgres(pool, _) => Session::postgres(pool.acquire().await?),
        })
    }

    /// Ends all connections in order.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(connections) => connections.close().await,
            Self::Mysql(pool, _) => pool.close().await,
            Self::Postgres(pool, _) => pool.close().await,
        }
    }
}

/// The limits of a pool. A connection is asked for a sign of life before it is used again, so that one that the
/// server or a proxy closed is replaced unnoticed.
fn server<DB: sqlx::Database>(acquire: Duration) -> PoolOptions<DB> {
    PoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(acquire)
        .idle_timeout(IDLE)
        .max_lifetime(LIFETIME)
        .test_before_acquire(true)
}
