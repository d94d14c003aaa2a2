//! What every request of a versioned API must bring: the checks before its handler (rest.md 1.2).

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use super::accept;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::model::ClientId;
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

/// The caller, with the header `Client-ID`, checked in this order.
pub(crate) fn context(headers: &HeaderMap, caller: &Caller, service: &Service) -> Result<Context> {
    let client = client(headers, service)?;
    let identity = caller.identity(headers)?;
    let project = identity.project.clone().ok_or(Error::ProjectIdMissing)?;
    Ok(Context::new(identity, project, client))
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
