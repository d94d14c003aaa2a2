//! The rows of claims: each holds the positions of its messages.

use rusqlite::{Row, params};
use uuid::Uuid;

use super::db::Db;
use super::{Fault, Outcome};
use crate::clock::Timestamp;
use crate::model::ClaimId;

/// Bytes of a position in a claim's row.
const WIDTH: usize = size_of::<i64>();

/// A claim as it is stored, alive or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClaimRow {
    pub(super) id: ClaimId,
    pub(super) ttl: u64,
    pub(super) expires: Timestamp,
    /// Where its messages lie, ascending.
    pub(super) positions: Vec<i64>,
}

impl ClaimRow {
    /// The claim of that id.
    pub(super) fn find(db: &Db<'_>, queue: i64, id: ClaimId) -> Outcome<Option<Self>> {
        let found = db.first(
            "SELECT id, ttl, expires, positions FROM claims WHERE queue = ? AND id = ?",
            params![queue, id.0.as_bytes()],
            read,
        )?;
        found.map(unpack).transpose()
    }

    /// The claim of that id if it is alive.
    pub(super) fn live(db: &Db<'_>, queue: i64, id: ClaimId, now: Timestamp) -> Outcome<Option<Self>> {
        Ok(Self::find(db, queue, id)?.filter(|claim| claim.expires > now))
    }

    /// Claims that ended by `now`, the first to end first, until they hold `enough` messages; and whether there
    /// are more.
    pub(super) fn due(db: &Db<'_>, queue: i64, now: Timestamp, enough: usize) -> Outcome<(Vec<Self>, bool)> {
        let sql = "SELECT id, ttl, expires, positions FROM claims
                   WHERE queue = ? AND expires <= ? ORDER BY expires";
        db.with(sql, |statement| {
            let mut rows = statement.query([queue, now.micros()])?;
            let (mut claims, mut messages) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                if messages >= enough {
                    return Ok((claims, true));
                }
                let claim = unpack(read(row)?)?;
                messages += claim.positions.len();
                claims.push(claim);
            }
            Ok((claims, false))
        })
    }

    /// Stores the claim anew, or removes it where it holds nothing.
    pub(super) fn save(&self, db: &Db<'_>, queue: i64) -> Outcome<()> {
        if self.positions.is_empty() {
            return self.delete(db, queue);
        }
        let sql = "INSERT OR REPLACE INTO claims (queue, id, ttl, expires, positions) VALUES (?, ?, ?, ?, ?)";
        let id = self.id.0.as_bytes();
        let ttl = self.ttl.cast_signed();
        db.execute(sql, params![queue, id, ttl, self.expires.micros(), pack(&self.positions)])?;
        Ok(())
    }

    /// Stores the positions alone, or removes the claim where it holds nothing any more.
    pub(super) fn save_positions(&self, db: &Db<'_>, queue: i64) -> Outcome<()> {
        if self.positions.is_empty() {
            return self.delete(db, queue);
        }
        db.execute(
            "UPDATE claims SET positions = ? WHERE queue = ? AND id = ?",
            params![pack(&self.positions), queue, self.id.0.as_bytes()],
        )?;
        Ok(())
    }

    /// Removes the claim's row.
    pub(super) fn delete(&self, db: &Db<'_>, queue: i64) -> Outcome<()> {
        db.execute("DELETE FROM claims WHERE queue = ? AND id = ?", params![queue, self.id.0.as_bytes()])?;
        Ok(())
    }

    /// Takes a position out of the claim.
    pub(super) fn forget(&mut self, position: i64) {
        if let Ok(at) = self.positions.binary_search(&position) {
            self.positions.remove(at);
        }
    }
}

type Packed = ([u8; 16], i64, i64, Vec<u8>);

fn read(row: &Row<'_>) -> rusqlite::Result<Packed> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn unpack((id, ttl, expires, packed): Packed) -> Outcome<ClaimRow> {
    let id = ClaimId(Uuid::from_bytes(id));
    let (chunks, rest) = packed.as_chunks::<WIDTH>();
    if !rest.is_empty() {
        return Err(Fault::Corrupt(format!("claim {id} has half a position")));
    }
    let positions = chunks.iter().map(|chunk| i64::from_be_bytes(*chunk)).collect();
    Ok(ClaimRow { id, ttl: ttl.cast_unsigned(), expires: Timestamp::from_micros(expires), positions })
}

fn pack(positions: &[i64]) -> Vec<u8> {
    positions.iter().flat_map(|position| position.to_be_bytes()).collect()
}
