//! Single requests that bring a pre-signed URL's values on a connection of nobody (websocket.md 4).

use std::sync::Arc;

use super::Hub;
use super::envelope::Request;
use super::schema::Action;
use crate::auth::Identity;

/// Whom the signature of a request stands for: its project, and nobody in particular. `None` where there is no
/// signature, or where it does not cover the request. The connection stays nobody's.
pub(super) fn identity(hub: &Hub, request: &Request) -> Option<Arc<Identity>> {
    let method = method(request.action()).filter(|_| request.has_header("URL-Signature"))?;
    let (methods, paths) = (request.header_list("URL-Methods")?, request.header_list("URL-Paths")?);
    let (signature, expires) = (request.header("URL-Signature")?, request.header("URL-Expires")?);
    // A signature for one queue must not open another: its own path is among those that were signed.
    let path = format!("/v2/queues/{}/messages", request.text("queue_name")?);
    let covered = methods.iter().any(|signed| signed == method) && paths.contains(&path);
    let presigned = hub.gate.presigned();
    let project = request.header("X-Project-ID")?;
    let holder =
        covered.then(|| presigned.grants(&paths, &methods, &project, &expires, &signature)).flatten()?;
    Some(holder.identity)
}

/// The method of REST that does what the action does; `None` for those that no signature can allow.
fn method(action: Action) -> Option<&'static str> {
    match action {
        Action::MessageList | Action::MessageGet | Action::MessageGetMany => Some("GET"),
        Action::MessagePost => Some("POST"),
        Action::MessageDelete | Action::MessageDeleteMany => Some("DELETE"),
        _ => None,
    }
}
