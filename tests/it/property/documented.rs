//! Which statuses are documented for which request (rest.md, appendix A, and the limits of the listener).

use super::request::Request;

/// The statuses that the request may be answered with, by a service with routes for administrators or without.
pub(super) fn statuses(request: &Request, admin: bool) -> Vec<u16> {
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
    let methods = methods(&segments).or_else(|| methods_of_administrators(&segments).filter(|_| admin));
    match methods {
        None => statuses.push(404),
        Some(methods) => match methods.iter().find(|(name, _)| *name == method) {
            Some((_, own)) => statuses.extend(*own),
            None => statuses.push(405),
        },
    }
    match segments[..] {
        ["healthcheck", ..] => {}
        _ if methods.is_none() => {}
        _ => statuses.extend([400, 406]),
    }
    statuses
}

type Methods = &'static [(&'static str, &'static [u16])];

/// Whether it asks v1 for nothing but whether a queue is there, so that 404 is an answer and no error.
pub(super) fn tells_by_status(request: &Request) -> bool {
    let path = path(&request.target);
    matches!(path.split('/').collect::<Vec<_>>()[..], ["", "v1", "queues", _])
}

/// The methods of a path and what the operation answers; `None` where there is no route.
fn methods(segments: &[&str]) -> Option<Methods> {
    match segments {
        ["v1", rest @ ..] => methods_of_v1(rest),
        ["v1.1", rest @ ..] => methods_of_v1_1(rest),
        _ => methods_of_v2(segments),
    }
}

/// Those that a service in `admin_mode` with pools has beside.
fn methods_of_administrators(segments: &[&str]) -> Option<Methods> {
    Some(match segments {
        ["v1" | "v1.1" | "v2", "pools"] | ["v1.1" | "v2", "health"] | ["v2", "migrations"] => {
            &[("GET", &[200, 403])]
        }
        ["v1" | "v1.1" | "v2", "pools", _] => &[
            ("GET", &[200, 403, 404]),
            ("PUT", &[201, 403, 409]),
            ("PATCH", &[200, 403, 404, 409]),
            ("DELETE", &[204, 403]),
        ],
        ["v1.1" | "v2", "flavors"] => &[("GET", &[200])],
        ["v1.1" | "v2", "flavors", _] => &[
            ("GET", &[200, 404]),
            ("PUT", &[201, 403, 409]),
            ("PATCH", &[200, 403, 404, 409]),
            ("DELETE", &[204, 403]),
        ],
        _ => return None,
    })
}

fn methods_of_v1(segments: &[&str]) -> Option<Methods> {
    Some(match segments {
        ["health"] => &[("GET", &[204]), ("HEAD", &[204])],
        [""] => &[("GET", &[200])],
        ["queues"] => &[("GET", &[200, 204])],
        ["queues", _] => {
            &[("GET", &[204, 404]), ("HEAD", &[204, 404]), ("PUT", &[201, 204]), ("DELETE", &[204])]
        }
        ["queues", _, "metadata"] => &[("GET", &[200, 404]), ("PUT", &[204, 404])],
        ["queues", _, "stats"] => &[("GET", &[200, 404])],
        ["queues", _, "messages"] => &[("GET", &[200, 204]), ("POST", &[201, 404]), ("DELETE", &[204])],
        _ => return common_methods(segments),
    })
}

fn methods_of_v1_1(segments: &[&str]) -> Option<Methods> {
    Some(match segments {
        ["ping"] => &[("GET", &[204]), ("HEAD", &[204])],
        ["" | "queues"] | ["queues", _, "stats"] => &[("GET", &[200])],
        ["queues", _] => &[("GET", &[200]), ("PUT", &[201, 204]), ("DELETE", &[204])],
        ["queues", _, "messages"] => &[("GET", &[200, 404]), ("POST", &[201]), ("DELETE", &[200, 204])],
        _ => return common_methods(segments),
    })
}

/// What is alike in every version.
fn common_methods(segments: &[&str]) -> Option<Methods> {
    Some(match segments {
        ["queues", _, "messages", _] => &[("GET", &[200, 404]), ("DELETE", &[204, 403])],
        ["queues", _, "claims"] => &[("POST", &[201, 204])],
        ["queues", _, "claims", _] => &[("GET", &[200, 404]), ("PATCH", &[204, 404]), ("DELETE", &[204])],
        _ => return None,
    })
}

fn methods_of_v2(segments: &[&str]) -> Option<Methods> {
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
        ["v2", rest @ ..] => return common_methods(rest),
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
