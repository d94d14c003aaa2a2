//! What every request of a versioned API must bring: the checks before its handler (rest.md 1.2).

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::accept;
use super::version::Version;
use crate::auth::{Caller, presigned};
use crate::error::{Error, Result};
use crate::model::{ClientId, ProjectId};
use crate::policy::Rule;
use crate::service::{Context, Service};

/// Refuses a form-encoded body: a declared one of exactly that media type, even an empty one.
pub(crate) fn not_a_form(headers: &HeaderMap) -> Result<()> {
    let form =
        |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"application/x-www-form-urlencoded");
    let declared = headers.contains_key(CONTENT_LENGTH);
    let refused = declared && headers.get(CONTENT_TYPE).is_some_and(form);
    if refused { Err(Error::FormEncoded) } else { Ok(()) }
}

/// Refuses a client that takes no JSON, nor events where they are `streams`.
pub(crate) fn takes_answer(headers: &HeaderMap, streams: bool) -> Result<()> {
    let taken = accept::takes_json(headers) || streams && accept::takes_events(headers);
    if taken { Ok(()) } else { Err(Error::NotAcceptable) }
}

/// The caller, with the header `Client-ID`, checked in this order. The project is the one that the gate proved, or
/// believes; no other place reads it from a request.
///
/// What belongs to the whole system needs no project, where the caller's token is for the whole system. v1 works without
/// a client id, and in a project without a name for callers who are believed and name none (rest.md 1.3).
pub(crate) fn context(
    request: &Parts,
    caller: &Caller,
    service: &Service,
    version: Version,
    belongs_to: Owner,
) -> Result<Context> {
    let client = match client(request, service) {
        Err(Error::ClientIdMissing) if version == Version::V1 => ClientId::new(""),
        client => client?,
    };
    let identity = caller.identity(&request.headers)?;
    identity.note();
    let nameless = (belongs_to == Owner::System && identity.system_scope.is_some())
        || (version == Version::V1 && matches!(caller, Caller::Believed));
    let project = identity.project.clone().or_else(|| nameless.then(|| ProjectId::new("")));
    let project = project.ok_or(Error::ProjectIdMissing)?;
    Ok(Context::new(identity, project, client))
}

/// Whose it is that a route reads or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A project.
    Project,
    /// The whole system: its pools, and its health.
    System,
}

impl Owner {
    /// Whose it is that an operation under that rule reads or changes.
    pub(crate) fn of(rule: Rule) -> Self {
        match rule {
            Rule::PingGet
            | Rule::HealthGet
            | Rule::PoolsGetAll
            | Rule::PoolsCreate
            | Rule::PoolsGet
            | Rule::PoolsDelete
            | Rule::PoolsUpdate => Self::System,
            _ => Self::Project,
        }
    }
}

fn client(request: &Parts, service: &Service) -> Result<ClientId> {
    let text = client_id(request)?;
    if service.takes_client(&text) { Ok(ClientId::new(&text)) } else { Err(Error::ClientIdMalformed) }
}

/// The header, or where headers cannot be sent, the parameter in its place.
fn client_id(request: &Parts) -> Result<Cow<'_, str>> {
    if let Some(header) = request.headers.get("client-id") {
        return std::str::from_utf8(header.as_bytes()).map(Cow::from).map_err(|_| Error::ClientIdMalformed);
    }
    let parameter = presigned::parameters(request, "client-id").next().ok_or(Error::ClientIdMissing)?;
    parameter.ok_or(Error::ClientIdMalformed)
}
