//! Which server a call goes to.

use std::sync::Arc;

use tokio::time::Instant;

use super::Options;
use super::cluster::Cluster;
use super::error::{Cause, OpenError, ServerError};
use super::profile::{Place, Profile};
use super::refusal::{Refusal, refusal};
use super::sentinel::Sentinel;
use super::server::{Server, Unreached};
use super::tls::Tls;
use super::trouble::Trouble;
use crate::storage::redis::uri::{Address, Credentials, Deployment, Uri};

/// Connections to each server: no slower than one, and a large answer does not hold up all others.
const LINKS: usize = 2;

/// The same where writes wait for replicas: the server answers nothing else on a connection meanwhile.
const CONFIRMING_LINKS: usize = 16;

/// The servers of a deployment.
pub(super) enum Route {
    Single(Arc<Server>),
    Sentinel(Sentinel),
    Cluster(Cluster),
}

/// What to do about an error that a server answered.
pub(super) enum Turn {
    /// Ask that server, with `ASKING` where it says so.
    Other { server: Arc<Server>, asking: bool },
    /// Nothing was carried out: try again, after a while.
    Again(Unreached),
}

impl Route {
    /// The servers of the URI; nothing is connected yet.
    pub(super) fn new(uri: &Uri, options: &Options) -> Result<Self, OpenError> {
        let store: Arc<str> = uri.to_string().into();
        let tls = uri.tls.as_ref().map(Tls::load).transpose()?.map(Arc::new);
        let trouble = Trouble::new(Arc::clone(&store));
        let profile = |master| Profile {
            credentials: uri.credentials.clone(),
            database: uri.database,
            tls: tls.clone(),
            timeout: uri.timeout,
            links: if uri.confirmation.is_some() { CONFIRMING_LINKS } else { LINKS },
            longest_pause: options.longest_pause(),
            master,
        };
        let single = |place| Self::Single(Server::new(place, Arc::new(profile(false)), Arc::clone(&trouble)));
        Ok(match &uri.deployment {
            Deployment::Server(address) => single(Place::Tcp(address.clone())),
            Deployment::Socket(path) => single(Place::Unix(path.clone())),
            Deployment::Cluster(nodes) => Self::Cluster(Cluster::new(nodes, Arc::new(profile(false)), store)),
            Deployment::Sentinel { sentinels, master } => {
                let asking = sentinel_profile(profile(false), &uri.sentinel_credentials);
                let sentinels = sentinels.iter().map(|at| sentinel(at, &asking, &store)).collect();
                Self::Sentinel(Sentinel::new(sentinels, master, Arc::new(profile(true)), trouble))
            }
        })
    }

    /// The server for that key.
    pub(super) async fn server(&self, key: &[u8], deadline: Instant) -> Result<Arc<Server>, Unreached> {
        match self {
            Self::Single(server) => Ok(Arc::clone(server)),
            Self::Sentinel(sentinel) => sentinel.server(deadline).await,
            Self::Cluster(cluster) => cluster.server(key, deadline).await,
        }
    }

    /// All servers that take writes.
    pub(super) async fn servers(&self, deadline: Instant) -> Result<Vec<Arc<Server>>, Unreached> {
        match self {
            Self::Cluster(cluster) => cluster.servers(deadline).await,
            other => Ok(vec![other.server(b"", deadline).await?]),
        }
    }

    /// Something failed: where servers change, the current ones are looked for before the next call.
    pub(super) fn doubt(&self) {
        match self {
            Self::Single(_) => {}
            Self::Sentinel(sentinel) => sentinel.doubt(),
            Self::Cluster(cluster) => cluster.doubt(),
        }
    }

    /// What an error of that server means for the call.
    ///
    /// `None`: the error is the answer.
    pub(super) fn turn(&self, server: &Server, error: &ServerError) -> Option<Turn> {
        let (host, port, asking) = match refusal(error)? {
            Refusal::Later => {
                self.doubt();
                return Some(Turn::Again(server.failed(Cause::new(error))));
            }
            Refusal::Moved { host, port } => {
                self.doubt();
                (host, port, false)
            }
            Refusal::Ask { host, port } => (host, port, true),
        };
        let (Self::Cluster(cluster), Place::Tcp(here)) = (self, &server.place) else { return None };
        let host = host.unwrap_or_else(|| here.host.clone());
        Some(Turn::Other { server: cluster.at(Address { host, port }), asking })
    }

    /// What is done every now and then.
    pub(super) async fn check(&self) {
        if let Self::Sentinel(sentinel) = self {
            sentinel.check().await;
        }
        let servers = match self {
            Self::Single(server) => vec![Arc::clone(server)],
            Self::Sentinel(sentinel) => sentinel.known().into_iter().collect(),
            Self::Cluster(cluster) => cluster.known(),
        };
        for server in servers {
            server.check().await;
        }
    }
}

/// Sentinels have users of their own and no databases.
fn sentinel_profile(data: Profile, credentials: &Credentials) -> Arc<Profile> {
    Arc::new(Profile { credentials: credentials.clone(), database: 0, links: 1, ..data })
}

fn sentinel(at: &Address, profile: &Arc<Profile>, store: &Arc<str>) -> Arc<Server> {
    Server::new(Place::Tcp(at.clone()), Arc::clone(profile), Trouble::new(Arc::clone(store)))
}
