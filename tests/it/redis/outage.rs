//! Servers that hang, die and come back: an error within the deadline, and service again by itself.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use zaqar::storage::redis::RedisStore;
use zaqar::storage::{Error, Messages as _};

use super::traffic::Traffic;
use super::{DEADLINE, NOW, SLACK, count, open, post, queue};
use crate::support::redis::{RedisServer, Setup};

/// Callers at a time.
const CALLERS: u64 = 50;

/// How long a call took that must fail for want of a server.
async fn failing(store: &RedisStore, n: u64) -> Duration {
    let start = Instant::now();
    let error = post(store, &queue("q"), n).await.expect_err("no server answers");
    assert!(matches!(error, Error::Unavailable(_) | Error::Timeout(_)), "{error:?}");
    start.elapsed()
}

/// The longest of many calls at once, all of which must fail.
async fn longest(store: &Arc<RedisStore>) -> Duration {
    let mut callers = JoinSet::new();
    for n in 0..CALLERS {
        let store = Arc::clone(store);
        callers.spawn(async move { failing(&store, 1000 + n).await });
    }
    callers.join_all().await.into_iter().max().expect("some")
}

#[tokio::test]
async fn a_server_that_hangs_is_an_error_within_the_deadline() {
    let server = RedisServer::start();
    let store = Arc::new(open(&server.uri()).await);
    store.open(&queue("q"), NOW).await.unwrap();
    server.freeze();
    for _ in 0..3 {
        let longest = longest(&store).await;
        assert!(longest < DEADLINE + SLACK, "{longest:?}");
    }
    server.thaw();
    Traffic::recovery(&store, &queue("q")).await;
    post(&store, &queue("q"), 1).await.unwrap();
}

#[tokio::test]
async fn a_server_that_hangs_from_the_start_is_an_error_within_the_deadline() {
    let server = RedisServer::start();
    server.freeze();
    let start = Instant::now();
    let store = Arc::new(open(&server.uri()).await);
    assert!(start.elapsed() < 2 * DEADLINE + SLACK, "{:?}", start.elapsed());
    let longest = longest(&store).await;
    assert!(longest < DEADLINE + SLACK, "{longest:?}");
    server.thaw();
    Traffic::recovery(&store, &queue("q")).await;
}

#[tokio::test]
async fn a_lost_server_is_an_error_at_once_and_serves_again_when_it_is_back() {
    let mut server = RedisServer::with(Setup::default().durable("always"));
    let store = Arc::new(open(&server.uri()).await);
    let queue = queue("q");
    store.open(&queue, NOW).await.unwrap();
    post(&store, &queue, 1).await.unwrap();
    server.kill();
    // The first calls hope until their deadline, later ones do not.
    let mut fast = false;
    let start = Instant::now();
    while !fast {
        let took = failing(&store, 2).await;
        assert!(took < DEADLINE + SLACK, "{took:?}");
        fast = took < Duration::from_millis(100);
        assert!(start.elapsed() < Duration::from_secs(20), "calls do not fail fast");
    }
    server.restart();
    let pause = Traffic::recovery(&store, &queue).await;
    assert!(pause < Duration::from_secs(2), "{pause:?}");
    assert_eq!(count(&store, &queue).await, 1);
}

#[tokio::test]
async fn a_server_that_restarts_between_calls_is_not_noticed() {
    let mut server = RedisServer::with(Setup::default().durable("always"));
    let store = open(&server.uri()).await;
    let queue = queue("q");
    store.open(&queue, NOW).await.unwrap();
    for n in 0..3 {
        post(&store, &queue, n).await.unwrap();
        server.kill();
        server.restart();
        // The end of the connections has to arrive before a call uses them.
        let other = open(&server.uri()).await;
        other.ping().await.unwrap();
    }
    assert_eq!(count(&store, &queue).await, 3);
}

#[tokio::test]
async fn an_option_shortens_the_deadline() {
    let server = RedisServer::start();
    let store = open(&format!("{}?socket_timeout=0.3", server.uri())).await;
    store.open(&queue("q"), NOW).await.unwrap();
    server.freeze();
    let took = failing(&store, 1).await;
    assert!(took >= Duration::from_millis(290) && took < Duration::from_millis(300) + SLACK, "{took:?}");
}

/// Nothing that was acknowledged is lost when each write is on disk before its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_a_durable_server_is_killed_under_load() {
    let mut server = RedisServer::with(Setup::default().durable("always"));
    let uri = server.uri();
    let traffic = Traffic::start(&uri, &[queue("q")]).await;
    for _ in 0..3 {
        traffic.more(200).await;
        server.kill();
        server.restart();
    }
    traffic.more(200).await;
    let result = traffic.stop().await;
    assert_eq!(result.lost, 0, "{result:?}");
    assert!(result.longest < Duration::from_secs(5), "{result:?}");
}

/// The levels of what the connections log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<Level>>>);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target().starts_with("zaqar::storage::redis::connection") {
            self.0.lock().unwrap().push(*event.metadata().level());
        }
    }
}

#[tokio::test]
async fn an_outage_is_two_lines_in_the_log() {
    let lines = Lines::default();
    // While there is but one subscriber, what threads without any do not care for is taken to be of no interest here.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines.clone()));
    let mut server = RedisServer::start();
    let store = Arc::new(open(&server.uri()).await);
    store.open(&queue("q"), NOW).await.unwrap();
    for _ in 0..2 {
        server.kill();
        longest(&store).await;
        longest(&store).await;
        assert_eq!(*lines.0.lock().unwrap(), [Level::WARN]);
        server.restart();
        Traffic::recovery(&store, &queue("q")).await;
        all_succeed(&store).await;
        assert_eq!(std::mem::take(&mut *lines.0.lock().unwrap()), [Level::WARN, Level::INFO]);
    }
}

/// Many calls at once, all of which must succeed.
async fn all_succeed(store: &Arc<RedisStore>) {
    let mut callers = JoinSet::new();
    for n in 0..CALLERS {
        let store = Arc::clone(store);
        callers.spawn(async move { post(&store, &queue("q"), 2000 + n).await });
    }
    for result in callers.join_all().await {
        result.unwrap();
    }
}
