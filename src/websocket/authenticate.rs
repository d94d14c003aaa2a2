//! Who sends the requests of a connection (websocket.md 4).

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request as HttpRequest, StatusCode};
use serde_json::json;

use super::Hub;
use super::envelope::Request;
use super::reply::Reply;
use super::requests::Then;
use super::signed;
use crate::api::Owner;
use crate::auth::{Caller, Identity, Proven};
use crate::error::{Error, Result};

/// The refusal of one who has not proved who it is, in the reference's spelling.
const NOBODY: &str = "Not authentified.";

/// The refusal of one who names another project than the proved one.
const ELSEWHERE: &str = "Not authenticated.";

const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

const SERVICE_TOKEN: HeaderName = HeaderName::from_static("x-service-token");

/// Carries out `authenticate`. Without an authentication strategy everybody is welcome.
pub(super) async fn answer(hub: &Hub, request: &Request) -> (Reply, Then) {
    let welcome = || Reply::json(request, StatusCode::OK, *br#"{"message":"Authentified."}"#);
    if hub.gate.is_open() {
        return (welcome(), Then::Nothing);
    }
    match hub.gate.admit(&to_root(proofs(request)), "").await {
        Ok(caller) => (welcome(), proven(caller).map_or(Then::Nothing, Then::Authenticated)),
        Err(error) => (failed(request, &error), Then::Nothing),
    }
}

/// The request of which the rules of application credentials judge: a POST to the root.
fn to_root(headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Parts {
    let (mut parts, ()) = HttpRequest::new(()).into_parts();
    parts.method = Method::POST;
    parts.headers.extend(headers);
    parts
}

/// The headers of an `authenticate` that prove something.
fn proofs(request: &Request) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    [("X-Auth-Token", AUTH_TOKEN), ("X-Service-Token", SERVICE_TOKEN)].into_iter().filter_map(
        |(sent, name)| {
            let value = request.header(sent)?;
            // A token that no header can hold is none.
            Some((name, HeaderValue::from_bytes(value.as_bytes()).unwrap_or(HeaderValue::from_static("?"))))
        },
    )
}

fn failed(request: &Request, error: &Error) -> Reply {
    crate::api::log(error);
    Reply::json(request, error.status(), json!({ "error": "Authentication failed." }).to_string())
}

/// Who the headers of a handshake prove its sender to be; nobody where they hold no token.
pub(super) async fn by_headers(hub: &Hub, headers: &HeaderMap) -> Result<Option<Proven>> {
    let Some(token) = headers.get(AUTH_TOKEN).filter(|_| !hub.gate.is_open()) else { return Ok(None) };
    Ok(proven(hub.gate.admit(&to_root([(AUTH_TOKEN, token.clone())]), "").await?))
}

fn proven(caller: Caller) -> Option<Proven> {
    match caller {
        Caller::Believed => None,
        Caller::Proved(proven) => Some(proven),
    }
}

/// Who sends a request, or why it is refused. `who` is who its connection belongs to.
pub(super) fn caller(
    hub: &Hub,
    who: Option<Arc<Identity>>,
    request: &Request,
) -> std::result::Result<Arc<Identity>, &'static str> {
    if hub.gate.is_open() {
        return Ok(Arc::new(request.believed()));
    }
    let Some(identity) = who else {
        return signed::identity(hub, request).ok_or(NOBODY);
    };
    if is_at_home(&identity, request) { Ok(identity) } else { Err(ELSEWHERE) }
}

/// Whether a request is for the project of its caller. Few actions need not name it; and what belongs to the system is
/// open to a token of the system, which has no project.
fn is_at_home(identity: &Identity, request: &Request) -> bool {
    let named = request.header("X-Project-ID");
    if let Some(own) = &identity.project {
        return named.is_none_or(|named| named == own.as_str());
    }
    let of_system = request.action().rule().map(Owner::of) == Some(Owner::System);
    of_system && identity.system_scope.is_some() && named.is_none_or(|named| named.is_empty())
}
