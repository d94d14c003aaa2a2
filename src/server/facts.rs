//! What is known of a connection from outside its protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::ListenerSettings;

/// What happens on one connection, written by its socket and its requests and read by its watch.
///
/// Times are milliseconds since the start of the connection and never 0, which means "not so".
#[derive(Debug)]
pub(super) struct Facts {
    start: Instant,
    http2: bool,
    /// Requests that are not wholly answered.
    open: AtomicU32,
    idle_since: AtomicU64,
    /// When the first byte of a header block came that is not complete.
    head_since: AtomicU64,
    /// Since when the socket takes no bytes.
    write_since: AtomicU64,
    /// Answers on HTTP/2 that wait for the client's window, and the last progress of any of them.
    windows: AtomicU32,
    window_since: AtomicU64,
    /// When the connection was asked to end.
    finishing_since: AtomicU64,
    /// When our side of the socket was closed.
    closing_since: AtomicU64,
    /// Whether a request body was left before its end.
    unread: AtomicBool,
}

impl Facts {
    /// `head_began` is when the first byte came, if it did.
    pub(super) fn new(http2: bool, start: Instant, head_began: Option<Instant>) -> Self {
        let facts = Self {
            start,
            http2,
            open: AtomicU32::new(0),
            idle_since: AtomicU64::new(1),
            head_since: AtomicU64::new(0),
            write_since: AtomicU64::new(0),
            windows: AtomicU32::new(0),
            window_since: AtomicU64::new(0),
            finishing_since: AtomicU64::new(0),
            closing_since: AtomicU64::new(0),
            unread: AtomicBool::new(false),
        };
        if let Some(began) = head_began.filter(|_| !http2) {
            facts.head_since.store(facts.at(began), Ordering::Relaxed);
        }
        facts
    }

    /// Whether this connection speaks HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.http2
    }

    /// A request's header block is complete. The request is open until its guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> OpenRequest {
        self.open.fetch_add(1, Ordering::AcqRel);
        self.head_since.store(0, Ordering::Relaxed);
        self.unread.store(false, Ordering::Relaxed);
        OpenRequest { facts: Arc::clone(self), held: false }
    }

    /// Bytes were read from the socket.
    pub(super) fn bytes_came(&self) {
        let begins_head = !self.http2 && self.open.load(Ordering::Acquire) == 0;
        if begins_head {
            self.since(&self.head_since);
        }
    }

    /// The socket takes no more bytes.
    pub(super) fn write_blocked(&self) {
        self.since(&self.write_since);
    }

    /// The socket took bytes.
    pub(super) fn write_moved(&self) {
        if self.write_since.load(Ordering::Relaxed) != 0 {
            self.write_since.store(0, Ordering::Relaxed);
        }
    }

    /// A request body was left before its end.
    pub(super) fn leave_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// Whether the client may be sending what nobody will read.
    pub(super) fn is_unread(&self) -> bool {
        let half_head = self.head_since.load(Ordering::Relaxed) != 0;
        !self.http2 && (half_head || self.unread.load(Ordering::Relaxed))
    }

    /// The connection was asked to end.
    pub(super) fn finishing(&self) {
        self.since(&self.finishing_since);
    }

    /// Our side of the socket is closed.
    pub(super) fn closing(&self) {
        self.since(&self.closing_since);
    }

    /// What the connection waits for, and until when; None while a request runs.
    pub(super) fn wait(&self, settings: &ListenerSettings) -> Option<(Wait, u64)> {
        let set = |time: &AtomicU64| Some(time.load(Ordering::Relaxed)).filter(|&since| since != 0);
        if let Some(since) = set(&self.closing_since) {
            return Some((Wait::Goodbye, since + millis(settings.linger)));
        }
        if let Some(since) = set(&self.write_since) {
            return Some((Wait::Write, since + millis(settings.write_idle)));
        }
        if self.windows.load(Ordering::Acquire) > 0 {
            let since = self.window_since.load(Ordering::Relaxed);
            return Some((Wait::Write, since + millis(settings.write_idle)));
        }
        if self.open.load(Ordering::Acquire) > 0 {
            return None;
        }
        if let Some(since) = set(&self.head_since) {
            return Some((Wait::Header, since + millis(settings.header_read)));
        }
        if let Some(since) = set(&self.finishing_since) {
            let since = since.max(self.idle_since.load(Ordering::Relaxed));
            return Some((Wait::Goodbye, since + millis(settings.linger)));
        }
        Some((Wait::Request, self.idle_until(settings)))
    }

    /// Until when the connection may stay without a request, if it has none.
    pub(super) fn idle_until(&self, settings: &ListenerSettings) -> u64 {
        self.idle_since.load(Ordering::Relaxed) + millis(settings.keep_alive_idle)
    }

    /// When to look again at a connection with a running request.
    pub(super) fn recheck_at(&self, settings: &ListenerSettings) -> u64 {
        self.now() + millis(settings.keep_alive_idle)
    }

    /// The point in time that `time` stands for.
    pub(super) fn instant(&self, time: u64) -> Instant {
        self.start + Duration::from_millis(time)
    }

    fn since(&self, time: &AtomicU64) {
        if time.load(Ordering::Relaxed) == 0 {
            time.store(self.now(), Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// Rounded up, so that no limit strikes early.
    fn at(&self, instant: Instant) -> u64 {
        millis(instant.saturating_duration_since(self.start)) + 1
    }
}

/// What a connection may wait for only so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// The next request.
    Request,
    /// The rest of a header block.
    Header,
    /// The client to take some of the answer.
    Write,
    /// The client to close after we did, or, on HTTP/2, to take note that we will.
    Goodbye,
}

/// A request that is not wholly answered.
#[derive(Debug)]
pub(super) struct OpenRequest {
    facts: Arc<Facts>,
    /// Whether a piece of the answer waits for the client's window (HTTP/2; on HTTP/1.1 the socket tells).
    held: bool,
}

impl OpenRequest {
    /// A piece of the answer was handed over to the connection.
    pub(super) fn piece_handed_over(&mut self) {
        if self.facts.http2 && !self.held {
            self.held = true;
            if self.facts.windows.fetch_add(1, Ordering::AcqRel) == 0 {
                self.facts.window_since.store(self.facts.now(), Ordering::Relaxed);
            }
        }
    }

    /// The connection asks for the next piece, so the client took the last one.
    pub(super) fn piece_wanted(&mut self) {
        if self.held {
            self.held = false;
            self.facts.window_since.store(self.facts.now(), Ordering::Relaxed);
            self.facts.windows.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.piece_wanted();
        self.facts.idle_since.store(self.facts.now(), Ordering::Relaxed);
        self.facts.open.fetch_sub(1, Ordering::AcqRel);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4)
}
