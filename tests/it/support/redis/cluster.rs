//! A Cluster: masters that share the slots evenly, each with replicas if a test wants them.

use std::collections::BTreeSet;

use redis::Value;

use super::server::{RedisServer, Setup};
use super::wait_until;

/// Slots of a Cluster.
const SLOTS: usize = 16_384;

/// A running Cluster.
pub(crate) struct RedisCluster {
    /// The masters at the start.
    pub(crate) masters: Vec<RedisServer>,
    /// For each master its replicas, one after the other.
    pub(crate) replicas: Vec<RedisServer>,
}

impl RedisCluster {
    /// Three masters without replicas.
    pub(crate) fn start() -> Self {
        Self::with(3, 0, &Setup::default())
    }

    /// So many masters, each with so many replicas, so set up.
    pub(crate) fn with(masters: usize, replicas: usize, setup: &Setup) -> Self {
        let launch = |count: usize| -> Vec<RedisServer> {
            std::thread::scope(|scope| {
                let start = || RedisServer::with(setup.clone().cluster());
                let starting: Vec<_> = (0..count).map(|_| scope.spawn(start)).collect();
                starting.into_iter().map(|one| one.join().expect("it started")).collect()
            })
        };
        let cluster = Self { masters: launch(masters), replicas: launch(masters * replicas) };
        cluster.meet();
        cluster.replicate(replicas);
        wait_until("a Cluster that is whole", || cluster.all().all(RedisServer::is_whole));
        cluster
    }

    /// The URI with all nodes, its options begun.
    pub(crate) fn uri(&self) -> String {
        let hosts: Vec<_> = self.all().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis://{}?cluster=true", hosts.join(","))
    }

    /// Every node.
    pub(crate) fn all(&self) -> impl Iterator<Item = &RedisServer> {
        self.masters.iter().chain(&self.replicas)
    }

    /// Moves all slots of one master that hold keys in use to another, as `redis-cli --cluster reshard` does: which.
    pub(crate) fn drain(&self, from: usize, to: usize) -> BTreeSet<u16> {
        let ask = |index: usize, words: &[&str]| self.masters[index].command(words);
        let id =
            |index| -> String { redis::from_redis_value(ask(index, &["CLUSTER", "MYID"])).expect("an id") };
        let ids = (id(from), id(to));
        let keys: Vec<String> = redis::from_redis_value(ask(from, &["KEYS", "*"])).expect("keys");
        let slot = |key: &String| ask(from, &["CLUSTER", "KEYSLOT", key]);
        let slots: BTreeSet<u16> =
            keys.iter().map(|key| redis::from_redis_value(slot(key)).expect("a slot")).collect();
        for slot in &slots {
            let slot = slot.to_string();
            ask(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids.0]);
            ask(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids.1]);
            // Whoever wants these keys has to be turned away before they move, or the test would show nothing.
            let refusals = || self.masters[from].info("total_error_replies").expect("a number");
            let before = refusals();
            wait_until("a call in the midst of the move", || refusals() != before);
            self.migrate(&slot, from, to);
            for index in [to, from] {
                ask(index, &["CLUSTER", "SETSLOT", &slot, "NODE", &ids.1]);
            }
        }
        slots
    }

    fn migrate(&self, slot: &str, from: usize, to: usize) {
        loop {
            let keys = self.masters[from].command(&["CLUSTER", "GETKEYSINSLOT", slot, "100"]);
            let keys: Vec<String> = redis::from_redis_value(keys).expect("keys");
            if keys.is_empty() {
                return;
            }
            let port = self.masters[to].port.to_string();
            let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            words.extend(keys.iter().map(String::as_str));
            self.masters[from].command(&words);
        }
    }

    /// Gives each master its slots and introduces everybody to the first.
    fn meet(&self) {
        let count = self.masters.len();
        for (index, master) in self.masters.iter().enumerate() {
            let (first, last) = (first(index, count), first(index + 1, count));
            let slots: Vec<_> = (first..last).map(|slot| slot.to_string()).collect();
            let mut words = vec!["CLUSTER", "ADDSLOTS"];
            words.extend(slots.iter().map(String::as_str));
            master.command(&words);
            // Different epochs, or the nodes would have to settle them first.
            master.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
        }
        for node in self.all().skip(1) {
            let port = self.masters[0].port.to_string();
            node.command(&["CLUSTER", "MEET", "127.0.0.1", &port]);
        }
    }

    fn replicate(&self, each: usize) {
        for (index, replica) in self.replicas.iter().enumerate() {
            let master = self.masters[index / each].command(&["CLUSTER", "MYID"]);
            let master: String = redis::from_redis_value(master).expect("an id");
            // The replica has to hear of its master first.
            wait_until("a replica that knows its master", || {
                replica.try_command(&["CLUSTER", "REPLICATE", &master]).is_ok()
            });
        }
        wait_until("replicas in step", || {
            self.replicas.iter().all(|one| one.info("master_link_status").as_deref() == Some("up"))
        });
        wait_until("replicas that everybody knows", || {
            let replicas = |node: &RedisServer| node.nodes().matches("slave").count();
            self.all().all(|node| replicas(node) == self.replicas.len())
        });
    }
}

impl RedisServer {
    /// True when the node sees every slot served.
    pub(crate) fn is_whole(&self) -> bool {
        let Ok(answer) = self.try_command(&["CLUSTER", "INFO"]) else { return false };
        let info: String = redis::from_redis_value(answer).expect("text");
        info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
    }

    fn nodes(&self) -> String {
        match self.command(&["CLUSTER", "NODES"]) {
            Value::BulkString(text) => String::from_utf8_lossy(&text).into_owned(),
            other => panic!("{other:?}"),
        }
    }
}

/// The first slot of the master of that index among `count`.
fn first(index: usize, count: usize) -> usize {
    SLOTS * index / count
}
