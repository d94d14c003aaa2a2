//! What the tests share: a service in this process, the real binary in its own, and a client that speaks to both.

pub(crate) mod client;
pub(crate) mod cloud;
pub(crate) mod database;
pub(crate) mod events;
pub(crate) mod fake_keystone;
pub(crate) mod keystone;
pub(crate) mod mariadb;
pub(crate) mod memcached;
pub(crate) mod neighbour;
pub(crate) mod nodes;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod random;
pub(crate) mod redis;
pub(crate) mod signed;
pub(crate) mod statsd;
pub(crate) mod websocket;

use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zaqar::app::{App, Listeners};
use zaqar::clock::{Clock, Timestamp};
use zaqar::config::Config;

pub(crate) use client::Client;
pub(crate) use process::Process;

/// A service in this process, on a free port, with a clock that the test moves.
pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    /// The listener of the WebSocket API.
    pub(crate) websocket: SocketAddr,
    pub(crate) clock: Clock,
    stop: CancellationToken,
    served: Option<JoinHandle<zaqar::server::Drained>>,
    _state: TempDir,
}

/// The stores that every test of the API runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Memory,
    Sqlite,
}

impl Store {
    pub(crate) const ALL: [Self; 2] = [Self::Memory, Self::Sqlite];

    /// The configuration that selects it.
    pub(crate) fn ini(self) -> &'static str {
        match self {
            Self::Memory => "[drivers]\nmessage_store = memory\nmanagement_store = memory\n",
            Self::Sqlite => "[drivers]\nmessage_store = sqlite\n",
        }
    }
}

impl TestApp {
    /// A service on that store, with more configuration.
    pub(crate) async fn start(store: Store, ini: &str) -> Self {
        Self::start_at(Timestamp::from_micros(1_800_000_000_000_000), &format!("{}{ini}", store.ini())).await
    }

    /// A service so configured, whose clock stands there.
    pub(crate) async fn start_at(now: Timestamp, ini: &str) -> Self {
        let state = tempfile::tempdir().expect("a temporary directory");
        let text = format!("[DEFAULT]\nstate_path = {}\n{ini}", state.path().display());
        let config = Config::from_ini(&text).expect("a legal configuration");
        let clock = Clock::manual(now);
        let app = App::from_config(&config, clock.clone()).await.expect("a service");
        let (rest, address) = free_listener().await;
        let (websocket, websocket_address) = free_listener().await;
        let listeners = Listeners { rest: Some(rest), websocket: Some(websocket) };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        #[expect(clippy::disallowed_methods, reason = "ended by stop(), or with the test's runtime")]
        let served = tokio::spawn(async move { Box::pin(app.serve(listeners, stopped)).await });
        Self { address, websocket: websocket_address, clock, stop, served: Some(served), _state: state }
    }

    /// A client of that project.
    pub(crate) fn client(&self, project: &str) -> Client {
        Client::new(self.address, project)
    }

    /// Moves the service's clock.
    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Ends the service in order: whether every connection ended by itself.
    pub(crate) async fn stop(mut self) -> bool {
        self.stop.cancel();
        let served = self.served.take().expect("stopped once");
        served.await.expect("the service ends without a panic").is_clean()
    }
}

async fn free_listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}
