//! The HTTP face: the versions document, and the versions that are mounted.
//!
//! A version is a table of routes ([`Version::routes`]) over handlers that all versions share. What every route has in
//! common (checks, 404, 405, OPTIONS, error documents) is done once, in `dispatch`.

mod accept;
mod body;
mod cors;
mod deprecation;
mod dispatch;
mod extract;
mod healthcheck;
mod middleware;
pub mod query;
pub(crate) mod resources;
pub(crate) mod respond;
mod taken;
mod v1;
mod v1_1;
mod v2;
mod version;
mod versions;

use std::sync::Arc;

use axum::Router;
use strum::VariantArray as _;

pub use self::cors::Cors;
pub(crate) use self::dispatch::{Mounted, is_mounted};
pub(crate) use self::extract::Owner;
pub use self::healthcheck::Readiness;
pub(crate) use self::respond::{error as refused, log};
pub use self::version::Version;
use crate::auth::Gate;
use crate::service::Service;
use crate::websocket::{self, Hub};

/// What the HTTP face is made with.
#[derive(Clone)]
pub struct Api {
    /// The operations.
    pub service: Service,
    /// `[DEFAULT] enable_deprecated_api_versions`: the versions to serve beside v2.
    pub deprecated: Vec<Version>,
    /// `[DEFAULT] deprecated_api_sunset`: the date, as HTTP writes it, from which on those may be gone.
    pub sunset: Option<String>,
    /// `[DEFAULT] admin_mode`: mounts the administrators' routes.
    pub admin_mode: bool,
    /// `[DEFAULT] pooling`: with `admin_mode`, mounts pools and flavors.
    pub pooling: bool,
    /// What decides who calls.
    pub gate: Gate,
    /// `[cors]`.
    pub cors: Arc<Cors>,
    /// Whether load balancers may send requests here.
    pub readiness: Arc<Readiness>,
    /// Whether large answers are compressed for clients that accept gzip.
    pub compress: bool,
    /// The WebSocket API, where it is served beside the REST API.
    pub websocket: Option<Arc<Hub>>,
    /// A path in front of every route, such as `/messaging`; it never stands in links. Empty: none.
    pub mount_prefix: String,
}

impl Api {
    /// The enabled versions, oldest first.
    pub(crate) fn versions(&self) -> impl Iterator<Item = Version> {
        let enabled = |version: &Version| *version == Version::V2 || self.deprecated.contains(version);
        Version::VARIANTS.iter().copied().filter(enabled)
    }
}

/// The router of the whole HTTP face.
pub fn router(api: &Api) -> Router {
    let mounted = match api.mount_prefix.trim_end_matches('/') {
        "" => routes(api, ""),
        // Nesting leaves out the root with its slash.
        prefix => {
            let nested = routes(api, "").nest(prefix, routes(api, prefix));
            nested.merge(versions::router_at(&format!("{prefix}/"), api))
        }
    };
    middleware::around(mounted.merge(healthcheck::router(api)), api)
}

/// The router of the WebSocket API's own listener: any path is one, but those of the health check.
pub(crate) fn websocket_router(api: &Api, hub: Arc<Hub>) -> Router {
    middleware::around(websocket::everywhere(hub).merge(healthcheck::router(api)), api)
}

/// The routes that are mounted at that prefix.
fn routes(api: &Api, prefix: &str) -> Router {
    // Which versions there are, anybody may know.
    let routes = dispatch::router(api, prefix).merge(versions::router_at("/", api));
    match &api.websocket {
        Some(hub) => routes.merge(websocket::route(hub.clone())),
        None => routes,
    }
}
