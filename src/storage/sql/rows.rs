//! Rows of the `Queues` table as records, and metadata as the bytes of its column.

use sha2::{Digest as _, Sha256};

use super::row::Row;
use crate::model::json;
use crate::model::{Epoch, Metadata, PoolName, ProjectId, QueueName, QueueRef};
use crate::storage::{Error, Motion, Placement, QueueRecord, Result};

/// A row as it lies in the table.
pub(super) struct QueueRow {
    /// The queue's name, unchecked.
    pub(super) name: String,
    /// JSON text in UTF-8, as both services write it.
    metadata: Option<Vec<u8>>,
    /// Absent where the Python service inserted the row, or changed it, and nobody has read it here yet.
    pub(super) epoch: Option<i64>,
    /// Rises with every change of the metadata.
    revision: i64,
    /// Where its data lies.
    pub(super) placement: Placement,
}

impl QueueRow {
    /// The columns of the row, in the order in which every statement names them.
    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            name: row.text(0)?,
            metadata: row.maybe_bytes(1)?,
            epoch: row.maybe_int(2)?,
            revision: row.int(3)?,
            placement: placement(row)?,
        })
    }

    /// The metadata, if it can be read.
    pub(super) fn metadata(&self) -> Result<Metadata> {
        let metadata = self.metadata.as_deref().map_or_else(|| Ok(Metadata::new()), json::object);
        metadata.map_err(|error| Error::Corrupt(format!("metadata of queue {:?}: {error}", self.name)))
    }

    /// The record of that row, whose epoch is known by now.
    pub(super) fn into_record(self, project: &ProjectId, epoch: Epoch) -> Result<QueueRecord> {
        let metadata = self.metadata()?;
        self.with_metadata(project, epoch, metadata)
    }

    /// The record of a row that was deleted; metadata that cannot be read must not keep a queue alive.
    pub(super) fn into_last_record(self, project: &ProjectId, epoch: Epoch) -> Result<QueueRecord> {
        let metadata = self.metadata().unwrap_or_default();
        self.with_metadata(project, epoch, metadata)
    }

    fn with_metadata(self, project: &ProjectId, epoch: Epoch, metadata: Metadata) -> Result<QueueRecord> {
        let name = QueueName::parse(&self.name)
            .ok_or_else(|| Error::Corrupt(format!("the name of queue {:?}", self.name)))?;
        let queue = QueueRef { project: project.clone(), name, epoch };
        Ok(QueueRecord { queue, metadata, revision: self.revision, placement: self.placement })
    }
}

/// Where the queue of a row lies.
fn placement(row: &Row) -> Result<Placement> {
    let pool = |text: Option<String>| text.map(|name| PoolName::new(&name));
    let source = pool(row.maybe_text(5)?);
    let motion = pool(row.maybe_text(6)?)
        .map(|target| Ok::<_, Error>(Motion { source, target, sealed: row.int(7)? != 0 }));
    Ok(Placement { pool: pool(row.maybe_text(4)?), motion: motion.transpose()? })
}

/// Metadata as the bytes of its column: JSON text, keys in their order.
pub(super) fn encode(metadata: &Metadata) -> Result<Vec<u8>> {
    serde_json::to_vec(metadata).map_err(|error| Error::Corrupt(error.to_string()))
}

/// What a server's row keeps to show that its metadata is still what we wrote: SHA-256.
pub(super) fn digest(metadata: &[u8]) -> [u8; 32] {
    Sha256::digest(metadata).into()
}
