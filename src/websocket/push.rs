//! Messages that are pushed to one connection: its subscriptions, each a cursor in a queue.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::leases::Lease;
use super::pushed;
use super::socket::{Kind, Socket};
use crate::error::Result;
use crate::service::{Batch, Followed, Follower, FrameShape};
use crate::telemetry::{self, Metric};
use crate::wake::Key;

/// A subscription of a connection, with where it is in its queue.
pub(super) struct Push {
    /// Whether frames carry `id` and `marker`.
    marked: bool,
    lease: Lease,
    state: State,
}

/// Waits for more, and gives the follower back with it.
type Next = Pin<Box<dyn Future<Output = (Box<Follower>, Result<Batch>)> + Send>>;

enum State {
    Waiting(Next),
    /// So many of these are sent.
    Sending(Box<Follower>, Batch, usize),
    /// Between two states.
    Moving,
}

/// What became of a push when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It waits, for messages or for room.
    Waits,
    Moved,
    /// The subscription is gone.
    Over,
    /// Its queue cannot be followed any longer.
    Failed,
}

impl Push {
    /// Pushes what that follower gives.
    pub(super) fn new(marked: bool, lease: Lease, follower: Follower) -> Self {
        Self { marked, lease, state: State::Waiting(next(Box::new(follower))) }
    }

    /// The queue.
    pub(super) fn place(&self) -> &Key {
        self.lease.place()
    }

    fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        kind: Kind,
        room: usize,
        socket: &mut Socket<S>,
        cx: &mut Context<'_>,
    ) -> Step {
        if self.lease.poll_gone(cx).is_ready() {
            return Step::Over;
        }
        match std::mem::replace(&mut self.state, State::Moving) {
            State::Waiting(mut next) => match next.as_mut().poll(cx) {
                Poll::Pending => {
                    self.state = State::Waiting(next);
                    Step::Waits
                }
                Poll::Ready((follower, Ok(batch))) => {
                    self.state = State::Sending(follower, batch, 0);
                    Step::Moved
                }
                Poll::Ready((_, Err(error))) => {
                    tracing::error!(error.cause = ?error, queue.name = %self.place().1, "a push ended");
                    Step::Failed
                }
            },
            State::Sending(follower, batch, sent) => {
                let more = self.send(&batch[sent..], kind, room, socket);
                let done = sent + more == batch.len();
                self.state = if done {
                    State::Waiting(next(follower))
                } else {
                    State::Sending(follower, batch, sent + more)
                };
                if done { Step::Moved } else { Step::Waits }
            }
            State::Moving => Step::Failed,
        }
    }

    /// Queues as many frames as there is room for: how many.
    fn send<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        messages: &[Followed],
        kind: Kind,
        room: usize,
        socket: &mut Socket<S>,
    ) -> usize {
        let mut sent = 0;
        for followed in messages {
            if socket.queued() >= room {
                break;
            }
            socket.send(kind, self.frame(followed, kind));
            sent += 1;
        }
        telemetry::count(Metric::WebSocketPushes, &[], sent as u64);
        sent
    }

    fn frame(&self, followed: &Followed, kind: Kind) -> bytes::Bytes {
        let shape = match (kind, self.marked) {
            (Kind::Text, false) => FrameShape::Json,
            (Kind::Text, true) => FrameShape::JsonMarked,
            (Kind::Binary, false) => FrameShape::MessagePack,
            (Kind::Binary, true) => FrameShape::MessagePackMarked,
        };
        followed.frame(shape, |followed| {
            let marker = self.marked.then_some(followed.marker.as_str());
            pushed(&self.place().1, &followed.message, marker, kind.into())
        })
    }
}

fn next(mut follower: Box<Follower>) -> Next {
    Box::pin(async move {
        let batch = follower.next().await;
        (follower, batch)
    })
}

/// All subscriptions of one connection.
pub(super) struct Pushes {
    active: Vec<Push>,
    /// How frames are written: as the last request that began a push was.
    kind: Kind,
    /// Whether one of them failed.
    pub(super) failed: bool,
}

impl Default for Pushes {
    fn default() -> Self {
        Self { active: Vec::new(), kind: Kind::Text, failed: false }
    }
}

impl Pushes {
    /// One more. From now on all frames are of that kind. An earlier one from the same queue is over, for a connection
    /// has one subscription to a queue, even if that has not come round yet.
    pub(super) fn begin(&mut self, push: Push, kind: Kind) {
        self.kind = kind;
        self.keep(|place| place != push.place());
        // Most connections have one.
        self.active.reserve_exact(1);
        self.active.push(push);
    }

    /// Queues what is there to be pushed, as long as fewer than `room` bytes are queued: whether something moved.
    pub(super) fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        room: usize,
        socket: &mut Socket<S>,
        cx: &mut Context<'_>,
    ) -> bool {
        let (mut place, mut moved) = (0, false);
        while let Some(push) = self.active.get_mut(place) {
            let mut step = push.poll(self.kind, room, socket, cx);
            while step == Step::Moved && socket.queued() < room {
                moved = true;
                step = push.poll(self.kind, room, socket, cx);
            }
            self.failed |= step == Step::Failed;
            if matches!(step, Step::Over | Step::Failed) {
                drop(self.active.swap_remove(place));
            } else {
                moved |= step == Step::Moved;
                place += 1;
            }
        }
        // Whoever comes last had the least room; next time it comes first.
        if !self.active.is_empty() {
            self.active.rotate_left(1);
        }
        moved
    }

    /// Ends those from queues that are not to be kept.
    pub(super) fn keep(&mut self, keeps: impl Fn(&Key) -> bool) {
        self.active.retain(|push| keeps(push.place()));
    }

    /// Ends them all.
    pub(super) fn end(&mut self) {
        self.active.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::task::TaskTracker;
    use uuid::Uuid;

    use super::*;
    use crate::clock::Clock;
    use crate::model::{ClientId, Metadata, ProjectId, QueueName};
    use crate::service::vault::Vault;
    use crate::service::{Context as Caller, Service, Settings, Start, Subscriber};
    use crate::storage::Stores;
    use crate::storage::memory::{MemoryManagement, MemoryStore};
    use crate::websocket::leases::Leases;

    #[tokio::test]
    async fn who_subscribes_again_is_pushed_nothing_twice() {
        let stores =
            Stores { management: Arc::new(MemoryManagement::new()), data: Arc::new(MemoryStore::new()) };
        let (vault, tasks) = (Vault::new(None, &[], "AES256"), TaskTracker::new());
        let service = Service::new(Settings::default(), stores, Clock::system(), vault, tasks.clone());
        let (leases, mut pushes) = (Leases::new(service.clone(), tasks), Pushes::default());
        let caller = Caller::internal(ProjectId::new("p"), ClientId::new("c"));
        for name in ["a", "b", "a"] {
            let name = QueueName::parse(name).unwrap();
            // As if the first one had been ended by somebody else.
            let subscriber = Subscriber::Connection(Uuid::new_v4());
            let made = service.subscribe(&caller, &name, subscriber, None, Metadata::new()).await.unwrap();
            let follower = service.follow(&caller, &name, Start::Now).await.unwrap();
            let lease = leases.hold(&caller.project, &name, made, None);
            pushes.begin(Push::new(false, lease, follower), Kind::Text);
        }
        let names = |pushes: &Pushes| {
            pushes.active.iter().map(|push| push.place().1.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&pushes), ["b", "a"]);
        pushes.keep(|(_, name)| name.as_str() == "b");
        assert_eq!(names(&pushes), ["b"]);
    }
}
