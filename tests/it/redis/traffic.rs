//! Posters that go on through a fault, and what became of the messages that were acknowledged to them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use zaqar::model::{MessageId, QueueRef};
use zaqar::storage::redis::RedisStore;
use zaqar::storage::{Error, Messages as _};

use super::{NOW, id, ids, open, post};

/// Posters to each queue.
const POSTERS: u64 = 4;

/// A poster that failed rests that long.
const REST: Duration = Duration::from_millis(5);

/// No fault may last longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Running posters.
pub(super) struct Traffic {
    shared: Arc<Shared>,
    posters: JoinSet<()>,
    queues: Vec<QueueRef>,
}

struct Shared {
    store: RedisStore,
    stop: AtomicBool,
    next: AtomicU64,
    failed: AtomicU64,
    /// For each queue: its acknowledged messages, when the last was, and the longest pause between two.
    seen: Vec<Mutex<Seen>>,
}

struct Seen {
    ids: Vec<MessageId>,
    last: Instant,
    longest: Duration,
}

/// What became of the messages.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Acknowledged posts.
    pub(super) acknowledged: usize,
    /// Posts that failed: some may be stored all the same.
    pub(super) failed: u64,
    /// Acknowledged and not there.
    pub(super) lost: usize,
    /// The longest time in which nothing was acknowledged in some queue.
    pub(super) longest: Duration,
}

impl Outcome {
    /// Says what was lost by which fault, for whoever wants the numbers.
    #[expect(clippy::print_stdout, reason = "a measurement, shown with --nocapture")]
    pub(super) fn report(&self, fault: &str) {
        let Self { acknowledged, failed, lost, longest } = self;
        println!(
            "{fault}: {lost} of {acknowledged} acknowledged messages lost, {failed} calls failed, {longest:?} without service"
        );
    }
}

impl Traffic {
    /// Posts to the queues of the store at that URI until it is stopped.
    pub(super) async fn start(uri: &str, queues: &[QueueRef]) -> Self {
        let store = open(uri).await;
        for queue in queues {
            store.open(queue, NOW).await.expect("an open queue");
        }
        let seen = || Mutex::new(Seen { ids: Vec::new(), last: Instant::now(), longest: Duration::ZERO });
        let shared = Arc::new(Shared {
            store,
            stop: AtomicBool::new(false),
            next: AtomicU64::new(1),
            failed: AtomicU64::new(0),
            seen: queues.iter().map(|_| seen()).collect(),
        });
        let mut posters = JoinSet::new();
        for (index, queue) in queues.iter().enumerate() {
            for _ in 0..POSTERS {
                posters.spawn(Arc::clone(&shared).post_on(index, queue.clone()));
            }
        }
        Self { shared, posters, queues: queues.to_vec() }
    }

    /// Waits until every queue has taken so many more.
    pub(super) async fn more(&self, messages: usize) {
        let counts =
            || self.shared.seen.iter().map(|seen| seen.lock().unwrap().ids.len()).collect::<Vec<_>>();
        let (start, before) = (Instant::now(), counts());
        while counts().iter().zip(&before).any(|(now, before)| now - before < messages) {
            assert!(start.elapsed() < PATIENCE, "nothing is acknowledged any more");
            tokio::time::sleep(REST).await;
        }
    }

    /// Ends the posters and looks for what was acknowledged to them.
    pub(super) async fn stop(self) -> Outcome {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.posters.join_all().await;
        let mut outcome = Outcome {
            acknowledged: 0,
            failed: self.shared.failed.load(Ordering::Relaxed),
            lost: 0,
            longest: Duration::ZERO,
        };
        for (queue, seen) in self.queues.iter().zip(&self.shared.seen) {
            let (acknowledged, longest) = {
                let mut seen = seen.lock().unwrap();
                (std::mem::take(&mut seen.ids), seen.longest)
            };
            let listed = ids(&self.shared.store, queue).await;
            let there: HashSet<_> = listed.iter().copied().collect();
            assert_eq!(there.len(), listed.len(), "a message is there twice");
            outcome.lost += acknowledged.iter().filter(|id| !there.contains(*id)).count();
            outcome.acknowledged += acknowledged.len();
            outcome.longest = outcome.longest.max(longest);
        }
        outcome
    }

    /// How long it takes until the store serves, from now on.
    pub(super) async fn recovery(store: &RedisStore, queue: &QueueRef) -> Duration {
        let start = Instant::now();
        while let Err(error) = store.open(queue, NOW).await {
            assert!(start.elapsed() < PATIENCE, "{error:?}");
            tokio::time::sleep(REST).await;
        }
        start.elapsed()
    }
}

impl Shared {
    async fn post_on(self: Arc<Self>, index: usize, queue: QueueRef) {
        while !self.stop.load(Ordering::Relaxed) {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            match post(&self.store, &queue, n).await {
                Ok(()) => self.acknowledge(index, id(n)),
                Err(error) => self.fail(&queue, &error).await,
            }
        }
    }

    async fn fail(&self, queue: &QueueRef, error: &Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        if matches!(error, Error::Gone) {
            // As the service does; where this fails too, the next post tells.
            let _ = self.store.open(queue, NOW).await;
        }
        tokio::time::sleep(REST).await;
    }

    fn acknowledge(&self, index: usize, id: MessageId) {
        let mut seen = self.seen[index].lock().unwrap();
        let pause = seen.last.elapsed();
        seen.longest = seen.longest.max(pause);
        seen.last = Instant::now();
        seen.ids.push(id);
    }
}
