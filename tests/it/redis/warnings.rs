//! What an operator is told when a store is opened.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use zaqar::clock::Timestamp;
use zaqar::storage::Messages as _;

use super::open;
use crate::support::redis::{RedisServer, Setup};

/// The warnings that were logged, each with its fields.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if *event.metadata().level() == Level::WARN && event.metadata().target().starts_with("zaqar::storage")
        {
            let mut text = Text(String::new());
            event.record(&mut text);
            self.0.lock().unwrap().push(text.0);
        }
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

/// What opening a store on that server warns of.
async fn warned(server: &RedisServer) -> Vec<String> {
    let warnings = Warnings::default();
    let _logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(warnings.clone()));
    open(&server.uri()).await;
    std::mem::take(&mut *warnings.0.lock().unwrap())
}

#[tokio::test]
async fn a_server_that_keeps_what_it_is_given_is_no_reason_to_warn() {
    assert_eq!(warned(&RedisServer::with(Setup::default().durable("everysec"))).await, [""; 0]);
    assert_eq!(warned(&RedisServer::with(Setup::default().with(&["save 60 1000"]))).await, [""; 0]);
}

#[tokio::test]
async fn a_server_that_may_evict_or_forget_is_named() {
    let server = RedisServer::with(Setup::default().with(&["maxmemory-policy allkeys-lru"]));
    let warnings = warned(&server).await;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("redis.maxmemory_policy=\"allkeys-lru\""), "{warnings:?}");
    assert!(warnings[1].contains("keeps nothing on disk"), "{warnings:?}");
}

#[tokio::test]
async fn data_of_the_python_service_is_counted() {
    let server = RedisServer::with(Setup::default().durable("no"));
    for key in ["p.queues_set", ".queues_set"] {
        server.command(&["ZADD", key, "1", "p.q"]);
    }
    server.command(&["ZADD", "msgset_index", "1", "p.q.messages", "1", "p.r.messages", "1", ".q.messages"]);
    let warnings = warned(&server).await;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("queues.count=3") && warnings[0].contains("projects.count=2"),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn a_server_that_tells_nothing_of_itself_is_taken() {
    let server = RedisServer::with(Setup::default().with(&["rename-command CONFIG \"\""]));
    assert_eq!(warned(&server).await, [""; 0]);
}

#[tokio::test]
async fn a_server_that_was_away_at_the_start_is_looked_at_later() {
    let mut server = RedisServer::with(Setup::default().with(&["maxmemory-policy allkeys-lru"]));
    server.kill();
    let warnings = Warnings::default();
    let _logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(warnings.clone()));
    let store = open(&server.uri()).await;
    assert!(warnings.0.lock().unwrap().iter().all(|warning| !warning.contains("allkeys-lru")));
    server.restart();
    let start = Instant::now();
    while store.sweep(Timestamp::from_micros(1), 1).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(20), "it serves again");
    }
    store.sweep(Timestamp::from_micros(1), 1).await.unwrap();
    let named = warnings.0.lock().unwrap().iter().filter(|warning| warning.contains("allkeys-lru")).count();
    assert_eq!(named, 1);
}
