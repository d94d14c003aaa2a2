//! One connection that concurrent calls share: commands go out in the order they come, answers come back in it.
//!
//! Callers put their bytes straight into the outgoing buffer; one task writes whatever has gathered there and
//! hands out answers. It knows which commands it took into a write and which it did not, so that of a broken
//! connection's calls each can be told whether its command may have been carried out.

mod driver;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use redis::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use super::error::Cause;
use super::resp::Reply;
use driver::Driver;

/// What may be queued or unanswered on one connection, in KiB of commands, each counted as one more than it has:
/// calls beyond it wait, until their deadline. A slow server so trips time-outs and takes no memory.
const ROOM: u32 = 16 * 1024;

/// A byte stream to a server.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Commands that go out together.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    /// Sent before the command, its answer ignored.
    pub(super) before: Option<&'a redis::Cmd>,
    pub(super) command: &'a redis::Cmd,
    /// Sent after the command, its answer told beside the command's.
    pub(super) after: Option<&'a redis::Cmd>,
}

impl<'a> Request<'a> {
    pub(super) fn new(command: &'a redis::Cmd) -> Self {
        Self { before: None, command, after: None }
    }
}

/// The answers to a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) reply: Reply,
    pub(super) after: Option<Reply>,
}

/// Why a request has no answer.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The server has surely not seen it.
    NotSent(Cause),
    /// The connection broke; the server may have carried it out.
    Lost(Cause),
    /// The deadline passed; the server may have carried it out, or may yet do so.
    Late,
}

/// The callers' end of a connection. The connection ends when this is dropped.
pub(super) struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    room: Arc<Semaphore>,
}

struct State {
    out: Vec<u8>,
    waiting: VecDeque<Waiter>,
    /// How many waiters, from the back, have their commands in `out`.
    unsent: usize,
    /// When the server last answered anything.
    answered: Instant,
    dead: Option<Cause>,
    driver: Option<Waker>,
    /// Takes everything that the server says, where nobody waits for answers.
    listener: Option<mpsc::UnboundedSender<Reply>>,
}

struct Waiter {
    sender: oneshot::Sender<Result<Answer, Failure>>,
    /// An answer to be ignored comes first.
    before: bool,
    /// An answer follows the command's.
    after: bool,
    reply: Option<Reply>,
    _room: OwnedSemaphorePermit,
}

impl Shared {
    /// No holder panics; and if one did, each field would still be sound by itself.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection: every caller is told, and whether its command was sent.
    fn kill(&self, cause: &Cause) {
        let (waiting, unsent) = {
            let mut state = self.lock();
            if state.dead.is_some() {
                return;
            }
            state.dead = Some(cause.clone());
            state.out = Vec::new();
            state.listener = None;
            if let Some(waker) = state.driver.take() {
                waker.wake();
            }
            (std::mem::take(&mut state.waiting), state.unsent)
        };
        self.room.close();
        let sent = waiting.len() - unsent;
        for (index, waiter) in waiting.into_iter().enumerate() {
            let failure = if index < sent { Failure::Lost } else { Failure::NotSent };
            let failure = failure(cause.clone());
            // A caller that gave up is no longer interested.
            let _ = waiter.sender.send(Err(failure));
        }
    }
}

impl Link {
    /// Takes a connected stream into use.
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        let state = State {
            out: Vec::new(),
            waiting: VecDeque::new(),
            unsent: 0,
            answered: Instant::now(),
            dead: None,
            driver: None,
            listener: None,
        };
        let room = Arc::new(Semaphore::new(ROOM as usize));
        let shared = Arc::new(Shared { state: Mutex::new(state), room });
        // The task ends with the link, so nobody needs to wait for it.
        TaskTracker::new().spawn(Driver::new(Arc::clone(&shared), stream).run());
        Self { shared }
    }

    /// False once the connection has ended.
    pub(super) fn is_alive(&self) -> bool {
        !self.shared.room.is_closed()
    }

    /// Sends the request and waits for its answer until the deadline. A connection on which nothing at all was
    /// answered meanwhile is taken for dead.
    pub(super) async fn exchange(&self, request: Request<'_>, deadline: Instant) -> Result<Answer, Failure> {
        let start = Instant::now();
        let Ok(answer) = timeout_at(deadline, self.send(request)).await else {
            self.suspect(start);
            return Err(Failure::Late);
        };
        answer
    }

    async fn send(&self, request: Request<'_>) -> Result<Answer, Failure> {
        let room = self.room(request).await?;
        let receiver = self.push(request, room)?;
        let gone = || Failure::Lost(Cause::new("the connection was dropped"));
        receiver.await.unwrap_or_else(|_| Err(gone()))
    }

    async fn room(&self, request: Request<'_>) -> Result<OwnedSemaphorePermit, Failure> {
        let bytes: usize = request.command.args_iter().map(|argument| length(&argument)).sum();
        let wanted = u32::try_from(bytes / 1024 + 1).unwrap_or(ROOM).min(ROOM);
        let permit = Arc::clone(&self.shared.room).acquire_many_owned(wanted).await;
        permit.map_err(|_| Failure::NotSent(self.cause()))
    }

    fn push(
        &self,
        request: Request<'_>,
        room: OwnedSemaphorePermit,
    ) -> Result<oneshot::Receiver<Result<Answer, Failure>>, Failure> {
        let (sender, receiver) = oneshot::channel();
        let (before, after) = (request.before.is_some(), request.after.is_some());
        let waker = {
            let mut state = self.shared.lock();
            if let Some(cause) = &state.dead {
                return Err(Failure::NotSent(cause.clone()));
            }
            for command in [request.before, Some(request.command), request.after].into_iter().flatten() {
                command.write_packed_command(&mut state.out);
            }
            state.unsent += 1;
            state.waiting.push_back(Waiter { sender, before, after, reply: None, _room: room });
            state.driver.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(receiver)
    }

    /// Ends a connection that has answered nothing since `start`.
    fn suspect(&self, start: Instant) {
        if self.shared.lock().answered <= start {
            self.end("the server does not answer");
        }
    }

    /// Asks whether the other end is still there, until that time; a connection that does not answer ends.
    pub(super) async fn check(&self, deadline: Instant) {
        let ping = redis::cmd("PING");
        let _ = self.exchange(Request::new(&ping), deadline).await;
    }

    /// Ends the connection, with the reason that its callers are told.
    pub(super) fn end(&self, why: &str) {
        self.shared.kill(&Cause::new(why));
    }

    /// From here on the server speaks when it likes: all that it says comes here, until the connection ends.
    pub(super) fn listen(&self) -> mpsc::UnboundedReceiver<Reply> {
        let (listener, said) = mpsc::unbounded_channel();
        let mut state = self.shared.lock();
        if state.dead.is_none() {
            state.listener = Some(listener);
        }
        said
    }

    /// Sends a command on a connection that is listened to.
    pub(super) fn tell(&self, command: &redis::Cmd) {
        let mut state = self.shared.lock();
        if state.dead.is_some() {
            return;
        }
        command.write_packed_command(&mut state.out);
        if let Some(waker) = state.driver.take() {
            waker.wake();
        }
    }

    /// Why the connection ended.
    pub(super) fn cause(&self) -> Cause {
        let state = self.shared.lock();
        state.dead.clone().unwrap_or_else(|| Cause::new("the connection has ended"))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.end("the connection was closed");
    }
}

fn length(argument: &redis::Arg<&[u8]>) -> usize {
    match argument {
        redis::Arg::Simple(bytes) => bytes.len(),
        _ => 0,
    }
}

type Done = (oneshot::Sender<Result<Answer, Failure>>, Answer);

impl State {
    /// Gives an answer to the first who waits; returns the caller whose answers are complete.
    fn accept(&mut self, reply: Reply) -> Result<Option<Done>, Cause> {
        if let Some(listener) = &self.listener {
            // Who stopped listening ends the connection.
            let _ = listener.send(reply);
            return Ok(None);
        }
        let unasked = || Cause::new("an answer without a question");
        if self.waiting.len() == self.unsent {
            return Err(unasked());
        }
        let waiter = self.waiting.front_mut().ok_or_else(unasked)?;
        if std::mem::take(&mut waiter.before) {
            return Ok(None);
        }
        if waiter.after && waiter.reply.is_none() {
            waiter.reply = Some(reply);
            return Ok(None);
        }
        let waiter = self.waiting.pop_front().ok_or_else(unasked)?;
        let answer = match waiter.reply {
            Some(first) => Answer { reply: first, after: Some(reply) },
            None => Answer { reply, after: None },
        };
        Ok(Some((waiter.sender, answer)))
    }
}

/// The value as text, where it is some.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        Value::Okay => Some("OK"),
        _ => None,
    }
}
