//! What every request of a versioned API must bring: the checks before its handler (rest.md 1.2).

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use super::accept;
use crate::error::{Error, Result};
use crate::model::{ClientId, ProjectId};
use crate::service::{Context, Service};

/// Refuses a form-encoded body: a declared one of exactly that media type, even an empty one.
pub(crate) fn not_a_form(headers: &HeaderMap) -> Result<()> {
    let form =
        |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"application/x-www-form-urlencoded");
    let declared = headers.contains_key(CONTENT_LENGTH);
    let refused = declared && headers.get(CONTENT_TYPE).is_some_and(form);
    if refused { Err(Error::FormEncoded) } else { Ok(()) }
}

/// Refuses a client that takes no JSON.
pub(crate) fn takes_json(headers: &HeaderMap) -> Result<()> {
    if accept::takes_json(headers) { Ok(()) } else { Err(Error::NotAcceptable) }
}

/// The caller, from the headers `Client-ID`, `X-Project-ID` and `X-Roles`, checked in this order.
pub(crate) fn context(headers: &HeaderMap, service: &Service) -> Result<Context> {
    let client = client(headers, service)?;
    let project = project(headers)?;
    let roles = headers.get_all("x-roles").iter().filter_map(|value| value.to_str().ok());
    let roles = roles.flat_map(|roles| roles.split(',')).map(str::trim).filter(|role| !role.is_empty());
    Ok(Context { project, client, roles: roles.map(str::to_owned).collect() })
}

fn client(headers: &HeaderMap, service: &Service) -> Result<ClientId> {
    let limits = service.limits();
    let header = headers.get("client-id").ok_or(Error::ClientIdMissing)?;
    let text = std::str::from_utf8(header.as_bytes()).map_err(|_| Error::ClientIdMalformed)?;
    let legal = if service.free_client_ids() {
        (limits.min_length_client_id..=limits.max_length_client_id).contains(&text.chars().count())
    } else {
        ClientId::uuid(text).is_some()
    };
    if legal { Ok(ClientId::new(text)) } else { Err(Error::ClientIdMalformed) }
}

/// The tenant. Bytes that are not UTF-8 are refused, since two spellings of one id would breach its wall.
fn project(headers: &HeaderMap) -> Result<ProjectId> {
    let header = ["x-project-id", "x-tenant-id", "x-tenant"].iter().find_map(|name| headers.get(*name));
    let header = header.ok_or(Error::ProjectIdMissing)?;
    let text = std::str::from_utf8(header.as_bytes());
    match text.map_err(|_| Error::invalid("The header X-PROJECT-ID is not UTF-8."))? {
        "" => Err(Error::ProjectIdEmpty),
        text => Ok(ProjectId::new(text)),
    }
}
