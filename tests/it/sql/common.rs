//! New databases, another program's connections to them, and short words for queues.

use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, MySqlConnection, PgConnection, Row as _, SqliteConnection,
};
use tempfile::TempDir;
use zaqar::model::{Metadata, ProjectId, QueueName};
use zaqar::storage::sql::SqlManagement;
use zaqar::storage::{Management, QueueFilter, QueueRecord};

use crate::contract::fixture::{queue_ref, upgraded};
use crate::support::mariadb::{self, MariaDb};
use crate::support::postgres::{self, Postgres};

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    MariaDb,
    Postgres,
}

/// A new empty database.
pub(crate) struct Fresh {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    _dir: Option<TempDir>,
}

impl Kind {
    pub(crate) async fn fresh(self) -> Fresh {
        let (url, dir) = match self {
            Self::Sqlite => {
                let dir = tempfile::tempdir().unwrap();
                (format!("sqlite:///{}", dir.path().join("m.db").display()), Some(dir))
            }
            Self::MariaDb => (MariaDb::shared().await.database().await, None),
            Self::Postgres => (Postgres::shared().await.database().await, None),
        };
        Fresh { kind: self, url, _dir: dir }
    }
}

impl Fresh {
    /// The store on this database, which is upgraded if need be.
    pub(crate) async fn open(&self) -> SqlManagement {
        upgraded(&self.url).await
    }

    /// A connection of another program.
    pub(crate) async fn other(&self) -> Other {
        match self.kind {
            Kind::Sqlite => {
                let path = self.url.strip_prefix("sqlite:///").unwrap();
                let options =
                    sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
                Other::Sqlite(SqliteConnection::connect_with(&options).await.unwrap())
            }
            Kind::MariaDb => {
                let mut connection = mariadb::other_program(&self.url).await;
                connection.execute("SET sql_mode = 'ANSI_QUOTES'").await.unwrap();
                Other::MariaDb(connection)
            }
            Kind::Postgres => Other::Postgres(postgres::other_program(&self.url).await),
        }
    }
}

/// Another program, such as the Python service.
pub(crate) enum Other {
    Sqlite(SqliteConnection),
    MariaDb(MySqlConnection),
    Postgres(PgConnection),
}

impl Other {
    /// Runs statements.
    pub(crate) async fn run(&mut self, text: &str) {
        self.try_run(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    pub(crate) async fn try_run(&mut self, text: &str) -> sqlx::Result<()> {
        let text = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
        match self {
            Self::Sqlite(connection) => text.execute(connection).await.map(drop),
            Self::MariaDb(connection) => text.execute(connection).await.map(drop),
            Self::Postgres(connection) => text.execute(connection).await.map(drop),
        }
    }

    /// Binds bytes as the metadata of a statement whose parameter is written `?`.
    pub(crate) async fn run_with(&mut self, text: &str, bytes: &[u8]) {
        let numbered = AssertSqlSafe(text.replacen('?', "$1", 1));
        let text = AssertSqlSafe(text.to_owned());
        match self {
            Self::Sqlite(connection) => sqlx::query(text).bind(bytes).execute(connection).await.map(drop),
            Self::MariaDb(connection) => sqlx::query(text).bind(bytes).execute(connection).await.map(drop),
            Self::Postgres(connection) => {
                sqlx::query(numbered).bind(bytes).execute(connection).await.map(drop)
            }
        }
        .unwrap();
    }

    /// The first column of the rows that a statement gives, which must be text.
    pub(crate) async fn column(&mut self, text: &str) -> Vec<String> {
        let text = AssertSqlSafe(text.to_owned());
        match self {
            Self::Sqlite(connection) => {
                let rows = sqlx::query(text).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| row.get_unchecked(0)).collect()
            }
            Self::MariaDb(connection) => {
                let rows = sqlx::query(text).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| row.get_unchecked(0)).collect()
            }
            Self::Postgres(connection) => {
                let rows = sqlx::query(text).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| row.get_unchecked(0)).collect()
            }
        }
    }

    /// What the Python service does when a queue is created.
    pub(crate) async fn insert(&mut self, project: &str, queue: &str, json: &str) {
        let text = r#"INSERT INTO "Queues" (project, name, metadata) VALUES ('{p}', '{q}', ?)"#;
        self.run_with(&text.replace("{p}", project).replace("{q}", queue), json.as_bytes()).await;
    }

    /// What the Python service does when metadata is changed.
    pub(crate) async fn change(&mut self, project: &str, queue: &str, json: &str) {
        let text = r#"UPDATE "Queues" SET metadata = ? WHERE project = '{p}' AND name = '{q}'"#;
        self.run_with(&text.replace("{p}", project).replace("{q}", queue), json.as_bytes()).await;
    }
}

pub(crate) fn project(id: &str) -> ProjectId {
    ProjectId::new(id)
}

pub(crate) fn name(name: &str) -> QueueName {
    QueueName::parse(name).expect("a legal name")
}

pub(crate) fn object(value: Value) -> Metadata {
    let Value::Object(map) = value else { panic!("an object is needed") };
    map
}

pub(crate) fn all() -> QueueFilter {
    QueueFilter { limit: 1_000, ..QueueFilter::default() }
}

/// Creates a queue of project `p`, or finds it.
pub(crate) async fn create(
    store: &SqlManagement,
    queue: &str,
    epoch: i64,
    metadata: Value,
) -> zaqar::storage::Result<(QueueRecord, bool)> {
    store.create_queue(&queue_ref("p", queue, epoch), &object(metadata), None).await
}

/// The queue of project `p`, which is there.
pub(crate) async fn found(store: &SqlManagement, queue: &str) -> QueueRecord {
    store.queue(&project("p"), &name(queue)).await.unwrap().expect("it is there")
}

/// The names that a listing of the project finds.
pub(crate) async fn names(store: &SqlManagement, id: &str, filter: &QueueFilter) -> Vec<String> {
    let records = store.queues(&project(id), filter).await.unwrap();
    records.into_iter().map(|record| record.queue.name.to_string()).collect()
}
