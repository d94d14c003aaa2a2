//! Servers of the shared cache that are slow, dead, lying or too few: requests do not wait for them, and do not fail.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use zaqar::auth::memcached::Settings;

use super::{Origin, cache, is_good, settings, tokens, wait_until};
use crate::support::memcached::MemcachedServer;
use crate::support::process::free_address;

/// How long a look into the shared cache may take here.
const TIMEOUT: Duration = Duration::from_millis(500);

/// What a busy machine may add to a time-out: less than the tokens would wait one after the other.
const SLACK: Duration = Duration::from_secs(8);

/// How often something was warned of.
#[derive(Clone, Default)]
struct Warnings(Arc<std::sync::atomic::AtomicUsize>);

impl<S: Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if *event.metadata().level() == Level::WARN && event.metadata().target().starts_with("zaqar::auth") {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }
}

impl Warnings {
    fn count(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// Asks for new tokens, one after the other, beside servers of which none is of use: the longest of them waits for
/// one time-out, the others for none, and the log says so once.
async fn does_without(addresses: &[String]) {
    let warnings = Warnings::default();
    // While there is but one subscriber, what threads without any do not care for is taken to be of no interest here.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(warnings.clone()));
    let tokens = tokens("without", 20);
    let origin = Origin::knowing(&tokens);
    let settings = Settings { timeout: TIMEOUT, wait: TIMEOUT, ..settings() };
    let cache = cache(addresses, settings, None, &origin);
    let start = Instant::now();
    for token in &tokens {
        assert!(is_good(&cache, token).await);
    }
    assert!(start.elapsed() < TIMEOUT + SLACK, "{:?}", start.elapsed());
    assert_eq!((origin.asked(), warnings.count()), (tokens.len(), addresses.len()));
}

#[tokio::test]
async fn a_frozen_server_costs_one_time_out() {
    let server = MemcachedServer::start();
    server.freeze();
    does_without(&[server.address()]).await;
    server.thaw();
}

#[tokio::test]
async fn servers_that_are_not_there_cost_nothing() {
    does_without(&[free_address().to_string(), free_address().to_string()]).await;
}

#[tokio::test]
async fn a_server_that_lies_is_left_alone() {
    for lie in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"VALUE tokens/other 0 2\r\n{}\r\nEND\r\n",
        b"VALUE tokens/other 0 99999999999\r\n",
        b"\0\xff",
        b"STORED\r\nSTORED\r\n",
        b"",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut liar = JoinSet::new();
        liar.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1_024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(lie).await;
            }
        });
        does_without(&[address]).await;
    }
}

#[tokio::test]
async fn a_server_that_never_ends_its_answer_costs_one_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut endless = JoinSet::new();
    endless.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            connections.spawn(async move {
                let mut request = [0; 1_024];
                let read = stream.read(&mut request).await.unwrap_or(0);
                let name = String::from_utf8_lossy(&request[4..read.max(4)]).trim().to_owned();
                let _ = stream.write_all(format!("VALUE {name} 0 1000000\r\n").as_bytes()).await;
                while stream.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
        }
    });
    does_without(&[address]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_not_noticed_and_a_dead_server_is_tried_again_in_its_time() {
    let mut server = MemcachedServer::start();
    let tokens = tokens("again", 200);
    let origin = Origin::knowing(&tokens);
    let mut unused = tokens.iter();
    let settings = Settings { dead_retry: Duration::from_millis(50), ..settings() };
    let cache = cache(&[server.address()], settings, None, &origin);
    assert!(is_good(&cache, unused.next().unwrap()).await);
    wait_until("it is stored", || server.number("curr_items") == 1);
    // The connection that was kept is of no use any more.
    server.kill();
    server.restart();
    assert!(is_good(&cache, unused.next().unwrap()).await);
    wait_until("it is stored at once", || server.number("curr_items") == 1);
    server.kill();
    assert!(is_good(&cache, unused.next().unwrap()).await);
    server.restart();
    let start = Instant::now();
    while server.number("curr_items") == 0 {
        assert!(start.elapsed() < super::PATIENCE, "it is never tried again");
        assert!(is_good(&cache, unused.next().unwrap_or(&tokens[0])).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_never_more_connections_than_allowed() {
    let server = MemcachedServer::start();
    let before = server.connections();
    let tokens = tokens("many", 30);
    let origin = Origin::knowing(&tokens);
    let cache =
        Arc::new(cache(&[server.address()], Settings { max_connections: 2, ..settings() }, None, &origin));
    let requests = tokens.iter().cloned().map(|token| {
        let cache = cache.clone();
        async move { is_good(&cache, &token).await }
    });
    let good = requests.collect::<JoinSet<_>>().join_all().await;
    assert!(good.into_iter().all(|good| good));
    // The look itself is a connection, too; one from before may have been counted late.
    let opened = server.number("total_connections") - before - 1;
    assert!((1..=3).contains(&opened), "{opened}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_nobody_uses_are_closed() {
    let mut opened = Vec::new();
    for unused in [Duration::ZERO, Duration::from_mins(1)] {
        let server = MemcachedServer::start();
        let before = server.connections();
        let mut looks = 0;
        let tokens = tokens("unused", 5);
        let origin = Origin::knowing(&tokens);
        let cache = cache(&[server.address()], Settings { unused, ..settings() }, None, &origin);
        for (stored, token) in (1..).zip(&tokens) {
            assert!(is_good(&cache, token).await);
            wait_until("it is stored", || {
                looks += 1;
                server.number("curr_items") == stored
            });
        }
        opened.push(server.number("total_connections") - before - looks - 1);
    }
    // One for each request, or one for all; the store of one token and the look for the next may meet, and one from
    // before may have been counted late.
    assert!((10..=11).contains(&opened[0]) && opened[1] <= 3, "{opened:?}");
}
