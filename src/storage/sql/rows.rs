//! Rows of the `Queues` table as records, and metadata as the bytes of its column.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::model::json::{self, BodyError};
use crate::model::{Epoch, Metadata, ProjectId, QueueName, QueueRef};
use crate::storage::{Error, QueueRecord, Result};

/// A row as it lies in the table.
pub(super) struct QueueRow {
    /// The queue's name, unchecked.
    pub(super) name: String,
    /// JSON text in UTF-8, as both services write it.
    pub(super) metadata: Option<Vec<u8>>,
    /// Absent where the Python service inserted the row and nobody has read it here yet.
    pub(super) epoch: Option<i64>,
    /// Rises with every change of the metadata.
    pub(super) revision: i64,
}

impl QueueRow {
    /// The four columns of the row, in the order in which every statement names them.
    pub(super) fn read(row: &SqliteRow) -> Result<Self> {
        Ok(Self {
            name: row.try_get(0)?,
            metadata: row.try_get(1)?,
            epoch: row.try_get(2)?,
            revision: row.try_get(3)?,
        })
    }

    /// The record of that row, whose epoch is known by now.
    pub(super) fn into_record(self, project: &ProjectId, epoch: Epoch) -> Result<QueueRecord> {
        let metadata = decode(self.metadata.as_deref())
            .map_err(|error| Error::Corrupt(format!("metadata of queue {:?}: {error}", self.name)))?;
        self.with_metadata(project, epoch, metadata)
    }

    /// The record of a row that was deleted; metadata that cannot be read must not keep a queue alive.
    pub(super) fn into_last_record(self, project: &ProjectId, epoch: Epoch) -> Result<QueueRecord> {
        let metadata = decode(self.metadata.as_deref()).unwrap_or_default();
        self.with_metadata(project, epoch, metadata)
    }

    fn with_metadata(self, project: &ProjectId, epoch: Epoch, metadata: Metadata) -> Result<QueueRecord> {
        let name = QueueName::parse(&self.name)
            .ok_or_else(|| Error::Corrupt(format!("the name of queue {:?}", self.name)))?;
        let queue = QueueRef { project: project.clone(), name, epoch };
        Ok(QueueRecord {
            queue,
            metadata,
            revision: self.revision,
            placement: crate::storage::Placement::default(),
        })
    }
}

/// Metadata as the bytes of its column: JSON text, keys in their order.
pub(super) fn encode(metadata: &Metadata) -> Result<Vec<u8>> {
    serde_json::to_vec(metadata).map_err(|error| Error::Corrupt(error.to_string()))
}

fn decode(column: Option<&[u8]>) -> std::result::Result<Metadata, BodyError> {
    column.map_or_else(|| Ok(Metadata::new()), json::object)
}
