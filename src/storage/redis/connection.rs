//! Calls to a Redis deployment: one server, the master that Sentinels name, or the masters of a Cluster.
//!
//! * Concurrent calls share a few pipelined connections ([`link`]).
//! * A call has one deadline for all it needs: connecting, waiting for room, the answer. Whatever becomes of
//!   Redis, the caller has an answer or an error by then.
//! * A command that may have reached a server is never sent again. One that surely did not (no connection, a
//!   connection that broke before it was written) or that was surely not carried out (`MOVED`, `READONLY`,
//!   `LOADING`, …) is tried again until the deadline while an outage is younger than that; in a longer one calls fail
//!   at once between the attempts to connect.
//! * One warning is logged when an outage begins, one line when it is over.

mod error;
mod link;
mod profile;
mod resp;
mod server;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::{Instant, sleep_until};

pub use error::OpenError;
pub(super) use error::{CallError, ServerError};

use link::{Answer, Failure, Request};
use profile::{Place, Profile};
use server::Server;
use tls::Tls;

use super::uri::{Confirmation, Deployment, Uri};

/// Connections to each server.
const LINKS: usize = 2;

/// The same where writes wait for replicas: the server answers nothing else on a connection meanwhile.
const CONFIRMING_LINKS: usize = 8;

/// The longest pause between two attempts to connect, whatever is configured: an outage's end is noticed soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

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

/// A deployment. Clones share its connections.
#[derive(Clone)]
pub(super) struct Connection(Arc<Inner>);

struct Inner {
    /// The URI without its secrets, for logs.
    name: String,
    profile: Arc<Profile>,
    confirm: Option<(Confirmation, Cmd)>,
    server: Arc<Server>,
}

impl Connection {
    /// Prepares the connections; none is made before the first call. Fails only for what an operator must mend.
    #[expect(clippy::unused_async, reason = "files are read here, perhaps not always blocking")]
    pub(super) async fn open(uri: &Uri, options: &Options) -> Result<Self, OpenError> {
        let tls = uri.tls.as_ref().map(Tls::load).transpose()?.map(Arc::new);
        let profile = Arc::new(Profile {
            credentials: uri.credentials.clone(),
            database: uri.database,
            tls,
            timeout: uri.timeout,
            links: if uri.confirmation.is_some() { CONFIRMING_LINKS } else { LINKS },
            longest_pause: options.reconnect_sleep.min(LONGEST_PAUSE),
            attempts: options.max_reconnect_attempts.max(1),
            master: false,
        });
        let place = match &uri.deployment {
            Deployment::Server(address) => Place::Tcp(address.clone()),
            Deployment::Socket(path) => Place::Unix(path.clone()),
            Deployment::Sentinel { .. } | Deployment::Cluster(_) => unreachable!("next"),
        };
        let server = Server::new(place, Arc::clone(&profile));
        let confirm = uri.confirmation.map(|wanted| (wanted, wait(wanted)));
        Ok(Self(Arc::new(Inner { name: uri.to_string(), profile, confirm, server })))
    }

    /// Sends a command to the server that has the key. An error that the server answers is an error here.
    pub(super) async fn call(&self, key: &[u8], command: &Cmd) -> Result<Value, CallError> {
        let _ = key;
        Ok(self.0.run(Request::new(command)).await?.reply?)
    }

    /// The same for a write: where the URI has `wait_replicas`, it is acknowledged only once so many have it.
    pub(super) async fn call_confirmed(&self, key: &[u8], command: &Cmd) -> Result<Value, CallError> {
        let Some((wanted, wait)) = &self.0.confirm else { return self.call(key, command).await };
        let request = Request { after: Some(wait), ..Request::new(command) };
        let answer = self.0.run(request).await?;
        let value = answer.reply?;
        let confirmed = match answer.after {
            Some(Ok(Value::Int(replicas))) => replicas,
            Some(Err(error)) => return Err(error.into()),
            _ => 0,
        };
        match confirmed >= i64::from(wanted.replicas) {
            true => Ok(value),
            false => Err(CallError::Unconfirmed { confirmed, wanted: wanted.replicas }),
        }
    }

    /// The servers that take writes: one, or the masters of a Cluster.
    pub(super) async fn masters(&self) -> Result<Vec<Node>, CallError> {
        Ok(vec![Node { connection: self.clone(), server: Arc::clone(&self.0.server) }])
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
        let _ = &self.server;
        Ok(self.connection.0.run(Request::new(command)).await?.reply?)
    }
}

impl Inner {
    async fn run(&self, request: Request<'_>) -> Result<Answer, CallError> {
        let deadline = Instant::now() + self.profile.timeout;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let unreached = match self.server.exchange(request, deadline).await {
                Ok(Ok(answer)) => {
                    self.server.served(&self.name);
                    return Ok(answer);
                }
                Ok(Err(failure)) => return Err(self.failed(&failure)),
                Err(unreached) => unreached,
            };
            self.server.failed(&self.name, &unreached.cause);
            if attempts >= self.profile.attempts
                || self.server.outage() > self.profile.timeout
                || unreached.retry >= deadline
            {
                return Err(CallError::Unavailable(unreached.cause));
            }
            sleep_until(unreached.retry).await;
        }
    }

    fn failed(&self, failure: &Failure) -> CallError {
        let error = match failure {
            Failure::NotSent(cause) | Failure::Lost(cause) => CallError::Unavailable(cause.clone()),
            Failure::Late => CallError::Timeout(self.profile.timeout),
        };
        self.server.failed(&self.name, &error);
        error
    }
}

/// The command that waits for replicas.
fn wait(wanted: Confirmation) -> Cmd {
    let mut wait = redis::cmd("WAIT");
    wait.arg(wanted.replicas).arg(u64::try_from(wanted.timeout.as_millis()).unwrap_or(u64::MAX));
    wait
}
