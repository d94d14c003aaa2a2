//! Calls to a Redis deployment: one server, the master that Sentinels name, or the masters of a Cluster.
//!
//! * Concurrent calls share a few pipelined connections ([`link`]).
//! * A call has one deadline for all it needs: connecting, waiting for room, the answer. Whatever becomes of
//!   Redis, the caller has an answer or an error by then.
//! * A command that may have reached a server is never sent again. One that surely did not (no connection, a
//!   connection that broke before it was written) or that was surely not carried out (`MOVED`, `READONLY`,
//!   `LOADING`, …: [`refusal`]) is tried again until the deadline while an outage is younger than that; in a
//!   longer one calls fail at once between the attempts to connect.
//! * Where servers change ([`sentinel`], [`cluster`]), any failure makes the next call look for the current ones.
//! * One warning is logged when an outage begins, one line when it is over ([`trouble`]).

mod cluster;
mod error;
mod link;
mod listening;
mod profile;
mod refusal;
mod resp;
mod route;
mod sentinel;
mod server;
mod slots;
mod tls;
mod trouble;

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::TaskTracker;

use error::Cause;
pub use error::OpenError;
pub(super) use error::{CallError, ServerError};
pub(super) use listening::Listening;

use link::{Answer, Failure, Request};
use route::{Route, Turn};
use server::{Server, Unreached};

use super::uri::{Confirmation, Uri};

/// The longest pause between two attempts to connect, whatever is configured: an outage's end is noticed soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The pause before a call's third attempt, doubled with each one after it.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// How often a command follows a redirection.
const MAX_TURNS: u32 = 5;

/// Between two looks at idle connections and at the Sentinels.
const CHECK: Duration = Duration::from_secs(1);

/// The options of `[drivers:message_store:redis]` beside the URI.
#[derive(Clone, Debug)]
pub struct Options {
    /// Attempts to connect that one call makes within its deadline; at least one.
    pub max_reconnect_attempts: u32,
    /// The longest pause between two attempts; more than a second counts as one.
    pub reconnect_sleep: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_reconnect_attempts: 10, reconnect_sleep: LONGEST_PAUSE }
    }
}

impl Options {
    /// As the configuration has them: attempts, and seconds between the first two, which the Python service doubles
    /// with each one. Here a call never waits beyond its deadline, so both are only bounds.
    pub fn new(max_reconnect_attempts: u32, reconnect_sleep: f64) -> Self {
        let sleep = Duration::try_from_secs_f64(reconnect_sleep).unwrap_or(LONGEST_PAUSE);
        Self { max_reconnect_attempts, reconnect_sleep: sleep.min(LONGEST_PAUSE) }
    }

    fn longest_pause(&self) -> Duration {
        self.reconnect_sleep.min(LONGEST_PAUSE)
    }
}

/// A deployment. Clones share its connections.
#[derive(Clone)]
pub(super) struct Connection(Arc<Inner>);

struct Inner {
    route: Route,
    timeout: Duration,
    attempts: u32,
    confirm: Option<(Confirmation, Cmd)>,
    asking: Cmd,
}

/// To whom a command goes.
#[derive(Clone, Copy)]
enum To<'a> {
    /// Whoever has the key.
    Key(&'a [u8]),
    /// That server.
    Server(&'a Arc<Server>),
}

impl Connection {
    /// Prepares the connections; none is made before the first call. Fails only for what an operator must mend.
    #[expect(clippy::unused_async, reason = "certificates may come from elsewhere one day")]
    pub(super) async fn open(uri: &Uri, options: &Options) -> Result<Self, OpenError> {
        let inner = Arc::new(Inner {
            route: Route::new(uri, options)?,
            timeout: uri.timeout,
            attempts: options.max_reconnect_attempts.max(1),
            confirm: uri.confirmation.map(|wanted| (wanted, wait(wanted))),
            asking: redis::cmd("ASKING"),
        });
        // Ends by itself once the last clone is gone.
        TaskTracker::new().spawn(look_after(Arc::downgrade(&inner)));
        Ok(Self(inner))
    }

    /// Sends a command to the server that has the key. An error that the server answers is an error here.
    pub(super) async fn call(&self, key: &[u8], command: &Cmd) -> Result<Value, CallError> {
        Ok(self.0.run(To::Key(key), Request::new(command)).await?.reply?)
    }

    /// The same for a write: where the URI has `wait_replicas`, it is acknowledged only once so many have it.
    pub(super) async fn call_confirmed(&self, key: &[u8], command: &Cmd) -> Result<Value, CallError> {
        let Some((wanted, wait)) = &self.0.confirm else { return self.call(key, command).await };
        let request = Request { after: Some(wait), ..Request::new(command) };
        let answer = self.0.run(To::Key(key), request).await?;
        let value = answer.reply?;
        let confirmed = match answer.after {
            Some(Ok(Value::Int(replicas))) => replicas,
            // The server was put down while it waited.
            Some(Err(error)) if error.code == "UNBLOCKED" => 0,
            Some(Err(error)) => return Err(error.into()),
            _ => 0,
        };
        if confirmed < i64::from(wanted.replicas) {
            return Err(CallError::Unconfirmed { confirmed, wanted: wanted.replicas });
        }
        Ok(value)
    }

    /// The server that has the key.
    pub(super) async fn node(&self, key: &[u8]) -> Result<Node, CallError> {
        let server = self.0.route.server(key, Instant::now() + self.0.timeout).await;
        let server = server.map_err(|unreached| CallError::Unavailable(unreached.cause))?;
        Ok(Node { connection: self.clone(), server })
    }

    /// Says that a server may not have what it had: the current ones are looked for before the next call.
    pub(super) fn doubt(&self) {
        self.0.route.doubt();
    }

    /// Whether keys lie on several servers.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.0.route, Route::Cluster(_))
    }

    /// The longest that a call takes.
    pub(super) fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// The servers that take writes: one, or the masters of a Cluster.
    pub(super) async fn masters(&self) -> Result<Vec<Node>, CallError> {
        let servers = self.0.route.servers(Instant::now() + self.0.timeout).await;
        let servers = servers.map_err(|unreached| CallError::Unavailable(unreached.cause))?;
        Ok(servers.into_iter().map(|server| Node { connection: self.clone(), server }).collect())
    }
}

/// One server of a deployment, for what concerns it alone (`SCAN`, `FUNCTION LOAD`, `INFO`).
#[derive(Clone)]
pub(super) struct Node {
    connection: Connection,
    server: Arc<Server>,
}

impl Node {
    /// Sends a command to this server.
    pub(super) async fn call(&self, command: &Cmd) -> Result<Value, CallError> {
        Ok(self.connection.0.run(To::Server(&self.server), Request::new(command)).await?.reply?)
    }
}

/// What came of one attempt.
enum Tried {
    Answer(Answer),
    /// Nothing was carried out.
    Not(Turn),
}

impl Inner {
    /// The loop of one call: only what surely was not carried out comes round again.
    async fn run(&self, to: To<'_>, request: Request<'_>) -> Result<Answer, CallError> {
        let deadline = Instant::now() + self.timeout;
        let (mut attempts, mut turns, mut other) = (0, 0, None);
        loop {
            let unreached = match self.attempt(to, other.take(), request, deadline).await? {
                Tried::Answer(answer) => return Ok(answer),
                Tried::Not(Turn::Other { server, asking }) if turns < MAX_TURNS => {
                    turns += 1;
                    other = Some((server, asking));
                    continue;
                }
                Tried::Not(Turn::Other { .. }) => {
                    Unreached::now(Cause::new("no server calls the slot its own"))
                }
                Tried::Not(Turn::Again(unreached)) => unreached,
            };
            turns = 0;
            let retry = unreached.retry.max(Instant::now() + pause(attempts));
            attempts += 1;
            if attempts >= self.attempts || unreached.age > self.timeout || retry >= deadline {
                return Err(CallError::Unavailable(unreached.cause));
            }
            sleep_until(retry).await;
        }
    }

    /// Sends the command once: to `other`, else to whom it is for. Errs where it may have been carried out.
    async fn attempt(
        &self,
        to: To<'_>,
        other: Option<(Arc<Server>, bool)>,
        request: Request<'_>,
        deadline: Instant,
    ) -> Result<Tried, CallError> {
        let asking = other.as_ref().is_some_and(|(_, asking)| *asking);
        let request = Request { before: asking.then_some(&self.asking), ..request };
        let found = match (other, to) {
            (Some((server, _)), _) => Ok(server),
            (None, To::Server(server)) => Ok(Arc::clone(server)),
            (None, To::Key(key)) => self.route.server(key, deadline).await,
        };
        let server = match found {
            Ok(server) => server,
            Err(unreached) => return Ok(Tried::Not(Turn::Again(unreached))),
        };
        match server.exchange(request, deadline).await {
            Err(unreached) => {
                self.route.doubt();
                Ok(Tried::Not(Turn::Again(unreached)))
            }
            Ok(Err(failure)) => {
                self.route.doubt();
                Err(match failure {
                    Failure::Late => CallError::Timeout(self.timeout),
                    Failure::Lost(cause) | Failure::NotSent(cause) => CallError::Unavailable(cause),
                })
            }
            Ok(Ok(answer)) => Ok(self.judge(&server, answer)),
        }
    }

    /// An answer that says that nothing was carried out is none.
    fn judge(&self, server: &Server, answer: Answer) -> Tried {
        if let Err(error) = &answer.reply
            && let Some(turn) = self.route.turn(server, error)
        {
            return Tried::Not(turn);
        }
        server.trouble.ended(&server.place);
        Tried::Answer(answer)
    }
}

/// Before another attempt: none, then doubled each time.
fn pause(attempts: u32) -> Duration {
    match attempts {
        0 => Duration::ZERO,
        more => FIRST_PAUSE * 2_u32.saturating_pow(more - 1),
    }
}

/// Every second, for as long as the connection is used.
async fn look_after(connection: Weak<Inner>) {
    loop {
        sleep(CHECK).await;
        let Some(connection) = connection.upgrade() else { return };
        connection.route.check().await;
    }
}

/// The command that waits for replicas.
fn wait(wanted: Confirmation) -> Cmd {
    let mut wait = redis::cmd("WAIT");
    wait.arg(wanted.replicas).arg(u64::try_from(wanted.timeout.as_millis()).unwrap_or(u64::MAX));
    wait
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_short_whatever_is_configured() {
        for (seconds, pause) in
            [(0.25, 0.25), (1.0, 1.0), (600.0, 1.0), (f64::NAN, 1.0), (-1.0, 1.0), (1e300, 1.0)]
        {
            let options = Options::new(10, seconds);
            assert_eq!(options.longest_pause(), Duration::from_secs_f64(pause), "{seconds}");
        }
        let pauses: Vec<_> = (0..4).map(|attempts| pause(attempts).as_millis()).collect();
        assert_eq!(pauses, [0, 5, 10, 20]);
        assert!(pause(u32::MAX) > Duration::from_mins(1));
    }
}
