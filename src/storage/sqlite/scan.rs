//! The messages of a queue that nobody holds, oldest first, as claim, pop and purge take them.
//!
//! Messages of ended claims are taken from where they lie, without a detour through `ready`, so that a call costs
//! what it takes and not what is due.

use std::collections::VecDeque;

use super::Outcome;
use super::batch::Open;
use super::claim_row::ClaimRow;
use super::place::{self, Place};
use super::{due, messages};
use crate::clock::Timestamp;
use crate::storage::{EXAMINED, STEP};

/// The most ready messages read ahead.
const READ_AHEAD: usize = 256;

/// A walk over free messages. Each message that [`Scan::next`] gives is taken: the caller removes it or holds it,
/// and calls [`Scan::finish`] at the end.
pub(super) struct Scan {
    now: Timestamp,
    /// Ended claims, and how many of each one's messages were taken, in order.
    claims: Vec<(ClaimRow, usize)>,
    /// Messages of ended claims: position, and the claim's place in `claims`.
    ended: VecDeque<(i64, usize)>,
    ready: VecDeque<Place>,
    /// Where the next read of `ready` begins; `None` at its end.
    after: Option<i64>,
    chunk: usize,
    examined: usize,
    dropped: usize,
    /// True once delayed messages were made ready, which happens once a call.
    ripened: bool,
    more: bool,
}

impl Scan {
    /// Begins a walk that is to give about `want` messages.
    pub(super) fn begin(open: &Open<'_, '_>, now: Timestamp, want: usize) -> Outcome<Self> {
        let (mut claims, mut more) = (Vec::new(), false);
        if open.row.claimed > 0 {
            (claims, more) = ClaimRow::due(open.db, open.row.key, now, STEP)?;
        }
        let mut ended: Vec<_> = claims
            .iter()
            .enumerate()
            .flat_map(|(at, claim)| claim.positions.iter().map(move |position| (*position, at)))
            .collect();
        more |= ended.len() > STEP;
        ended.sort_unstable();
        Ok(Self {
            now,
            claims: claims.into_iter().map(|claim| (claim, 0)).collect(),
            ended: ended.into(),
            ready: VecDeque::new(),
            after: Some(i64::MIN),
            chunk: want.clamp(1, READ_AHEAD),
            examined: 0,
            dropped: 0,
            ripened: false,
            more,
        })
    }

    /// The next free message, with its claim where that has ended; `None` at the end or at the bounds of a call.
    pub(super) fn next(&mut self, open: &mut Open<'_, '_>) -> Outcome<Option<Place>> {
        loop {
            if self.examined >= EXAMINED || self.dropped >= STEP {
                self.more = true;
                return Ok(None);
            }
            let Some(place) = self.step(open)? else { return Ok(None) };
            self.examined += 1;
            if place.expires > self.now.micros() {
                return Ok(Some(place));
            }
            self.dropped += 1;
            messages::discard(open, &place)?;
        }
    }

    /// True where another call may find more though this one ended early.
    pub(super) fn more(&self) -> bool {
        self.more
    }

    /// Takes from the ended claims what was taken of their messages.
    pub(super) fn finish(self, open: &Open<'_, '_>) -> Outcome<()> {
        for (mut claim, taken) in self.claims {
            if taken > 0 {
                claim.positions.drain(..taken);
                claim.save_positions(open.db, open.row.key)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, open: &mut Open<'_, '_>) -> Outcome<Option<Place>> {
        loop {
            self.fill(open)?;
            if self.ready.is_empty() && self.ended.is_empty() {
                self.ripen(open)?;
            }
            let first_ready = self.ready.front().map_or(i64::MAX, |place| place.position);
            let Some((position, at)) = self.ended.front().copied().filter(|first| first.0 < first_ready)
            else {
                return Ok(self.ready.pop_front());
            };
            // Each claim's positions ascend, so what is taken of it is its beginning.
            self.ended.pop_front();
            self.claims[at].1 += 1;
            if let Some(place) = place::claimed_at(open.db, open.row.key, position)? {
                return Ok(Some(place));
            }
        }
    }

    fn fill(&mut self, open: &Open<'_, '_>) -> Outcome<()> {
        let Some(after) = self.after.filter(|_| self.ready.is_empty()) else { return Ok(()) };
        let places = place::ready_after(open.db, open.row.key, after, self.chunk)?;
        self.after = places.last().filter(|_| places.len() == self.chunk).map(|place| place.position);
        self.chunk = (self.chunk * 2).min(READ_AHEAD);
        self.ready = places.into();
        Ok(())
    }

    /// Makes delayed messages ready once all others are taken, for they stand behind them.
    fn ripen(&mut self, open: &mut Open<'_, '_>) -> Outcome<()> {
        if std::mem::replace(&mut self.ripened, true) {
            return Ok(());
        }
        let last = open.row.last;
        if due::ripen(open, self.now, STEP)? == 0 {
            return Ok(());
        }
        self.more |= due::first_delayed(open.db, open.row)?.is_some_and(|due| due <= self.now.micros());
        self.after = Some(last);
        self.fill(open)
    }
}
