//! The listener and its connections: HTTP/1.1 and HTTP/2 on one port, with limits and an orderly end.
//!
//! The caller binds (see [`bind`]) and hands over the listener. hyper is used directly, because `axum::serve` exposes none
//! of the limits. What hyper itself does not cover is built here:
//!
//! * hyper's header time-out runs while a kept connection is idle too, and makes a timer for each request. So
//!   it is off, and one timer for each connection, armed lazily, guards every wait (`watch`, `facts`).
//! * Bodies are guarded where they are read (`exchange`): a silent one becomes 408 and a closed connection.
//! * Connections beyond the limits are closed at once (`slots`, `accept`).
//! * What a client still sends after its answer is read and thrown away for a short time (`stream`), so that
//!   a refusal is not lost to a reset.
//!
//! Upgraded connections (WebSocket) stay counted while open, but they belong to whoever took them over, who
//! has to watch the shutdown token itself.

mod accept;
mod connection;
mod exchange;
mod facts;
mod files;
mod settings;
mod slots;
mod stage;
mod stream;
mod tls;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use hyper::server::conn::{http1, http2};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use accept::bind;
pub use exchange::BodyError;
pub use files::raise_open_file_limit;
pub use settings::{Http2Settings, ListenerSettings};
pub use slots::ConnectionCounts;
pub use tls::{Tls, TlsError};

pub(crate) use stage::{Phase, Stage};

/// Serves `router` on `listener` until `shutdown` is cancelled and every connection is gone.
///
/// At the cancellation the port is closed, idle connections are closed at once, and running requests are
/// finished (HTTP/1.1 answers carry `Connection: close`, HTTP/2 clients get GOAWAY). Connections that are
/// still there after [`ListenerSettings::drain_timeout`] are cut, and their handlers dropped. Each request
/// carries its [`Peer`] in its extensions. A handler is dropped when its client goes away.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: ListenerSettings,
    shutdown: CancellationToken,
) -> Drained {
    let server = Arc::new(Server::new(router, settings));
    accept::accept_until(&listener, &server, &shutdown).await;
    drop(listener);
    server.drain().await
}

/// How the end of [`serve`] went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut because they had not finished within the drain time.
    pub cut: usize,
}

impl Drained {
    /// True when every connection ended by itself.
    pub fn is_clean(self) -> bool {
        self.cut == 0
    }
}

/// Who sent a request; in the extensions of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The other end of the socket: a client or a proxy. An IPv4 client of an IPv6 socket is shown as IPv4.
    pub address: SocketAddr,
    /// Whether this connection is encrypted.
    pub tls: bool,
}

/// What all connections of one listener share.
struct Server {
    router: Router,
    settings: ListenerSettings,
    http1: http1::Builder,
    http2: http2::Builder<connection::Spawner>,
    slots: Arc<slots::Slots>,
    stage: Stage,
    tasks: TaskTracker,
    cut: AtomicUsize,
}

impl Server {
    fn new(router: Router, settings: ListenerSettings) -> Self {
        let tasks = TaskTracker::new();
        Self {
            router,
            http1: connection::http1(&settings),
            http2: connection::http2(&settings, tasks.clone()),
            slots: Arc::new(slots::Slots::new(&settings)),
            stage: Stage::default(),
            tasks,
            cut: AtomicUsize::new(0),
            settings,
        }
    }

    /// Ends all connections: kindly at first, hard after the drain time.
    async fn drain(&self) -> Drained {
        self.tasks.close();
        self.stage.enter(Phase::Draining);
        if tokio::time::timeout(self.settings.drain_timeout, self.tasks.wait()).await.is_err() {
            self.stage.enter(Phase::Closing);
            self.tasks.wait().await;
        }
        let drained = Drained { cut: self.cut.load(Ordering::Relaxed) };
        tracing::info!(connections.cut = drained.cut, "listener drained");
        drained
    }
}
