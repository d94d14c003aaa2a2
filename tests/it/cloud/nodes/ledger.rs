//! When what was acknowledged, and what has to be in a queue therefore.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

/// The knowledge of all clients together.
#[derive(Default)]
pub(super) struct Ledger {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    /// For each queue: its messages with the beginning and the end of their posts.
    posts: HashMap<usize, HashMap<String, (Instant, Instant)>>,
    /// For each queue: its last deletion, from the beginning to the end.
    deletions: HashMap<usize, (Instant, Instant)>,
    /// Messages whose deletion was asked for.
    deleting: HashSet<String>,
    claimed: HashSet<String>,
    /// Messages that were compared and there.
    compared: usize,
}

/// A reading of a queue that is under way.
pub(super) struct Listing {
    begin: Instant,
    /// The ids that were listed.
    pub(super) found: Vec<String>,
}

impl Listing {
    /// A reading that begins now.
    pub(super) fn begin() -> Self {
        Self { begin: Instant::now(), found: Vec::new() }
    }
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().expect("no client panicked")
    }

    /// A post that began then was acknowledged with these ids.
    pub(super) fn posted(&self, queue: usize, begin: Instant, ids: Vec<String>) {
        let times = (begin, Instant::now());
        let mut entries = self.lock();
        let posts = entries.posts.entry(queue).or_default();
        for id in ids {
            assert!(posts.insert(id, times).is_none(), "an id was given out twice");
        }
    }

    /// A deletion of the queue that began then was acknowledged.
    pub(super) fn deleted(&self, queue: usize, begin: Instant) {
        let mut entries = self.lock();
        entries.deletions.insert(queue, (begin, Instant::now()));
    }

    /// Somebody got the message in a claim; these claims last longer than the test.
    pub(super) fn claimed(&self, id: &str) {
        assert!(self.lock().claimed.insert(id.to_owned()), "{id} was claimed by two");
    }

    /// Somebody is about to delete the message.
    pub(super) fn deleting(&self, id: &str) {
        self.lock().deleting.insert(id.to_owned());
    }

    /// How many messages were posted to the queue.
    pub(super) fn posts(&self, queue: usize) -> usize {
        self.lock().posts.get(&queue).map_or(0, HashMap::len)
    }

    /// The reading ended, and the queue was not deleted meanwhile: what was acknowledged before it, and posted after
    /// the last deletion, has to be there unless somebody deleted it; what was acknowledged before the last
    /// deletion must not.
    pub(super) fn check(&self, queue: usize, listing: &Listing) {
        let mut entries = self.lock();
        let found: HashSet<_> = listing.found.iter().collect();
        assert_eq!(found.len(), listing.found.len(), "a message was listed twice");
        let deletion = entries.deletions.get(&queue).copied();
        let posts = &entries.posts[&queue];
        let expected = posts.iter().filter(|(id, (begin, end))| {
            let after = deletion.is_none_or(|(_, deleted)| *begin > deleted);
            after && *end < listing.begin && !entries.deleting.contains(*id)
        });
        let expected: Vec<_> = expected.map(|(id, _)| id).collect();
        let lost: Vec<_> = expected.iter().filter(|id| !found.contains(*id)).collect();
        assert!(lost.is_empty(), "{} of {} messages are lost: {lost:?}", lost.len(), expected.len());
        let old = |id: &&&String| {
            let ended = posts.get(**id).map(|(_, end)| *end);
            deletion.zip(ended).is_some_and(|((began, _), ended)| ended < began)
        };
        let revived: Vec<_> = found.iter().filter(old).collect();
        assert!(revived.is_empty(), "deleted with their queue, and there again: {revived:?}");
        let compared = expected.len();
        entries.compared += compared;
    }

    /// What was done.
    pub(super) fn summary(&self) -> String {
        let entries = self.lock();
        let posts: usize = entries.posts.values().map(HashMap::len).sum();
        format!("{posts} messages posted, {} compared, {} claimed", entries.compared, entries.claimed.len())
    }
}
