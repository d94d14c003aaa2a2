//! What has left a queue and waits to be handed to another.

use std::collections::{BTreeMap, HashMap};

use crate::model::{MessageId, Position};
use crate::storage::Parcel;

/// The outgoing list of a queue, in the order of the positions that its messages had.
#[derive(Default)]
pub(super) struct Outgoing {
    parcels: BTreeMap<Position, Parcel>,
    positions: HashMap<MessageId, Position>,
}

impl Outgoing {
    pub(super) fn push(&mut self, position: Position, parcel: Parcel) {
        // The same id twice is one message that was posted again meanwhile; the newer one counts.
        self.forget(&[parcel.id]);
        self.positions.insert(parcel.id, position);
        self.parcels.insert(position, parcel);
    }

    pub(super) fn oldest(&self, limit: usize) -> Vec<Parcel> {
        self.parcels.values().take(limit).cloned().collect()
    }

    pub(super) fn forget(&mut self, ids: &[MessageId]) {
        for position in ids.iter().filter_map(|id| self.positions.remove(id)) {
            self.parcels.remove(&position);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parcels.is_empty()
    }
}
