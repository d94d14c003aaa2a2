//! What the clients know: which requests were acknowledged, and which may or may not have happened.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;

use super::Queue;

/// The knowledge of all clients together.
#[derive(Default)]
pub(super) struct Books {
    entries: Mutex<Entries>,
}

/// An entry for each message and claim that is known of.
#[derive(Default)]
pub(super) struct Entries {
    /// Posts acknowledged in this run.
    pub(super) posts: usize,
    /// The next number that no message carries yet. Each message's body is a number of its own.
    next: u64,
    /// Messages that must be there unless this run deleted them, by id.
    pub(super) posted: HashMap<String, Posted>,
    /// Posts without an answer.
    pub(super) doubtful: Vec<Batch>,
    /// The numbers of messages that were seen in claims.
    pub(super) seen: HashMap<String, u64>,
    /// Messages whose deletion this run asked for.
    pub(super) deleting: HashSet<String>,
    /// Those of them whose deletion was acknowledged.
    pub(super) deleted: HashSet<String>,
    /// Messages that earlier runs deleted.
    pub(super) gone: HashSet<String>,
    /// Claims that were acknowledged or found.
    pub(super) claims: HashMap<String, Claim>,
    /// Messages and claims that an audit has read one by one; no later run touches these claims.
    pub(super) settled: HashSet<String>,
    /// The claim that held a message last.
    holders: HashMap<String, String>,
    /// Requests that were never answered, or that a store failed, in all runs.
    pub(super) doubts: usize,
    /// The longest that an answer took.
    pub(super) longest: Duration,
}

/// A message that was posted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posted {
    pub(super) queue: Queue,
    pub(super) number: u64,
}

/// The messages of one post.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) queue: Queue,
    pub(super) numbers: Vec<u64>,
}

/// A claim that was won.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) queue: Queue,
    pub(super) ids: Vec<String>,
    pub(super) end: End,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It lives; in this test none ends by itself.
    Live,
    /// Its release was asked for.
    Releasing,
    /// Its release was acknowledged.
    Released,
}

impl Books {
    pub(super) fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().expect("no client panicked")
    }

    /// Waits until so many posts of this run are acknowledged while claims live.
    pub(super) async fn until_posted(&self, enough: usize) {
        let done = |entries: &Entries| entries.posts >= enough && entries.live_claims() > 0;
        while !done(&self.lock()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Entries {
    /// A batch of new messages.
    pub(super) fn draw(&mut self, queue: Queue, count: usize) -> Batch {
        let first = self.next;
        self.next += count as u64;
        Batch { queue, numbers: (first..self.next).collect() }
    }

    /// A post was acknowledged with these ids.
    pub(super) fn stored(&mut self, batch: Batch, ids: Vec<String>) {
        assert_eq!(ids.len(), batch.numbers.len());
        self.posts += 1;
        for (id, number) in ids.into_iter().zip(batch.numbers) {
            let old = self.posted.insert(id, Posted { queue: batch.queue, number });
            assert!(old.is_none(), "an id was given out twice");
        }
    }

    /// A claim was answered with these messages.
    pub(super) fn claimed(&mut self, claim: &str, queue: Queue, messages: &[Value]) -> Vec<String> {
        let mut ids = Vec::new();
        for message in messages {
            let id = message["id"].as_str().expect("an id").to_owned();
            self.seen.insert(id.clone(), number(message));
            let deleted = self.deleted.contains(&id) || self.gone.contains(&id);
            assert!(!deleted, "{id} was claimed after its deletion");
            let holder = self.holders.get(&id).and_then(|holder| self.claims.get(holder));
            assert!(holder.is_none_or(|holder| holder.end != End::Live), "{id} was claimed by two at once");
            ids.push(id);
        }
        self.live(claim, queue, ids.clone());
        ids
    }

    /// There is such a claim.
    pub(super) fn live(&mut self, claim: &str, queue: Queue, ids: Vec<String>) {
        self.holders.extend(ids.iter().map(|id| (id.clone(), claim.to_owned())));
        self.claims.insert(claim.to_owned(), Claim { queue, ids, end: End::Live });
    }

    /// The release of a claim was asked for or acknowledged.
    pub(super) fn release(&mut self, claim: &str, end: End) {
        self.claims.get_mut(claim).expect("a claim that was won").end = end;
    }

    pub(super) fn live_claims(&self) -> usize {
        self.claims.values().filter(|claim| claim.end == End::Live).count()
    }
}

/// The number that a message carries.
pub(super) fn number(message: &Value) -> u64 {
    message["body"]["number"].as_u64().expect("a body of this test")
}
