//! The access rules of application credentials (storage-and-operations.md 14.5).

use http::Method;

use crate::auth::Access;

/// Whether the credential may be used for that request to a service of that type. `served` says that another service
/// passes the request on: then the rules were for that one.
pub(super) fn permits(
    access: &Access,
    service_type: Option<&str>,
    served: bool,
    method: &Method,
    path: &str,
) -> bool {
    let Some(own) = service_type else {
        tracing::warn!("a token with access rules is refused: [keystone_authtoken] service_type is not set");
        return false;
    };
    if !access.service_types.iter().any(|kind| **kind == *own) {
        tracing::info!(service.type = own, "a token with access rules is refused: its catalogue lacks this service");
        return false;
    }
    let allowed = access
        .rules
        .iter()
        .any(|rule| *rule.method == *method.as_str() && *rule.service == *own && matches(path, &rule.path));
    if !served && !allowed {
        tracing::debug!("no access rule of the token allows this request");
    }
    served || allowed
}

/// Whether the whole path fits the pattern: `{name}` and `*` stand for one or more characters other than a slash,
/// `**` for anything, all others for themselves.
fn matches(path: &str, pattern: &str) -> bool {
    let pieces = pieces(pattern);
    // Which of the pieces may come next, after each byte of the path: the work is bounded by the product of the
    // lengths, whatever the pattern.
    let mut states = vec![false; pieces.len() + 1];
    states[0] = true;
    skip_empty(&pieces, &mut states);
    for byte in path.bytes() {
        let mut next = vec![false; pieces.len() + 1];
        for (at, piece) in pieces.iter().enumerate().filter(|(at, _)| states[*at]) {
            match piece {
                Piece::Literal(literal) if *literal == byte => next[at + 1] = true,
                Piece::Segment if byte != b'/' => (next[at], next[at + 1]) = (true, true),
                Piece::Anything => next[at] = true,
                Piece::Literal(_) | Piece::Segment => {}
            }
        }
        skip_empty(&pieces, &mut next);
        states = next;
    }
    states[pieces.len()]
}

/// A part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// This byte.
    Literal(u8),
    /// One byte or more of one segment.
    Segment,
    /// Any bytes, or none.
    Anything,
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.bytes().next() {
        let tag = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (piece, after) = if let Some(after) = rest.strip_prefix("**") {
            (Piece::Anything, after)
        } else if let Some(after) = rest.strip_prefix('*') {
            (Piece::Segment, after)
        } else if let Some((_, after)) = tag {
            (Piece::Segment, after)
        } else {
            let length = rest.chars().next().map_or(1, char::len_utf8);
            pieces.extend(rest.bytes().take(length - 1).map(Piece::Literal));
            (Piece::Literal(rest.as_bytes().get(length - 1).copied().unwrap_or(first)), &rest[length..])
        };
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Anything may be nothing.
fn skip_empty(pieces: &[Piece], states: &mut [bool]) {
    for (at, piece) in pieces.iter().enumerate() {
        states[at + 1] |= states[at] && *piece == Piece::Anything;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AccessRule;

    #[test]
    fn patterns_are_literal_but_for_their_wildcards() {
        for (pattern, path) in [
            ("/v2/queues", "/v2/queues"),
            ("/v2/queues/*", "/v2/queues/a"),
            ("/v2/queues/{name}/messages", "/v2/queues/a.b/messages"),
            ("/v2/**", "/v2/queues/a/messages"),
            ("/v2/queues/**", "/v2/queues/"),
            ("**", ""),
            ("/**/messages", "/v2/queues/a/messages"),
            ("/a{x}c", "/abbc"),
            ("/ä", "/ä"),
            ("/open{", "/open{"),
        ] {
            assert!(matches(path, pattern), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/v2/queues", "/v2/queues/"),
            ("/v2/queues", "/x/v2/queues"),
            ("/v2.0/queues", "/v2x0/queues"),
            ("/v2/queues/*", "/v2/queues/"),
            ("/v2/queues/*", "/v2/queues/a/messages"),
            ("/v2/queues/{name}", "/v2/queues/a/b"),
            ("/v2/queues/[ab]", "/v2/queues/a"),
            ("/v2/queues/a|/v2/pools", "/v2/pools"),
            ("/v2/queues/a+", "/v2/queues/aa"),
            ("", "/"),
        ] {
            assert!(!matches(path, pattern), "{pattern} {path}");
        }
    }

    #[test]
    fn hostile_patterns_take_no_time() {
        let pattern = "**a".repeat(200) + "b";
        assert!(!matches(&"a".repeat(2_000), &pattern));
    }

    #[test]
    fn a_rule_is_for_a_method_of_a_service_that_the_catalogue_names() {
        let rule = AccessRule { service: "messaging".into(), method: "GET".into(), path: "/v2/**".into() };
        let access =
            Access { rules: [rule].into(), service_types: ["messaging".into(), "compute".into()].into() };
        let ask = |kind, served, method: Method| permits(&access, kind, served, &method, "/v2/queues");
        assert!(ask(Some("messaging"), false, Method::GET));
        assert!(!ask(Some("messaging"), false, Method::PUT));
        assert!(
            ask(Some("messaging"), true, Method::PUT),
            "the rules were for the service that passes it on"
        );
        assert!(!ask(Some("compute"), false, Method::GET), "the rule is for another service");
        assert!(!ask(Some("queue"), true, Method::GET), "the catalogue does not name the service");
        assert!(!ask(None, false, Method::GET), "no type is set");
        let nothing = Access { rules: Box::default(), service_types: ["messaging".into()].into() };
        assert!(!permits(&nothing, Some("messaging"), false, &Method::GET, "/v2/queues"));
    }
}
