//! One request and its answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};
use tower::Service;

use super::Peer;
use super::facts::{Facts, OpenRequest};

/// Why a request body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The client fell silent for longer than `ListenerSettings::body_idle`. Whatever the handler makes of
    /// it, the client is answered 408.
    #[error("no byte of the request body arrived for {} seconds", .0.as_secs())]
    Silent(Duration),
    /// The connection broke, or the body broke the protocol.
    #[error("the request body could not be read")]
    Broken(#[source] hyper::Error),
}

/// Answers one request through the router, and with 408 where its body fell silent.
pub(super) async fn answer(
    mut router: Router,
    facts: Arc<Facts>,
    open: OpenRequest,
    peer: Peer,
    body_idle: Duration,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let version = request.version();
    let (mut parts, incoming) = request.into_parts();
    parts.extensions.insert(peer);
    if incoming.is_end_stream() {
        let answer = router.call(Request::from_parts(parts, axum::body::Body::empty())).await?;
        return Ok(answer.map(|inner| ResponseBody { inner, open }));
    }
    let silent = Arc::new(AtomicBool::new(false));
    let body = RequestBody {
        inner: incoming,
        ended: false,
        facts: Arc::clone(&facts),
        body_idle,
        timer: None,
        silent: Arc::clone(&silent),
    };
    let request = Request::from_parts(parts, axum::body::Body::new(body));
    let mut answer = router.call(request).await?;
    if silent.load(Ordering::Relaxed) {
        answer = request_timeout(version, body_idle);
    } else if facts.is_unread() {
        // The rest may still be on its way, and then the connection ends. A client that is not told would send its
        // next request on it, such as this one again with a new token, and get no answer.
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(answer.map(|inner| ResponseBody { inner, open }))
}

/// In the shape of every error document of the API.
fn request_timeout(version: Version, body_idle: Duration) -> Response<axum::body::Body> {
    let text = format!(
        r#"{{"title": "Request timeout", "description": "No byte of the request body arrived for {} seconds."}}"#,
        body_idle.as_secs()
    );
    let mut answer = Response::new(text.into());
    *answer.status_mut() = StatusCode::REQUEST_TIMEOUT;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if version < Version::HTTP_2 {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// A request body that ends with an error when the client falls silent.
struct RequestBody {
    inner: Incoming,
    ended: bool,
    facts: Arc<Facts>,
    body_idle: Duration,
    /// Made at the first wait: most bodies come together with their header.
    timer: Option<Timer>,
    silent: Arc<AtomicBool>,
}

/// Fires when nothing came for a while. Moments of progress are only noted, the timer moves when it fires.
struct Timer {
    sleep: Pin<Box<Sleep>>,
    progress: Instant,
}

impl Timer {
    fn poll(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let due = self.progress + limit;
            if due <= self.sleep.deadline() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(due);
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            if let Some(timer) = &mut this.timer {
                timer.progress = Instant::now();
            }
            this.ended = frame.is_none();
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)));
        }
        let limit = this.body_idle;
        let timer = this
            .timer
            .get_or_insert_with(|| Timer { sleep: Box::pin(sleep(limit)), progress: Instant::now() });
        ready!(timer.poll(cx, limit));
        this.silent.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(BodyError::Silent(limit))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.ended && !self.inner.is_end_stream() {
            self.facts.leave_unread();
        }
    }
}

/// An answer's body, which keeps its request open until it is handed over.
pub(super) struct ResponseBody {
    inner: axum::body::Body,
    open: OpenRequest,
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.open.piece_wanted();
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if frame.is_some() {
            self.open.piece_handed_over();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
