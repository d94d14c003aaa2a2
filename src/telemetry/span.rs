//! The span around a request: its fields stand on every log record that is made inside it.

use tracing::Span;
use tracing::field::Empty;
use uuid::Uuid;

/// The field with our id of the request, `req-…`.
pub const REQUEST_ID: &str = "request.id";

/// The field with the id that the caller gave it across services, where one did.
pub const GLOBAL_ID: &str = "request.global_id";

/// The field with the project (tenant) that it belongs to: the one that was proved, with authentication on.
pub const PROJECT_ID: &str = "project.id";

/// The field with the user who sent it, where one is known.
pub const USER_ID: &str = "user.id";

/// The field with the route template that matched; never the path, whose query may hold signatures.
pub const HTTP_ROUTE: &str = "http.route";

/// A new id for a request, as OpenStack services write them.
pub fn request_id() -> String {
    format!("req-{}", Uuid::new_v4())
}

/// The span of a request. What is not known yet is recorded later, under the names above:
/// `span.record(PROJECT_ID, project.as_str())`.
///
/// Bodies, tokens and signatures are never fields, here or on events; URIs go through
/// [`mask_uri`](super::mask_uri).
pub fn request_span(id: &str, method: &str) -> Span {
    // At the level of errors, so that they carry the request wherever the levels were set high.
    tracing::error_span!(
        "request",
        request.id = id,
        request.global_id = Empty,
        project.id = Empty,
        user.id = Empty,
        http.method = method,
        http.route = Empty,
    )
}
