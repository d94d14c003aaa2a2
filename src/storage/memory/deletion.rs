//! What removes messages from one queue: delete, pop and purge.

use super::queue::{Entry, QueueData};
use crate::clock::Timestamp;
use crate::model::{ClaimId, MessageId};
use crate::storage::{Deletion, EXAMINED, Popped, STEP};

impl QueueData {
    /// Deletes one message if the claim, or the lack of one, allows it.
    pub(super) fn delete(&mut self, id: MessageId, claim: Option<ClaimId>, now: Timestamp) -> Deletion {
        let verdict = match self.alive(id, now) {
            None => Deletion::Missing,
            Some(entry) => self.judge(entry, claim.as_slice(), claim.is_some(), now),
        };
        if verdict == Deletion::Deleted {
            self.take(id);
        }
        verdict
    }

    /// Deletes messages whoever holds them, or with `claims` all of them or none.
    pub(super) fn delete_many(
        &mut self,
        ids: &[MessageId],
        claims: Option<&[ClaimId]>,
        now: Timestamp,
    ) -> Result<u64, (MessageId, Deletion)> {
        if let Some(claims) = claims {
            let entries = ids.iter().filter_map(|id| Some((*id, self.alive(*id, now)?)));
            let mut verdicts = entries.map(|(id, entry)| (id, self.judge(entry, claims, true, now)));
            if let Some(refusal) = verdicts.find(|(_, verdict)| *verdict != Deletion::Deleted) {
                return Err(refusal);
            }
        }
        Ok(self.take_alive(ids, now))
    }

    /// What deleting that message with these claims comes to.
    fn judge(&self, entry: &Entry, claims: &[ClaimId], needed: bool, now: Timestamp) -> Deletion {
        match self.holder(entry, now) {
            None if needed => Deletion::NotClaimed,
            None => Deletion::Deleted,
            Some(_) if !needed => Deletion::Claimed,
            Some(holder) if claims.contains(&holder) => Deletion::Deleted,
            Some(_) if claims.iter().any(|claim| self.live(*claim, now).is_some()) => {
                Deletion::ClaimedByOther
            }
            Some(_) => Deletion::NoSuchClaim,
        }
    }

    /// Removes and returns the oldest ready messages.
    pub(super) fn pop(&mut self, limit: usize, now: Timestamp) -> Popped {
        let more = self.settle(now, STEP).more;
        let examined = self.ready.values().take(EXAMINED);
        let messages: Vec<_> = examined.filter_map(|id| self.read(*id, now)).take(limit).collect();
        for message in &messages {
            self.take(message.id);
        }
        let more = more || (messages.len() < limit && !self.ready.is_empty());
        let next_due = if messages.is_empty() && !more { self.next_due() } else { None };
        Popped { messages, more, next_due }
    }

    /// Removes some of the messages that no live claim holds: how many, and whether there are more.
    pub(super) fn purge(&mut self, now: Timestamp) -> (u64, bool) {
        let more = self.settle(now, STEP).more;
        let free = self.ready.values().chain(self.delayed.iter().map(|(_, id)| id));
        let some: Vec<MessageId> = free.take(STEP).copied().collect();
        let purged = self.take_alive(&some, now);
        (purged, more || !self.ready.is_empty() || !self.delayed.is_empty())
    }

    /// Takes those of the messages that have not expired: how many.
    fn take_alive(&mut self, ids: &[MessageId], now: Timestamp) -> u64 {
        let mut taken = 0;
        for id in ids {
            if self.alive(*id, now).is_some() {
                self.take(*id);
                taken += 1;
            }
        }
        taken
    }
}
