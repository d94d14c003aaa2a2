//! The front doors that a process serves, and where they listen.

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::open_door;
use crate::config::{ApiTransport, Config};
use crate::server;

/// The listeners of a process. A front door without one is not served.
#[derive(Debug, Default)]
pub struct Listeners {
    /// The REST API, and WebSocket beside it where `websocket` is there too.
    pub rest: Option<TcpListener>,
    /// The WebSocket API.
    pub websocket: Option<TcpListener>,
}

/// Whether that front door is served: the only one that `[drivers] transport` names, or any.
pub(super) fn serves(config: &Config, door: ApiTransport) -> bool {
    config.drivers.transport.is_none_or(|only| only == door)
}

/// Listens where the configuration says; refuses an address beyond this machine without authentication.
pub async fn bind(config: &Config) -> anyhow::Result<Listeners> {
    let (rest, websocket) = (&config.wsgi, &config.websocket);
    Ok(Listeners {
        rest: if serves(config, ApiTransport::Wsgi) {
            Some(bind_one(config, "drivers:transport:wsgi", &rest.bind, rest.port).await?)
        } else {
            None
        },
        websocket: if serves(config, ApiTransport::Websocket) {
            Some(bind_one(config, "drivers:transport:websocket", &websocket.bind, websocket.port).await?)
        } else {
            None
        },
    })
}

async fn bind_one(config: &Config, section: &str, host: &str, port: u16) -> anyhow::Result<TcpListener> {
    let found =
        tokio::net::lookup_host((host, port)).await.with_context(|| format!("cannot resolve {host}"))?;
    let addresses: Vec<_> = found.collect();
    let remote = addresses.iter().any(|address| !address.ip().is_loopback());
    if remote && open_door(config).is_some() && !config.default.allow_unauthenticated_remote_access {
        let problem = "not a loopback address, and authentication is off: whoever reaches it would use every \
                       project; set [DEFAULT] allow_unauthenticated_remote_access if that is meant";
        return Err(config.refuse(section, "bind", host, problem).into());
    }
    let mut bound = Err(std::io::ErrorKind::AddrNotAvailable.into());
    for address in addresses {
        bound = server::bind(address);
        if bound.is_ok() {
            break;
        }
    }
    bound.with_context(|| format!("cannot listen on {host}:{port} ([{section}] bind, port)"))
}
