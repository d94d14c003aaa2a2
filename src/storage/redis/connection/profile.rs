//! How one kind of server is reached and greeted.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use secrecy::ExposeSecret as _;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use super::error::Cause;
use super::link::{Failure, Link, Request, Stream, text};
use super::resp::Reply;
use super::tls::Tls;
use crate::storage::redis::uri::{Address, Credentials};

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Tcp(Address),
    Unix(PathBuf),
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(out),
            Self::Unix(path) => path.display().fmt(out),
        }
    }
}

/// What all servers of one kind have in common.
pub(super) struct Profile {
    pub(super) credentials: Credentials,
    /// Selected on each connection, where it is not 0.
    pub(super) database: u32,
    pub(super) tls: Option<Arc<Tls>>,
    /// A whole call's deadline.
    pub(super) timeout: Duration,
    /// Connections to each server.
    pub(super) links: usize,
    /// The longest pause between two attempts to connect.
    pub(super) longest_pause: Duration,
    /// Only masters will do: a server that says it is a replica is not used.
    pub(super) master: bool,
}

impl Profile {
    /// Connects and greets the server. It has half of a call's time for it: where another one takes its place
    /// meanwhile, the call can still reach that.
    pub(super) async fn connect(&self, place: &Place, deadline: Instant) -> Result<Link, Cause> {
        let deadline = deadline.min(Instant::now() + self.timeout / 2);
        let late = |_| Cause::new("no connection could be made in time");
        let stream = timeout_at(deadline, self.stream(place)).await.map_err(late)?.map_err(Cause::new)?;
        let link = Link::new(stream);
        self.greet(&link, deadline).await?;
        Ok(link)
    }

    async fn stream(&self, place: &Place) -> io::Result<Box<dyn Stream>> {
        let address = match place {
            Place::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
            Place::Tcp(address) => address,
        };
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        // Each write is a whole batch of commands already.
        stream.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some(tls) => Ok(Box::new(tls.connect(&address.host, stream).await?)),
        }
    }

    /// Logs in, selects the database, and makes sure that somebody answers and may be written to.
    async fn greet(&self, link: &Link, deadline: Instant) -> Result<(), Cause> {
        if let Some(password) = &self.credentials.password {
            let mut auth = redis::cmd("AUTH");
            if let Some(user) = &self.credentials.user {
                auth.arg(user);
            }
            must(ask(link, auth.arg(password.expose_secret()), deadline).await?)?;
        }
        if self.database != 0 {
            must(ask(link, redis::cmd("SELECT").arg(self.database), deadline).await?)?;
        }
        if !self.master {
            return must(ask(link, &redis::cmd("PING"), deadline).await?);
        }
        is_master(&ask(link, &redis::cmd("ROLE"), deadline).await?)
    }
}

/// Errs unless the answer to `ROLE` is that of a master. Who may not ask, or asks where the command is hidden,
/// has to believe it; a replica would refuse writes all the same.
pub(super) fn is_master(reply: &Reply) -> Result<(), Cause> {
    match reply {
        Ok(Value::Array(role)) if role.first().and_then(text) == Some("master") => Ok(()),
        Ok(_) => Err(Cause::new("the server is a replica")),
        Err(error) if error.code == "NOPERM" || error.text.starts_with("unknown command") => Ok(()),
        Err(error) => Err(Cause::new(error)),
    }
}

fn must(reply: Reply) -> Result<(), Cause> {
    reply.map(drop).map_err(Cause::new)
}

/// One question while nothing depends on whether it was carried out.
pub(super) async fn ask(link: &Link, command: &redis::Cmd, deadline: Instant) -> Result<Reply, Cause> {
    match link.exchange(Request::new(command), deadline).await {
        Ok(answer) => Ok(answer.reply),
        Err(Failure::NotSent(cause) | Failure::Lost(cause)) => Err(cause),
        Err(Failure::Late) => Err(Cause::new("the server does not answer")),
    }
}
