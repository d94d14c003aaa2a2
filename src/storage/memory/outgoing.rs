//! What has left a queue and waits to be handed to another, and what the queue has received so.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::storage::{Line, Outgoing, Parcel, Receipt, SILENT, Way};

/// The outgoing lists of a queue.
pub(super) struct Lists {
    line: Line,
    /// The last number given on the line.
    last: i64,
    dead_letters: BTreeMap<i64, Parcel>,
    pool: BTreeMap<i64, Parcel>,
}

impl Lists {
    pub(super) fn new() -> Self {
        Self { line: Line(Uuid::new_v4()), last: 0, dead_letters: BTreeMap::new(), pool: BTreeMap::new() }
    }

    /// Puts a parcel at the end of a list and numbers it.
    pub(super) fn push(&mut self, way: Way, parcel: Parcel) {
        self.last += 1;
        let number = self.last;
        self.list(way).insert(number, Parcel { number, ..parcel });
    }

    pub(super) fn first(&self, way: Way, limit: usize) -> Outgoing {
        let list = match way {
            Way::DeadLetters => &self.dead_letters,
            Way::Pool => &self.pool,
        };
        Outgoing { line: self.line, parcels: list.values().take(limit).cloned().collect() }
    }

    pub(super) fn forget(&mut self, way: Way, numbers: &[i64]) {
        for number in numbers {
            self.list(way).remove(number);
        }
    }

    /// Whether dead letters wait here.
    pub(super) fn unfinished(&self) -> bool {
        !self.dead_letters.is_empty()
    }

    fn list(&mut self, way: Way) -> &mut BTreeMap<i64, Parcel> {
        match way {
            Way::DeadLetters => &mut self.dead_letters,
            Way::Pool => &mut self.pool,
        }
    }
}

/// How far a queue has received each line.
#[derive(Default)]
pub(super) struct Received(HashMap<Line, (i64, Timestamp)>);

impl Received {
    /// The greatest number received from that line.
    pub(super) fn number(&self, line: Line) -> i64 {
        self.0.get(&line).map_or(0, |(number, _)| *number)
    }

    /// Notes what was received; the greater number counts.
    pub(super) fn note(&mut self, receipt: Receipt) {
        if !self.0.contains_key(&receipt.line) {
            self.0.retain(|_, (_, at)| at.plus_seconds(SILENT) > receipt.at);
        }
        let entry = self.0.entry(receipt.line).or_insert((receipt.number, receipt.at));
        *entry = (entry.0.max(receipt.number), entry.1.max(receipt.at));
    }

    pub(super) fn receipts(&self) -> Vec<Receipt> {
        self.0.iter().map(|(line, (number, at))| Receipt { line: *line, number: *number, at: *at }).collect()
    }
}
