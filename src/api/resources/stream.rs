//! Messages as server-sent events (WHATWG HTML, 9.2), as they come.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response};
use http_body::Frame;
use tokio::time::Instant;

use super::shapes;
use crate::api::dispatch::Call;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{ClientId, QueueName};
use crate::service::{Batch, Followed, Follower, FrameShape, Service, Start};

/// After so long without an event a comment is sent, so that nothing on the way takes the stream for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The pause after which browsers connect again, in milliseconds.
const RETRY: u32 = 2_000;

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Tells nginx, and those who do as it does, to pass on each piece as it comes.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `GET …/messages/stream`
pub(crate) async fn get(call: Call) -> Result<Response<Body>> {
    let queue = call.queue()?.clone();
    let echo = call.query.boolean("echo")?.unwrap_or(true);
    let follower = call.service.follow(&call.context, &queue, start(&call)?).await?;
    let stream = Stream {
        follower,
        queue,
        without: (!echo).then(|| call.context.client.clone()),
        expires: call.expires(),
        service: call.service,
    };
    let mut response = Response::new(Body::new(Events::begin(stream)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, EVENT_STREAM);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

/// Where the stream begins: behind the event that the client saw last, else behind the marker of its first request,
/// which a browser repeats with every new one.
fn start(call: &Call) -> Result<Start> {
    let last = call.headers().get("last-event-id").filter(|id| !id.is_empty());
    let last = last.map(|id| id.to_str().map_err(|_| Error::invalid("Last-Event-ID is no marker.")));
    let marker = last.transpose()?.or(call.query.text("marker"));
    Ok(marker.map_or(Start::Now, |marker| Start::Behind(marker.to_owned())))
}

/// A stream of events between two of them.
struct Stream {
    service: Service,
    follower: Follower,
    queue: QueueName,
    /// Leaves out this client's messages.
    without: Option<ClientId>,
    /// When the caller's proof counts no more.
    expires: Option<Timestamp>,
}

impl Stream {
    /// Tells how long to wait before connecting again, and where to go on if that comes before the first message.
    fn head(&self) -> Bytes {
        format!("retry: {RETRY}\nid: {}\n\n", self.follower.marker()).into()
    }

    /// The next piece, and the stream behind it; `None` at the end: of the caller's proof, of the service, or of what
    /// the client can be given without a new beginning.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let silence = Instant::now() + HEARTBEAT;
        loop {
            let pause = silence.saturating_duration_since(Instant::now());
            let pause = self.left().map_or(pause, |left| left.min(pause));
            let batch = tokio::select! {
                biased;
                () = self.service.waits_ended() => return None,
                batch = self.follower.next() => Some(batch.ok()?),
                () = tokio::time::sleep(pause) => None,
            };
            // Also where the clock and the timer disagree, nothing is given afterwards.
            if self.left() == Some(Duration::ZERO) {
                return None;
            }
            let events = match batch {
                Some(batch) => self.events(&batch),
                None if Instant::now() >= silence => Bytes::from_static(b":\n\n"),
                None => Bytes::new(),
            };
            if !events.is_empty() {
                return Some((events, self));
            }
        }
    }

    /// How long the caller's proof counts yet, if it has an end.
    fn left(&self) -> Option<Duration> {
        self.expires.map(|end| self.service.clock().now().until(end))
    }

    fn events(&self, batch: &Batch) -> Bytes {
        let wanted = batch.iter().filter(|followed| self.without.as_ref() != Some(&followed.client));
        let mut events =
            wanted.map(|followed| followed.frame(FrameShape::Event, |followed| event(&self.queue, followed)));
        let first = events.next().unwrap_or_default();
        // Most come alone, and then what all share is not copied.
        let Some(second) = events.next() else { return first };
        let mut all = [first, second].concat();
        events.for_each(|event| all.extend_from_slice(&event));
        all.into()
    }
}

/// The event of a message: its object, as listings have it, on one line.
fn event(queue: &QueueName, followed: &Followed) -> Bytes {
    let mut event = format!("id: {}\ndata: ", followed.marker).into_bytes();
    // Line breaks stand between the parts of a body only, where a blank says the same.
    let object = shapes::message(crate::api::Version::V2, queue, &followed.message);
    event.extend(object.into_iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
    event.extend_from_slice(b"\n\n");
    event.into()
}

/// The body of the answer.
struct Events {
    head: Option<Bytes>,
    next: Next,
}

/// What [`Stream::next`] gives, on its way.
type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Stream)>> + Send>>;

impl Events {
    fn begin(stream: Stream) -> Self {
        Self { head: Some(stream.head()), next: Box::pin(stream.next()) }
    }
}

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Self::Error>>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        let Some((events, stream)) = ready!(self.next.as_mut().poll(context)) else {
            return Poll::Ready(None);
        };
        self.next = Box::pin(stream.next());
        Poll::Ready(Some(Ok(Frame::data(events))))
    }
}
