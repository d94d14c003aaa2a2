//! Two nodes on the same stores, of which one dies in the middle of a move.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zaqar::clock::Clock;
use zaqar::model::json::Posted;
use zaqar::model::{ClientId, Metadata, Pool, PoolName, ProjectId, QueueName, patch};
use zaqar::service::vault::Vault;
use zaqar::service::{ClaimRequested, Context, ListRequest, Pooling, Service, Settings, Sweeper};
use zaqar::storage::memory::{MemoryManagement, MemoryStore};
use zaqar::storage::pooled::Opener;
use zaqar::storage::{
    Catalogue as _, DataStore, Management as _, Messages as _, Placing, QueueRecord, Stores, Transfer as _,
};

use crate::contract::fixture::START;

/// Messages of the queue.
const MESSAGES: usize = 6_000;

/// What all nodes share.
#[derive(Clone)]
struct Shared {
    management: Arc<MemoryManagement>,
    pools: [Arc<MemoryStore>; 2],
    clock: Clock,
}

impl Shared {
    async fn new() -> Self {
        let management = Arc::new(MemoryManagement::new());
        for name in ["a", "b"] {
            let (uri, flavor) = (format!("memory://{name}"), Some(name.to_uppercase()));
            let pool = Pool { name: PoolName::new(name), uri, weight: 1, flavor, options: Metadata::new() };
            management.put_pool(&pool).await.unwrap();
            let flavor = zaqar::model::Flavor {
                project: ProjectId::new("p"),
                name: name.to_uppercase(),
                capabilities: Vec::new(),
            };
            management.put_flavor(&flavor, &[PoolName::new(name)]).await.unwrap();
        }
        let pools = [Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new())];
        Self { management, pools, clock: Clock::manual(START) }
    }

    fn node(&self) -> Service {
        let [a, b] = self.pools.clone();
        let opener: Opener = Arc::new(move |uri, _| {
            let store: Arc<dyn DataStore> = if uri.ends_with('a') { a.clone() } else { b.clone() };
            Box::pin(async move { Ok(store) })
        });
        let stores = Stores { management: self.management.clone(), data: Arc::new(MemoryStore::new()) };
        let settings = Settings { pooling: Some(Pooling::default()), ..Settings::default() };
        let vault = Vault::new(None, &[], "AES256");
        Service::with_pools(settings, stores, opener, self.clock.clone(), vault, TaskTracker::new())
    }
}

fn context() -> Context {
    let client = ClientId::new("3381af92-2b9e-11e3-b191-71861300734c");
    Context::internal(ProjectId::new("p"), client)
}

fn name() -> QueueName {
    QueueName::parse("q").unwrap()
}

/// Creates the queue in `a`, with further metadata, and posts so many messages.
async fn fill(service: &Service, messages: usize, metadata: &str) {
    let metadata: Metadata = serde_json::from_str(&format!(r#"{{"_flavor": "A"{metadata}}}"#)).unwrap();
    service.create_queue(&context(), &name(), &metadata).await.unwrap();
    for first in (0..messages).step_by(20) {
        let posted = |n: usize| Posted { ttl: Some(3_600), delay: None, body: n.to_string().into() };
        let batch: Vec<_> = (first..first + 20).map(posted).collect();
        service.post(&context(), &name(), &batch).await.unwrap();
    }
}

/// The record of the queue.
async fn record(shared: &Shared) -> QueueRecord {
    shared.management.queue(&context().project, &name()).await.unwrap().unwrap()
}

/// Begins a motion to `b` as a node that dies after the first step: the source is sealed, the record does not say so.
async fn begin_and_die(shared: &Shared) {
    let seen = record(shared).await;
    let placing = Placing::Move(PoolName::new("b"));
    shared.management.replace_metadata(&seen, &seen.metadata, Some(&placing)).await.unwrap().unwrap();
    shared.pools[0].seal(&seen.queue, START).await.unwrap();
}

async fn change_flavor(service: &Service) {
    let patch = br#"[{"op": "replace", "path": "/metadata/_flavor", "value": "B"}]"#;
    let operations = patch::parse(patch).unwrap();
    service.patch_queue(&context(), &name(), &operations).await.unwrap();
}

/// Reads the queue to its end: the bodies, in order.
async fn read(service: &Service) -> Vec<String> {
    let mut request = ListRequest { limit: Some(20), echo: true, ..ListRequest::default() };
    let mut seen = Vec::new();
    loop {
        let page = service.list(&context(), &name(), &request).await.unwrap();
        let Some(marker) = page.marker else { return seen };
        request.marker = Some(marker);
        seen.extend(page.messages.iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_completes_what_a_dead_node_began() {
    let shared = Shared::new().await;
    let service = shared.node();
    fill(&service, 40, "").await;
    begin_and_die(&shared).await;
    assert!(!record(&shared).await.placement.motion.unwrap().sealed);
    assert_eq!(read(&service).await.len(), 40);
    let placement = record(&shared).await.placement;
    assert!(placement.motion.unwrap().sealed, "the call has done it");
    assert_eq!(placement.pool, Some(PoolName::new("b")));
    // A post may be the first call too.
    let shared = Shared::new().await;
    let service = shared.node();
    fill(&service, 20, "").await;
    begin_and_die(&shared).await;
    let posted = Posted { ttl: Some(3_600), delay: None, body: "20".into() };
    shared.node().post(&context(), &name(), &[posted]).await.unwrap();
    assert_eq!(read(&service).await, (0..=20).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(shared.pools[1].volume().await.unwrap(), (1, 0), "the others are still on their way");
}

/// Dead letters leave a queue on its way from both its stores, each once, and before its source is dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_arrive_from_both_stores() {
    let shared = Shared::new().await;
    let service = shared.node();
    fill(&service, 40, r#", "_max_claim_count": 1, "_dead_letter_queue": "dead""#).await;
    let (dead, flavor) = (QueueName::parse("dead").unwrap(), r#"{"_flavor": "A"}"#);
    service.create_queue(&context(), &dead, &serde_json::from_str(flavor).unwrap()).await.unwrap();
    let claim = async || {
        let requested = ClaimRequested { limit: Some(20), ..ClaimRequested::default() };
        let claimed = service.claim(&context(), &name(), requested).await.unwrap();
        claimed.map(|won| won.id.to_string())
    };
    for claim in [claim().await.unwrap(), claim().await.unwrap()] {
        service.release(&context(), &name(), &claim).await.unwrap();
    }
    begin_and_die(&shared).await;
    assert_eq!(read(&service).await.len(), 40);
    let queue = record(&shared).await.queue;
    shared.pools[0].send_off(&queue.sealed(), 20, START).await.unwrap();
    assert_eq!(claim().await, None, "all of them were claimed once");
    let letters = async || service.stats(&context(), &dead).await.unwrap().free;
    assert_eq!(letters().await, 40);
    let posted = |n: usize| Posted { ttl: Some(3_600), delay: None, body: n.to_string().into() };
    service.post(&context(), &name(), &[posted(1)]).await.unwrap();
    shared.clock.advance(Duration::from_secs(11));
    let (stop, mut running) = (CancellationToken::new(), JoinSet::new());
    running.spawn(Sweeper::new(service.clone(), Duration::from_secs(1), Duration::ZERO).run(stop.clone()));
    let start = Instant::now();
    while !shared.management.motions(None, 9).await.unwrap().is_empty() {
        assert!(start.elapsed() < Duration::from_mins(1), "nobody takes over");
        tokio::task::yield_now().await;
    }
    assert_eq!(letters().await, 40);
    assert_eq!(read(&service).await, ["1"]);
    stop.cancel();
    running.join_next().await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_takes_over_when_one_dies() {
    let shared = Shared::new().await;
    // A runtime of its own: when it ends, all that ran on it is cut off wherever it was.
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let first = shared.node();
    doomed.spawn(async move {
        fill(&first, MESSAGES, "").await;
        change_flavor(&first).await;
        std::future::pending::<()>().await;
    });
    let start = Instant::now();
    while shared.pools[1].volume().await.unwrap().0 < 300 {
        assert!(start.elapsed() < Duration::from_mins(1), "the move does not begin");
        tokio::task::yield_now().await;
    }
    doomed.shutdown_background();

    let second = shared.node();
    let expected: Vec<String> = (0..MESSAGES).map(|n| n.to_string()).collect();
    let motions = async || shared.management.motions(None, 9).await.unwrap();
    assert_eq!(motions().await.len(), 1, "it died in the middle");
    assert_eq!(read(&second).await, expected, "before anybody takes over");
    let (stop, mut running) = (CancellationToken::new(), JoinSet::new());
    running.spawn(Sweeper::new(second.clone(), Duration::from_secs(1), Duration::ZERO).run(stop.clone()));
    let posted = Posted { ttl: Some(3_600), delay: None, body: "new".into() };
    second.post(&context(), &name(), &[posted]).await.unwrap();
    shared.clock.advance(Duration::from_secs(11));
    let start = Instant::now();
    while !motions().await.is_empty() {
        assert!(start.elapsed() < Duration::from_mins(1), "nobody takes over");
        tokio::task::yield_now().await;
    }
    let expected: Vec<String> = expected.into_iter().chain(["new".to_owned()]).collect();
    assert_eq!(read(&second).await, expected);
    assert_eq!(shared.pools[0].volume().await.unwrap(), (0, 0));
    assert_eq!(shared.pools[0].opened(None, 9).await.unwrap(), [], "the source is dropped");
    stop.cancel();
    running.join_next().await.unwrap().unwrap();
    second.close().await;
}

#[tokio::test]
async fn who_waits_goes_along_with_a_queue_that_moves() {
    let shared = Shared::new().await;
    let (service, tasks) = (shared.node(), TaskTracker::new());
    fill(&service, 0, "").await;
    let waiter = service.clone();
    let waiting =
        tasks.spawn(async move { waiter.pop(&context(), &name(), 1, Duration::from_mins(1)).await.unwrap() });
    tokio::task::yield_now().await;
    change_flavor(&service).await;
    let start = Instant::now();
    while !shared.management.motions(None, 9).await.unwrap().is_empty() {
        assert!(start.elapsed() < Duration::from_mins(1), "the queue arrives");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!waiting.is_finished());
    assert_eq!(record(&shared).await.placement.pool, Some(PoolName::new("b")));
    let posted = Posted { ttl: Some(3_600), delay: None, body: "1".into() };
    shared.node().post(&context(), &name(), &[posted]).await.unwrap();
    let taken = tokio::time::timeout(Duration::from_mins(1), waiting).await.expect("it is woken");
    assert_eq!(taken.unwrap().len(), 1);
}
