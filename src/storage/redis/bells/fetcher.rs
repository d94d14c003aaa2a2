//! Decides who listens to which queue, and where.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Heard;
use super::ear::{Ear, Event, Order};
use crate::storage::redis::connection::{CallError, Connection, Node};
use crate::storage::redis::keys;
use crate::wake::Key;

/// How long a queue is listened to after its last bell: who polls again finds everything as it was.
const LINGER: Duration = Duration::from_secs(5);

/// Between two looks at whether the queues are still where they are listened to.
const LOOK: Duration = Duration::from_secs(3);

/// The pause after the second failure, doubled with each one after it.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Who listens where.
pub(super) struct Fetcher {
    connection: Connection,
    heard: Arc<Heard>,
    posts: Vec<Post>,
    /// Queues that nobody listens to yet.
    homeless: HashSet<Key>,
    /// Queues whose last bell is gone, by when they are given up.
    leaving: VecDeque<(Instant, Key)>,
    /// Failures since the last good moment, and when the next attempt is made.
    failures: u32,
    retry: Instant,
    /// The servers answer, but do not let us listen.
    refused: bool,
    next_number: u64,
    events: mpsc::UnboundedSender<Event>,
    tasks: TaskTracker,
}

/// An ear and what it listens to. It ends when this is dropped.
struct Post {
    number: u64,
    place: String,
    keys: HashSet<Key>,
    orders: mpsc::UnboundedSender<Order>,
}

impl Fetcher {
    pub(super) fn new(connection: Connection, heard: Arc<Heard>) -> Self {
        // Replaced when it runs.
        let (events, _) = mpsc::unbounded_channel();
        Self {
            connection,
            heard,
            posts: Vec::new(),
            homeless: HashSet::new(),
            leaving: VecDeque::new(),
            failures: 0,
            retry: Instant::now(),
            refused: false,
            next_number: 0,
            events,
            tasks: TaskTracker::new(),
        }
    }

    /// Fetches what is `wanted` until the store is closed or dropped.
    pub(super) async fn run(
        mut self,
        mut wanted: mpsc::UnboundedReceiver<Key>,
        mut farewells: mpsc::UnboundedReceiver<Key>,
        closed: CancellationToken,
    ) {
        let (events, mut told) = mpsc::unbounded_channel();
        self.events = events;
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (settling, waiting) = (!self.homeless.is_empty(), self.retry);
            let leaves = self.leaving.front().map(|(at, _)| *at);
            tokio::select! {
                () = closed.cancelled() => break,
                key = wanted.recv() => match key {
                    Some(key) => self.want(key, &mut wanted),
                    None => break,
                },
                Some(key) = farewells.recv() => self.leaving.push_back((Instant::now() + LINGER, key)),
                Some(event) = told.recv() => self.take_in(event),
                () = sleep_until(waiting), if settling => self.settle().await,
                () = sleep_until(leaves.unwrap_or(waiting)), if leaves.is_some() => self.let_go(),
                _ = looks.tick(), if !self.posts.is_empty() => self.look().await,
            }
        }
        self.heard.end();
    }

    fn want(&mut self, key: Key, more: &mut mpsc::UnboundedReceiver<Key>) {
        self.homeless.insert(key);
        while let Ok(key) = more.try_recv() {
            self.homeless.insert(key);
        }
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::Serves => {
                if std::mem::take(&mut self.failures) > 1 {
                    tracing::info!("wake-ups come from Redis again");
                }
                self.refused = false;
            }
            Event::Moved(key) => {
                self.connection.doubt();
                self.take_from_posts(&[key]);
            }
            Event::Ended(number, error) => {
                let ended = self.posts.iter().position(|post| post.number == number);
                let Some(post) = ended.map(|at| self.posts.swap_remove(at)) else { return };
                self.lose(post.keys);
                self.failed(&error);
            }
        }
    }

    /// Nobody listens to these queues for now.
    fn lose(&mut self, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            self.heard.lost(&key);
            if self.heard.is_wanted(&key) {
                self.homeless.insert(key);
            }
        }
    }

    fn failed(&mut self, error: &CallError) {
        self.connection.doubt();
        // Or they would pile up as long as it lasts.
        self.heard.disappoint();
        self.refused = matches!(error, CallError::Server(error) if error.code == "NOPERM");
        self.failures = self.failures.saturating_add(1);
        let pause = match self.failures {
            1 => Duration::ZERO,
            more => (FIRST_PAUSE * 2_u32.saturating_pow(more.min(16) - 2)).min(LONGEST_PAUSE),
        };
        self.retry = Instant::now() + pause;
        if self.failures == 2 {
            let then =
                if self.refused { "waiting clients look once a second" } else { "waiting clients are late" };
            tracing::warn!(error.cause = %error, "no wake-ups come from Redis: {then}");
        }
    }

    /// Has the queues that nobody listens to listened to where they are now.
    async fn settle(&mut self) {
        if self.refused {
            self.heard.wakes.ring_all();
        }
        let mut found: HashMap<String, (Node, Vec<Key>)> = HashMap::new();
        let mut keys = std::mem::take(&mut self.homeless).into_iter();
        for key in keys.by_ref() {
            match self.connection.node(base(&key).as_bytes()).await {
                Ok(node) => found.entry(node.place()).or_insert_with(|| (node, Vec::new())).1.push(key),
                Err(error) => {
                    self.homeless.insert(key);
                    self.failed(&error);
                    break;
                }
            }
        }
        self.homeless.extend(keys);
        for (place, (node, keys)) in found {
            self.post_at(place, node, keys);
        }
    }

    fn post_at(&mut self, place: String, node: Node, keys: Vec<Key>) {
        let known = self.posts.iter().position(|post| post.place == place);
        let at = known.unwrap_or_else(|| {
            let (orders, waiting) = mpsc::unbounded_channel();
            self.next_number += 1;
            let ear = Ear {
                number: self.next_number,
                node,
                shard: self.connection.is_cluster(),
                heard: self.heard.clone(),
                events: self.events.clone(),
            };
            self.tasks.spawn(ear.run(waiting));
            self.posts.push(Post { number: self.next_number, place, keys: HashSet::new(), orders });
            self.posts.len() - 1
        });
        let post = &mut self.posts[at];
        for key in &keys {
            self.heard.assign(key, post.number);
        }
        post.keys.extend(keys.iter().cloned());
        // An ear that has ended says so.
        let _ = post.orders.send(Order::Listen(keys));
    }

    /// Gives up what nobody has waited for since its time.
    fn let_go(&mut self) {
        let now = Instant::now();
        let mut gone = Vec::new();
        while let Some((_, key)) = self.leaving.pop_front_if(|(at, _)| *at <= now) {
            if self.heard.give_up(&key) {
                self.homeless.remove(&key);
                gone.push(key);
            }
        }
        self.take_from_posts(&gone);
    }

    /// Has nobody listen to these queues where they were; those that are wanted still are homeless.
    fn take_from_posts(&mut self, keys: &[Key]) {
        for post in &mut self.posts {
            let here: Vec<_> = keys.iter().filter(|key| post.keys.remove(*key)).cloned().collect();
            if !here.is_empty() {
                let _ = post.orders.send(Order::Stop(here));
            }
        }
        self.posts.retain(|post| !post.keys.is_empty());
        self.lose(keys.iter().cloned());
    }

    /// Finds queues that are not where they are listened to: another server took the place of theirs.
    async fn look(&mut self) {
        let mut moved = Vec::new();
        for post in &self.posts {
            if self.connection.is_cluster() {
                for key in &post.keys {
                    if !self.connection.is_at(&post.place, base(key).as_bytes()).await {
                        moved.push(key.clone());
                    }
                }
            } else if !self.connection.is_at(&post.place, b"").await {
                moved.extend(post.keys.iter().cloned());
            }
        }
        self.take_from_posts(&moved);
    }
}

fn base(key: &Key) -> String {
    keys::base_of_names(&key.0, &key.1)
}
