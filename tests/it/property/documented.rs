//! Which statuses are documented for which request (rest.md, appendix A, and the limits of the listener).

use super::request::Request;

/// The statuses that the request may be answered with.
pub(super) fn statuses(request: &Request) -> Vec<u16> {
    let (method, path) = (String::from_utf8_lossy(&request.method), path(&request.target));
    // A slow machine may take long over the headers.
    let mut statuses = vec![408];
    if request.huge {
        statuses.push(431);
    }
    if request.signed {
        statuses.push(404);
    }
    if method == "OPTIONS" {
        statuses.push(200);
        return statuses;
    }
    let segments: Vec<_> = path.split('/').skip(1).collect();
    match methods(&segments) {
        None => statuses.push(404),
        Some(methods) => match methods.iter().find(|(name, _)| *name == method) {
            Some((_, own)) => statuses.extend(*own),
            None => statuses.push(405),
        },
    }
    match segments[..] {
        ["healthcheck", ..] => {}
        _ if methods(&segments).is_none() => {}
        _ => statuses.extend([400, 406]),
    }
    statuses
}

type Methods = &'static [(&'static str, &'static [u16])];

/// The methods of a path and what the operation answers; `None` where there is no route.
fn methods(segments: &[&str]) -> Option<Methods> {
    Some(match segments {
        [""] => &[("GET", &[300])],
        ["healthcheck"] | ["healthcheck", "live"] => &[("GET", &[200]), ("HEAD", &[200])],
        ["v2", "ping"] => &[("GET", &[204]), ("HEAD", &[204])],
        ["v2", "" | "queues"] | ["v2", "queues", _, "stats"] => &[("GET", &[200])],
        ["v2", "queues", _] => {
            &[("GET", &[200]), ("PUT", &[201, 204]), ("PATCH", &[200, 404, 409, 415]), ("DELETE", &[204])]
        }
        ["v2", "queues", _, "purge"] => &[("POST", &[204])],
        // Without a key, as the services here are, nothing can be shared.
        ["v2", "queues", _, "share"] => &[("POST", &[400])],
        ["v2", "queues", _, "messages"] => &[("GET", &[200, 404]), ("POST", &[201]), ("DELETE", &[200, 204])],
        ["v2", "queues", _, "messages", _] => &[("GET", &[200, 404]), ("DELETE", &[204, 403])],
        ["v2", "queues", _, "claims"] => &[("POST", &[201, 204])],
        ["v2", "queues", _, "claims", _] => {
            &[("GET", &[200, 404]), ("PATCH", &[204, 404]), ("DELETE", &[204])]
        }
        _ => return None,
    })
}

/// The path in a request's target.
pub(super) fn path(target: &[u8]) -> String {
    let text = String::from_utf8_lossy(target);
    let text = text.split(['?', '#']).next().unwrap_or_default();
    match text.strip_prefix("http://") {
        Some(rest) => rest.split_once('/').map_or_else(|| "/".into(), |(_, path)| format!("/{path}")),
        None => text.to_owned(),
    }
}
