//! What an administrator does with the tables of a management database: look at their version and change it.

use super::database::Database;
use super::schema::{self, MIGRATIONS};
use super::url::Location;
use super::{Deadlines, OpenError};

/// The tables of a management database, whatever their version.
pub struct SqlTables {
    database: Database,
}

/// The version of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// The newest of our migrations that the database has had; 0: none.
    pub version: usize,
    /// The revisions of the Python service's schema that the database is said to have.
    pub reference: Vec<String>,
}

impl SqlTables {
    /// The newest version that there is.
    pub const NEWEST: usize = MIGRATIONS.len();

    /// The revision of the Python service's schema that version 1 stands for.
    pub const REFERENCE: &str = schema::REFERENCE;

    /// The database of that URL, in the forms of [`SqlManagement::open`](super::SqlManagement::open); a file is made
    /// if there is none.
    pub async fn open(uri: &str) -> Result<Self, OpenError> {
        let deadlines = Deadlines::default();
        let database = Database::open(Location::parse(uri)?, deadlines.busy, deadlines.scan).await?;
        Ok(Self { database })
    }

    /// All versions and what each added, the oldest first.
    pub fn history() -> impl Iterator<Item = (usize, &'static str)> {
        MIGRATIONS.iter().map(|migration| (migration.version, migration.summary))
    }

    /// The version of the tables.
    pub async fn current(&self) -> Result<Current, OpenError> {
        let state = schema::state(&self.database).await;
        let state = state.map_err(|error| schema::refused(&self.database, error))?;
        Ok(Current { version: state.version, reference: state.reference })
    }

    /// Brings the tables to that version, if they are older: the versions they went through. Of several that upgrade
    /// at once, one does and the others wait.
    pub async fn upgrade(&self, target: usize) -> Result<Vec<usize>, OpenError> {
        let applied = schema::upgrade(&self.database, target).await?;
        Ok(applied.iter().map(|migration| migration.version).collect())
    }

    /// The statements of an upgrade from one version to another; the database is not asked.
    pub fn script(&self, from: usize, target: usize) -> String {
        schema::script(self.database.dialect(), from, target)
    }

    /// The statements of [`SqlTables::stamp`].
    pub fn stamp_script(&self, version: usize) -> String {
        schema::stamp_script(self.database.dialect(), version)
    }

    /// Notes that the tables are of that version (and so of the Python service's revision 007), and changes nothing
    /// else.
    pub async fn stamp(&self, version: usize) -> Result<(), OpenError> {
        let stamped = schema::stamp(&self.database, version).await;
        stamped.map_err(|error| schema::refused(&self.database, error))
    }

    /// Ends the connections.
    pub async fn close(self) {
        self.database.close().await;
    }
}
