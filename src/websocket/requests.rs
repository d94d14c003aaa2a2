//! One request, from its frame to its answer.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use tracing::Instrument as _;
use uuid::Uuid;

use super::actions::subscriptions;
use super::codec::Encoding;
use super::envelope::{self, Request};
use super::push::Push;
use super::reply::Reply;
use super::schema::Action;
use super::session::Turn;
use super::socket::Kind;
use super::{Hub, authenticate};
use crate::auth::{Identity, Proven};
use crate::error::Error;
use crate::service::Hold;
use crate::telemetry::{self, Metric};

/// The name of a frame in metrics whose action could not be read.
const UNREAD: &str = "none";

/// What came in a frame.
pub(super) enum Arrived {
    /// A request that is to be carried out.
    Request(Box<Request>),
    /// One that has its answer already: it is no request, or one too many.
    Answered(Answer),
}

/// A frame that answers a request.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) kind: Kind,
    pub(super) bytes: Bytes,
}

/// A request that is carried out.
pub(super) type Running = Pin<Box<dyn Future<Output = Done> + Send>>;

/// A request that was carried out.
pub(super) struct Done {
    pub(super) answer: Answer,
    /// What releases the claim that the request made, where its answer cannot be written.
    pub(super) hold: Option<Hold>,
    pub(super) then: Then,
}

/// What an answer brings with it, once it is queued.
pub(super) enum Then {
    Nothing,
    /// The client has proved who it is.
    Authenticated(Proven),
    /// Messages are pushed from now on.
    Subscribed(Box<Push>),
}

impl From<Kind> for Encoding {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Json,
            Kind::Binary => Self::MessagePack,
        }
    }
}

impl From<Encoding> for Kind {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Json => Self::Text,
            Encoding::MessagePack => Self::Binary,
        }
    }
}

impl From<&Reply> for Answer {
    fn from(reply: &Reply) -> Self {
        Self { kind: reply.encoding().into(), bytes: reply.encode() }
    }
}

/// Reads a frame: what it asks for, and how it stands to the others of its connection.
pub(super) fn arrive(hub: &Hub, kind: Kind, frame: Bytes, in_time: bool) -> (Turn, Arrived) {
    let request = match envelope::decode(kind.into(), frame, hub.actions.offer()) {
        Ok(request) => request,
        Err(reply) => {
            count(UNREAD, &reply);
            return (turn(reply.has_id()), Arrived::Answered(Answer::from(&*reply)));
        }
    };
    let turn = match request.action() {
        Action::Authenticate => Turn::Barrier,
        _ => turn(request.has_id()),
    };
    if in_time {
        return (turn, Arrived::Request(Box::new(request)));
    }
    let reply = Reply::refused(&request, StatusCode::TOO_MANY_REQUESTS, "Too many requests.");
    count(request.action().name(), &reply);
    (turn, Arrived::Answered(Answer::from(&reply)))
}

fn turn(has_id: bool) -> Turn {
    if has_id { Turn::Free } else { Turn::Ordered }
}

/// Begins to carry out a request. `who` is who the client proved to be when it began.
pub(super) fn carry_out(
    hub: &Arc<Hub>,
    connection: Uuid,
    who: Option<Arc<Identity>>,
    request: Box<Request>,
) -> Running {
    let hub = hub.clone();
    let span = telemetry::request_span(&telemetry::request_id(), "WEBSOCKET");
    span.record(telemetry::HTTP_ROUTE, request.action().name());
    let observed = async move {
        let work = Unwinding(Box::pin(answer(&hub, connection, who, &request)));
        let (mut reply, then) =
            work.await.unwrap_or_else(|| (Reply::failure(&request, &Error::Internal), Then::Nothing));
        count(request.action().name(), &reply);
        tracing::debug!(websocket.status = reply.status().as_u16(), connection.id = %connection, "answered");
        Done { answer: Answer::from(&reply), hold: reply.take_hold(), then }
    };
    Box::pin(observed.instrument(span))
}

async fn answer(hub: &Hub, connection: Uuid, who: Option<Arc<Identity>>, request: &Request) -> (Reply, Then) {
    if request.action() == Action::Authenticate {
        return authenticate::answer(hub, request).await;
    }
    let identity = match authenticate::caller(hub, who, request) {
        Ok(identity) => identity,
        Err(words) => return (Reply::refused(request, StatusCode::FORBIDDEN, words), Then::Nothing),
    };
    identity.note();
    match request.action() {
        Action::SubscriptionCreate => subscriptions::create(hub, connection, &identity, request).await,
        _ => (hub.actions.perform(&identity, request).await, Then::Nothing),
    }
}

fn count(action: &'static str, reply: &Reply) {
    telemetry::count(Metric::WebSocketRequests, &[action, reply.status().as_str()], 1);
}

/// Work whose panic costs nothing but its own answer: `None` where it panicked. The panic itself is in the log.
struct Unwinding<F>(Pin<Box<F>>);

impl<F: Future> Future for Unwinding<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // What the work leaves behind half-done is its own; the stores keep theirs in order by themselves.
        match std::panic::catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Some),
            Err(_) => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_its_own_answer_only() {
        let good = Unwinding(Box::pin(async { 1 }));
        let bad = Unwinding(Box::pin(async {
            tokio::task::yield_now().await;
            assert_eq!(1, 2, "on purpose");
        }));
        assert_eq!(good.await, Some(1));
        assert_eq!(bad.await, None);
    }
}
