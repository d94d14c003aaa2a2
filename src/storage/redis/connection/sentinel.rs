//! Follows the master that Sentinels name.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::error::Cause;
use super::link::text;
use super::profile::{Place, Profile, is_master};
use super::server::{Server, Unreached};
use super::trouble::Trouble;
use crate::storage::redis::uri::Address;

/// How long one search for the master may ask.
const SEARCH: Duration = Duration::from_millis(500);

/// How long the other Sentinels are waited for once one has answered.
const SECOND_OPINION: Duration = Duration::from_millis(50);

/// Between two searches.
const PAUSE: Duration = Duration::from_millis(100);

/// The Sentinels and the master that they named last.
pub(super) struct Sentinel {
    sentinels: Vec<Arc<Server>>,
    question: redis::Cmd,
    profile: Arc<Profile>,
    trouble: Arc<Trouble>,
    master: ArcSwapOption<Server>,
    /// The master is to be looked for before the next call.
    doubtful: AtomicBool,
    /// One search at a time; the next one no earlier than this.
    search: tokio::sync::Mutex<Option<Search>>,
}

/// The last search.
struct Search {
    /// A Sentinel named a master, which is none or cannot be reached.
    named: bool,
    /// Why there is no master, and when the next search may begin.
    unreached: Unreached,
}

impl Sentinel {
    pub(super) fn new(
        sentinels: Vec<Arc<Server>>,
        master: &str,
        profile: Arc<Profile>,
        trouble: Arc<Trouble>,
    ) -> Self {
        let mut question = redis::cmd("SENTINEL");
        question.arg("get-master-addr-by-name").arg(master);
        let (doubtful, search) = (AtomicBool::new(true), tokio::sync::Mutex::default());
        Self { sentinels, question, profile, trouble, master: ArcSwapOption::empty(), doubtful, search }
    }

    /// The master, looked for if there is a doubt.
    pub(super) async fn server(&self, deadline: Instant) -> Result<Arc<Server>, Unreached> {
        if let Some(master) = self.known() {
            return Ok(master);
        }
        let turn = timeout_at(deadline, self.search.lock()).await;
        let mut last = turn.map_err(|_| Unreached::late(deadline))?;
        if let Some(master) = self.known() {
            return Ok(master);
        }
        if let Some(last) = last.as_ref().filter(|last| Instant::now() < last.unreached.retry) {
            return self.spare(last);
        }
        let found = self.find(deadline.min(Instant::now() + SEARCH)).await;
        let search = last.insert(match found {
            Ok(master) => {
                self.take(&master);
                // Until the next search it is not doubted.
                Search { named: false, unreached: Unreached::after(PAUSE, Cause::new("it was just found")) }
            }
            Err((named, cause)) => Search { named, unreached: self.failed(cause) },
        });
        self.spare(search)
    }

    /// What serves without a search: the master as it was last known, as long as no Sentinel says anything. One
    /// that they name and that is none is waited for.
    fn spare(&self, search: &Search) -> Result<Arc<Server>, Unreached> {
        let spare = self.master.load_full().filter(|_| !search.named);
        spare.ok_or_else(|| Unreached { age: self.trouble.age(), ..search.unreached.clone() })
    }

    fn failed(&self, cause: Cause) -> Unreached {
        self.trouble.began(&"Sentinel", &cause);
        Unreached { age: self.trouble.age(), ..Unreached::after(PAUSE, cause) }
    }

    /// The master, unless there is a doubt.
    pub(super) fn known(&self) -> Option<Arc<Server>> {
        let sure = !self.doubtful.load(Ordering::Acquire);
        sure.then(|| self.master.load_full()).flatten()
    }

    fn take(&self, master: &Arc<Server>) {
        let before = self.master.swap(Some(Arc::clone(master)));
        self.doubtful.store(false, Ordering::Release);
        // Its connections are closed, so that no call goes on with a master that was put down.
        if let Some(before) = before.filter(|before| before.place != master.place) {
            before.retire();
        }
    }

    /// Something failed that another master might explain.
    pub(super) fn doubt(&self) {
        self.doubtful.store(true, Ordering::Release);
    }

    /// Asks whether the master is still the same, so that one that was put down but does not know it, or hangs, is
    /// left too.
    pub(super) async fn check(&self) {
        let Some(master) = self.known() else { return };
        let deadline = Instant::now() + SEARCH;
        if self.named(deadline).await.first().is_some_and(|place| *place != master.place) {
            self.doubt();
            // The callers that wait for the old one are told now.
            let _ = self.server(deadline).await;
        }
    }

    /// The first of the named servers that calls itself a master; else whether any is named, and why it will not do.
    async fn find(&self, deadline: Instant) -> Result<Arc<Server>, (bool, Cause)> {
        let mut failure = (false, Cause::new("no Sentinel names a master"));
        let (current, role) = (self.master.load_full(), redis::cmd("ROLE"));
        for place in self.named(deadline).await {
            let server = match &current {
                Some(current) if current.place == place => Arc::clone(current),
                _ => Server::new(place, Arc::clone(&self.profile), Arc::clone(&self.trouble)),
            };
            let role = server.ask(&role, deadline).await;
            match role.and_then(|reply| is_master(&reply)) {
                Ok(()) => return Ok(server),
                Err(cause) => failure = (true, cause),
            }
        }
        Err(failure)
    }

    /// The addresses that Sentinels name, the most named first.
    async fn named(&self, mut deadline: Instant) -> Vec<Place> {
        let mut asked = JoinSet::new();
        for sentinel in &self.sentinels {
            let (sentinel, question) = (Arc::clone(sentinel), self.question.clone());
            asked.spawn(async move { sentinel.ask(&question, deadline).await });
        }
        let mut votes: HashMap<Place, usize> = HashMap::new();
        while let Ok(Some(answer)) = timeout_at(deadline, asked.join_next()).await {
            if let Ok(Ok(Ok(Value::Array(parts)))) = answer {
                if let Some(address) = address(&parts) {
                    *votes.entry(Place::Tcp(address)).or_default() += 1;
                }
                deadline = deadline.min(Instant::now() + SECOND_OPINION);
            }
        }
        let mut places: Vec<_> = votes.into_iter().collect();
        places.sort_by_key(|(_, votes)| std::cmp::Reverse(*votes));
        places.into_iter().map(|(place, _)| place).collect()
    }
}

fn address(parts: &[Value]) -> Option<Address> {
    let [host, port] = parts else { return None };
    Some(Address { host: text(host)?.to_owned(), port: text(port)?.parse().ok()? })
}
