//! Follows the masters of a Cluster and their slots.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::{Instant, timeout_at};

use super::error::Cause;
use super::profile::{Place, Profile};
use super::server::{Server, Unreached};
use super::slots::{Map, ranges};
use super::trouble::Trouble;
use crate::storage::redis::uri::Address;

/// How long one server may take to say who has which slots.
const SEARCH: Duration = Duration::from_millis(300);

/// Between two readings of the slots.
const PAUSE: Duration = Duration::from_millis(50);

/// Servers outside the map that are remembered.
const MAX_OTHERS: usize = 64;

/// A Cluster.
pub(super) struct Cluster {
    seeds: Vec<Arc<Server>>,
    profile: Arc<Profile>,
    /// The URI without its secrets.
    store: Arc<str>,
    map: ArcSwap<Map>,
    /// The map is to be read again before the next call.
    stale: AtomicBool,
    /// One reading at a time; the next one no earlier than this.
    reading: tokio::sync::Mutex<Option<Unreached>>,
    turn: AtomicUsize,
    /// Servers that others sent us to, beside those of the map.
    others: Mutex<Vec<Arc<Server>>>,
}

impl Cluster {
    pub(super) fn new(nodes: &[Address], profile: Arc<Profile>, store: Arc<str>) -> Self {
        let seed = |node: &Address| {
            let trouble = Trouble::new(Arc::clone(&store));
            Server::new(Place::Tcp(node.clone()), Arc::clone(&profile), trouble)
        };
        let seeds = nodes.iter().map(seed).collect();
        let map = ArcSwap::from_pointee(Map::unknown());
        let (reading, turn, others) = Default::default();
        Self { seeds, profile, store, map, stale: AtomicBool::new(true), reading, turn, others }
    }

    /// The server that has the key.
    pub(super) async fn server(&self, key: &[u8], deadline: Instant) -> Result<Arc<Server>, Unreached> {
        self.refresh(deadline).await?;
        let map = self.map.load();
        map.owner(key).cloned().ok_or_else(|| {
            self.doubt();
            Unreached::after(PAUSE, Cause::new("no server of the Cluster has the slot"))
        })
    }

    /// All masters with slots.
    pub(super) async fn servers(&self, deadline: Instant) -> Result<Vec<Arc<Server>>, Unreached> {
        self.refresh(deadline).await?;
        Ok(self.map.load().servers.clone())
    }

    /// The masters as far as they are known.
    pub(super) fn known(&self) -> Vec<Arc<Server>> {
        self.map.load().servers.clone()
    }

    /// The server at that address, known or new. One that takes slots over has none in the map at first.
    pub(super) fn at(&self, address: Address) -> Arc<Server> {
        let place = Place::Tcp(address);
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let map = self.map.load();
        let mut known = map.servers.iter().chain(&self.seeds).chain(others.iter());
        if let Some(server) = known.find(|server| server.place == place) {
            return Arc::clone(server);
        }
        let server = Server::new(place, Arc::clone(&self.profile), Trouble::new(Arc::clone(&self.store)));
        if others.len() == MAX_OTHERS {
            others.clear();
        }
        others.push(Arc::clone(&server));
        server
    }

    /// Something failed, or was elsewhere, that a newer map might explain.
    pub(super) fn doubt(&self) {
        self.stale.store(true, Ordering::Release);
    }

    async fn refresh(&self, deadline: Instant) -> Result<(), Unreached> {
        if !self.stale.load(Ordering::Acquire) {
            return Ok(());
        }
        let turn = timeout_at(deadline, self.reading.lock()).await;
        let mut last = turn.map_err(|_| Unreached::late(deadline))?;
        if !self.stale.load(Ordering::Acquire) {
            return Ok(());
        }
        let known = !self.map.load().servers.is_empty();
        if let Some(last) = last.clone().filter(|last| Instant::now() < last.retry) {
            return if known { Ok(()) } else { Err(last) };
        }
        let read = self.read(deadline).await;
        let cause = read.as_ref().err().cloned().unwrap_or_else(|| Cause::new("the slots were just read"));
        let pause = Unreached::after(PAUSE, cause);
        *last = Some(pause.clone());
        match read {
            Ok(map) => self.take(map),
            Err(_) if known => {}
            Err(_) => return Err(pause),
        }
        Ok(())
    }

    fn take(&self, map: Map) {
        self.stale.store(false, Ordering::Release);
        let before = self.map.swap(Arc::new(map));
        let map = self.map.load();
        for server in before.servers.iter().filter(|old| !map.servers.iter().any(|new| Arc::ptr_eq(old, new)))
        {
            server.trouble.dropped(&server.place);
        }
    }

    /// Asks one server after the other, those without trouble first, each time beginning with another one, so
    /// that none with an old view is believed for long.
    async fn read(&self, deadline: Instant) -> Result<Map, Cause> {
        let mut servers = self.map.load().servers.clone();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        if !servers.is_empty() {
            let middle = turn % servers.len();
            servers.rotate_left(middle);
        }
        servers.sort_by_key(|server| !server.trouble.age().is_zero());
        let mut cause = Cause::new("no server of the Cluster can be reached");
        for server in servers.iter().chain(&self.seeds) {
            match self.read_from(server, deadline.min(Instant::now() + SEARCH)).await {
                Ok(map) => return Ok(map),
                Err(error) => cause = error,
            }
        }
        Err(cause)
    }

    async fn read_from(&self, server: &Server, deadline: Instant) -> Result<Map, Cause> {
        let mut question = redis::cmd("CLUSTER");
        let answer = server.ask(question.arg("SLOTS"), deadline).await?.map_err(Cause::new)?;
        let Place::Tcp(asked) = &server.place else { return Err(Cause::new("a Cluster listens on TCP")) };
        let ranges = ranges(&answer, &asked.host).ok_or_else(|| Cause::new("no server has any slots"))?;
        Ok(Map::new(&ranges, |address| self.at(address.clone())))
    }
}
