//! One connection: moves frames, answers and pushes between its socket and the rules of its [`Session`].
//!
//! All of it is one future. Requests are polled inside it, not spawned: an answer costs no task and no channel, and
//! what is ready together leaves in one write.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use uuid::Uuid;

use super::actions::subscriptions;
use super::hub::Seat;
use super::push::Pushes;
use super::requests::{self, Arrived, Done, Running, Then};
use super::session::{Session, Turn};
use super::socket::{End, Incoming, Socket};
use super::{Hub, code};
use crate::auth::Proven;
use crate::server::{Peer, Phase};
use crate::service::Hold;

/// Serves one connection until it is closed. `proven` is who the handshake proved the client to be.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin + Send>(
    hub: Arc<Hub>,
    io: S,
    peer: Option<Peer>,
    proven: Option<Proven>,
    seat: Seat,
) {
    let mut connection = Box::new(Connection::new(hub.clone(), io, proven));
    let address = peer.map(|peer| peer.address);
    tracing::debug!(client.address = ?address, connection.id = %connection.id, "a client connected");
    let ended = {
        let mut timer = pin!(sleep_until(connection.wakes_at));
        let mut next_phase = pin!(hub.stage.after(Phase::Running));
        let mut listening = true;
        std::future::poll_fn(|cx| {
            // Polled once, to be woken; then the phase tells.
            if listening {
                listening = false;
                let _ = next_phase.as_mut().poll(cx);
            }
            connection.poll(timer.as_mut(), cx)
        })
        .await
    };
    connection.leave();
    if ended == End::Closed && hub.stage.phase() < Phase::Closing {
        // A client that does not take part in the goodbye is left without one.
        let _ = timeout(hub.settings.close, connection.goodbye()).await;
    }
    tracing::debug!(client.address = ?address, connection.id = %connection.id, "a client left");
    drop(seat);
}

struct Connection<S> {
    hub: Arc<Hub>,
    id: Uuid,
    socket: Socket<S>,
    session: Session<Arrived>,
    running: Vec<(Turn, Running)>,
    pushes: Pushes,
    /// Claims whose answers are queued: how much must be written until they are.
    holds: VecDeque<(u64, Hold)>,
    /// When the timer fires.
    wakes_at: Instant,
    ping_at: Instant,
    /// Whether a ping was sent, and whether anything came since.
    pinged: bool,
    heard: bool,
    /// Since when the client takes none of what is queued, and how much it had taken then.
    stalled: Option<(Instant, u64)>,
    /// When the client's identity ends.
    expires_at: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new(hub: Arc<Hub>, io: S, proven: Option<Proven>) -> Self {
        let (settings, id) = (&hub.settings, Uuid::new_v4());
        let wakes_at = Instant::now() + settings.ping;
        let mut connection = Self {
            id,
            socket: Socket::new(io, settings.max_message),
            session: Session::new(settings.in_flight, settings.rate, proven),
            running: Vec::new(),
            pushes: Pushes::default(),
            holds: VecDeque::new(),
            wakes_at,
            ping_at: wakes_at,
            pinged: false,
            heard: false,
            stalled: None,
            expires_at: None,
            hub,
        };
        connection.note_expiry();
        connection
    }

    /// Does all that can be done at the moment; ready when the connection is over.
    fn poll(&mut self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            // Pushes first, but only as far as they leave room for answers: neither starves the other.
            let mut moved = self.pushes.poll(self.hub.settings.queued, &mut self.socket, cx);
            moved |= match self.read(cx) {
                Ok(read) => read,
                Err(end) => return Poll::Ready(end),
            };
            moved |= self.work(cx);
            if let Some(end) = self.look_at_limits() {
                return Poll::Ready(end);
            }
            match self.flush(cx) {
                Ok(made_room) => moved |= made_room,
                Err(end) => return Poll::Ready(end),
            }
            if !moved && self.sleep(timer.as_mut(), cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Takes in what the client sent, as far as there is room for it: whether something came.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let mut came = false;
        while self.reads() {
            let Poll::Ready(incoming) = self.socket.poll_next(cx) else { break };
            let incoming = incoming?;
            (came, self.heard) = (true, true);
            if let Incoming::Message(kind, bytes) = incoming {
                let in_time = self.session.keeps_rate(Instant::now());
                let (turn, arrived) = requests::arrive(&self.hub, kind, bytes, in_time);
                self.session.arrive(turn, arrived);
            }
        }
        Ok(came)
    }

    /// Whether anything is read: not while the client leaves its answers lying.
    fn reads(&self) -> bool {
        self.session.wants_more() && self.socket.queued() < self.room()
    }

    /// Begins what may begin and takes the answers of what has finished, until neither goes on.
    fn work(&mut self, cx: &mut Context<'_>) -> bool {
        let mut finished = false;
        loop {
            self.begin();
            if !self.finish(cx) {
                return finished;
            }
            finished = true;
        }
    }

    /// Writes what is queued: whether that made room for what waited for it.
    fn flush(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let before = self.socket.queued();
        match self.socket.poll_flush(cx) {
            Poll::Ready(Ok(())) => self.stalled = None,
            Poll::Ready(Err(_)) => return Err(End::Gone),
            Poll::Pending => {}
        }
        while let Some((_, hold)) = self.holds.pop_front_if(|(end, _)| *end <= self.socket.written()) {
            hold.keep();
        }
        let (after, room) = (self.socket.queued(), self.room());
        Ok((before >= room && after < room) || (before >= room / 2 && after < room / 2))
    }

    /// Bytes that may be queued before nothing more is begun: twice what pushes may fill.
    fn room(&self) -> usize {
        self.hub.settings.queued * 2
    }

    /// Begins what may begin.
    fn begin(&mut self) {
        while self.socket.queued() < self.room() {
            let Some((turn, arrived)) = self.session.next() else { return };
            match arrived {
                Arrived::Answered(answer) => {
                    self.session.finished(turn);
                    self.socket.send(answer.kind, answer.bytes);
                }
                Arrived::Request(request) => {
                    let who = self.session.who().cloned();
                    let running = requests::carry_out(&self.hub, self.id, who, request);
                    self.running.push((turn, running));
                }
            }
        }
    }

    /// Takes the answers of what has finished: whether something has.
    fn finish(&mut self, cx: &mut Context<'_>) -> bool {
        let (mut place, mut finished) = (0, false);
        while let Some((turn, running)) = self.running.get_mut(place) {
            let turn = *turn;
            if let Poll::Ready(done) = running.as_mut().poll(cx) {
                // In their order, for who began first also answers first where several are ready.
                drop(self.running.remove(place));
                self.session.finished(turn);
                self.answer(done);
                finished = true;
            } else {
                place += 1;
            }
        }
        finished
    }

    /// Queues an answer, and then does what it brings with it.
    fn answer(&mut self, done: Done) {
        let sent = self.socket.send(done.answer.kind, done.answer.bytes);
        if let Some(hold) = done.hold.filter(|_| sent) {
            self.holds.push_back((self.socket.written() + self.socket.queued() as u64, hold));
        }
        match done.then {
            Then::Nothing => {}
            Then::Authenticated(proven) => {
                self.pushes.keep(|place| subscriptions::may_go_on(&self.hub, &proven.identity, place));
                self.session.authenticated(proven);
                self.note_expiry();
            }
            Then::Subscribed(push) => {
                // An `authenticate` may have come between.
                let caller = self.session.who();
                if caller.is_none_or(|caller| subscriptions::may_go_on(&self.hub, caller, push.place())) {
                    self.pushes.begin(*push, done.answer.kind);
                }
            }
        }
    }

    fn note_expiry(&mut self) {
        let now = self.hub.service().clock().now();
        self.expires_at = self.session.expires().map(|end| Instant::now() + now.until(end));
    }

    /// Ends what has come to its end.
    fn look_at_limits(&mut self) -> Option<End> {
        let now = Instant::now();
        if self.hub.stage.phase() >= Phase::Draining {
            self.session.drain();
            if self.hub.stage.phase() == Phase::Closing {
                return Some(End::Gone);
            }
            if self.session.is_idle() {
                return Some(self.close(code::GOING_AWAY, "The service is stopping."));
            }
        }
        if self.expires_at.is_some_and(|end| now >= end) {
            if self.session.expire(self.hub.service().clock().now()) {
                return Some(self.close(code::EXPIRED, "Authentication expired."));
            }
            // The service's clock is behind the timer's.
            self.expires_at = Some(now + Duration::from_millis(50));
        }
        if self.pushes.failed {
            return Some(self.close(code::FAILED, "A push cannot go on."));
        }
        if self.is_too_slow(now) {
            return Some(self.close(code::SLOW_READER, "slow reader"));
        }
        self.keep_alive(now)
    }

    fn close(&mut self, code: u16, reason: &'static str) -> End {
        self.socket.close(code, reason);
        End::Closed
    }

    /// Whether the client has taken nothing for too long of what is queued.
    fn is_too_slow(&mut self, now: Instant) -> bool {
        let (queued, written) = (self.socket.queued(), self.socket.written());
        if queued == 0 {
            self.stalled = None;
            return false;
        }
        let (since, before) = *self.stalled.get_or_insert((now, written));
        if before != written {
            self.stalled = Some((now, written));
            return false;
        }
        now >= since + self.patience(queued)
    }

    fn patience(&self, queued: usize) -> Duration {
        let settings = &self.hub.settings;
        if queued < settings.queued { settings.write_idle } else { settings.slow_reader }
    }

    /// Pings the client from time to time; one that left the last ping without any sign of life is gone.
    fn keep_alive(&mut self, now: Instant) -> Option<End> {
        if now < self.ping_at {
            return None;
        }
        // While nothing is read no sign of life can be seen.
        if self.pinged && !self.heard && self.reads() {
            return Some(End::Gone);
        }
        self.socket.ping();
        (self.pinged, self.heard) = (true, false);
        self.ping_at = now + self.hub.settings.ping;
        None
    }

    /// Sleeps until something is due; ready when it is, or when there is more to write at once.
    fn sleep(&mut self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
        let stalled = self.stalled.map(|(since, _)| since + self.patience(self.socket.queued()));
        let due = [self.expires_at, stalled].into_iter().flatten().fold(self.ping_at, Instant::min);
        if due < self.wakes_at {
            self.wakes_at = due;
            timer.as_mut().reset(due);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if due <= self.wakes_at {
                self.wakes_at = Instant::now() + self.hub.settings.ping;
                timer.as_mut().reset(self.wakes_at);
                return Poll::Ready(());
            }
            self.wakes_at = due;
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }

    /// Gives up what runs and is subscribed.
    fn leave(&mut self) {
        self.running.clear();
        self.pushes.end();
    }

    /// The closing handshake, as far as the client takes part in it.
    async fn goodbye(&mut self) {
        let flushed = std::future::poll_fn(|cx| {
            loop {
                match self.socket.poll_next(cx) {
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(_)) => return self.socket.poll_flush(cx),
                    Poll::Pending => match self.socket.poll_flush(cx) {
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Ready(Ok(())) | Poll::Pending => return Poll::Pending,
                    },
                }
            }
        })
        .await;
        if flushed.is_ok() {
            let _ = std::future::poll_fn(|cx| self.socket.poll_shutdown(cx)).await;
        }
    }
}
