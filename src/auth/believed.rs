//! Callers who are believed to be who they say: authentication is off (storage-and-operations.md 13).

use http::HeaderMap;

use super::{Identity, Named};
use crate::error::{Error, Result};
use crate::model::ProjectId;

/// The caller by the headers `X-Project-ID`, `X-Roles` and `X-User-ID`.
pub(super) fn identity(headers: &HeaderMap) -> Result<Identity> {
    let roles = headers.get_all("x-roles").iter().filter_map(|value| value.to_str().ok());
    let roles = roles.flat_map(|roles| roles.split(',')).map(str::trim).filter(|role| !role.is_empty());
    let user = headers.get("x-user-id").and_then(|value| value.to_str().ok());
    Ok(Identity {
        project: project(headers)?,
        user: user.map(|id| Named { id: id.to_owned(), ..Named::default() }),
        roles: roles.map(str::to_owned).collect(),
        is_admin_project: true,
        ..Identity::default()
    })
}

/// The tenant. Bytes that are not UTF-8 are refused, since two spellings of one id would breach its wall.
fn project(headers: &HeaderMap) -> Result<Option<ProjectId>> {
    let header = ["x-project-id", "x-tenant-id", "x-tenant"].iter().find_map(|name| headers.get(*name));
    let Some(header) = header else { return Ok(None) };
    let text = std::str::from_utf8(header.as_bytes());
    match text.map_err(|_| Error::invalid("The header X-PROJECT-ID is not UTF-8."))? {
        "" => Err(Error::ProjectIdEmpty),
        text => Ok(Some(ProjectId::new(text))),
    }
}
