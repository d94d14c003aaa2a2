//! How far somebody has come in a queue, over all its lives.

use crate::model::{Cursor, Epoch, Marker, Position, ProjectId, QueueName, QueueRef};

/// A point between the messages of a queue by name. Earlier ones are less, those of earlier lives too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    epoch: Epoch,
    /// Behind the message at this position; at the head of that life without.
    after: Option<Position>,
}

impl Place {
    /// Before every life of the queue.
    pub(super) const NOWHERE: Self = Self { epoch: Epoch(i64::MIN), after: None };

    /// That point of that life.
    ///
    /// Behind a delayed message nobody can tell how far the ready ones were read. When it was posted its id tells; from
    /// there on some may come twice, and none is missed.
    pub(super) fn behind(epoch: Epoch, cursor: Cursor) -> Self {
        let after = match cursor {
            Cursor::Head => None,
            Cursor::After(position) => Some(position),
            Cursor::AfterDelayed(_, id) => Some(Position(id.time().micros())),
        };
        Self { epoch, after }
    }

    /// Where reading goes on in that life of the queue: at its head, if it began since. `None` where it is an earlier one.
    pub(super) fn cursor_in(self, epoch: Epoch) -> Option<Cursor> {
        match self.epoch.cmp(&epoch) {
            std::cmp::Ordering::Less => Some(Cursor::Head),
            std::cmp::Ordering::Equal => Some(self.after.map_or(Cursor::Head, Cursor::After)),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// The queue in that life.
    pub(super) fn queue(self, project: &ProjectId, name: &QueueName) -> QueueRef {
        QueueRef { project: project.clone(), name: name.clone(), epoch: self.epoch }
    }

    /// The marker of this point in the queue of that name.
    pub(super) fn marker(self, project: &ProjectId, name: &QueueName) -> String {
        Marker::text(self.after.map_or(Cursor::Head, Cursor::After), &self.queue(project, name))
    }
}
