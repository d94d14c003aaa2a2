//! What a request is about: method and target.

use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;

use super::text::{Ids, hostile_text, one_of};

/// The body that an operation wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nothing,
    Messages,
    /// As v1 posts them.
    MessageArray,
    Claim,
    Patch,
    Metadata,
    Purge,
    Pool,
    Flavor,
}

/// Operations with the body that each wants; some more often than others.
const OPERATIONS: [(&str, &str, Kind); 26] = [
    ("GET", "/v2/queues", Kind::Nothing),
    ("PUT", "/v2/queues/{queue}", Kind::Metadata),
    ("GET", "/v2/queues/{queue}", Kind::Nothing),
    ("PATCH", "/v2/queues/{queue}", Kind::Patch),
    ("DELETE", "/v2/queues/{queue}", Kind::Nothing),
    ("GET", "/v2/queues/{queue}/stats", Kind::Nothing),
    ("POST", "/v2/queues/{queue}/purge", Kind::Purge),
    ("POST", "/v2/queues/{queue}/messages", Kind::Messages),
    ("POST", "/v2/queues/{queue}/messages", Kind::Messages),
    ("POST", "/v2/queues/{queue}/messages", Kind::Messages),
    ("GET", "/v2/queues/{queue}/messages", Kind::Nothing),
    ("GET", "/v2/queues/{queue}/messages", Kind::Nothing),
    ("DELETE", "/v2/queues/{queue}/messages", Kind::Nothing),
    ("GET", "/v2/queues/{queue}/messages/{id}", Kind::Nothing),
    ("DELETE", "/v2/queues/{queue}/messages/{id}", Kind::Nothing),
    ("POST", "/v2/queues/{queue}/claims", Kind::Claim),
    ("POST", "/v2/queues/{queue}/claims", Kind::Claim),
    ("GET", "/v2/queues/{queue}/claims/{id}", Kind::Nothing),
    ("PATCH", "/v2/queues/{queue}/claims/{id}", Kind::Claim),
    ("DELETE", "/v2/queues/{queue}/claims/{id}", Kind::Nothing),
    ("GET", "/", Kind::Nothing),
    ("HEAD", "/v2/ping", Kind::Nothing),
    ("GET", "/v1/queues/{queue}/metadata", Kind::Nothing),
    ("PUT", "/v1/queues/{queue}/metadata", Kind::Metadata),
    ("HEAD", "/v1/queues/{queue}", Kind::Nothing),
    ("GET", "/v1/health", Kind::Nothing),
];

/// What administrators do beside.
const ADMIN_OPERATIONS: [(&str, &str, Kind); 13] = [
    ("GET", "/v2/pools", Kind::Nothing),
    ("PUT", "/v2/pools/{name}", Kind::Pool),
    ("PUT", "/v2/pools/{name}", Kind::Pool),
    ("GET", "/v2/pools/{name}", Kind::Nothing),
    ("PATCH", "/v2/pools/{name}", Kind::Pool),
    ("DELETE", "/v2/pools/{name}", Kind::Nothing),
    ("GET", "/v2/flavors", Kind::Nothing),
    ("PUT", "/v2/flavors/{name}", Kind::Flavor),
    ("GET", "/v2/flavors/{name}", Kind::Nothing),
    ("PATCH", "/v2/flavors/{name}", Kind::Flavor),
    ("DELETE", "/v2/flavors/{name}", Kind::Nothing),
    ("GET", "/v2/health", Kind::Nothing),
    ("GET", "/v2/migrations", Kind::Nothing),
];

/// Methods for the wrong places.
const METHODS: [&str; 11] = [
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "get",
    "PROPFIND",
    "GETGETGETGETGETGETGET",
];

/// Other places.
const PLACES: [&str; 26] = [
    "/v2/",
    "/v2",
    "/v2/ping",
    "/healthcheck",
    "/healthcheck/live",
    "/v2/queues/",
    "/v2/health",
    "/v1",
    "/v1/",
    "/v1/queues",
    "/v1/queues/",
    "/v1/ping",
    "/v1/pools/p",
    "/v1.1/",
    "/v1.1/ping",
    "/v1.1/health",
    "/v1.1/flavors/f",
    "/v1.1/queues/q/metadata",
    "/v2/pools",
    "/v2/flavors/f",
    "/v2/topics/t",
    "/v2/queues/q/share",
    "/v2/queues/q/subscriptions",
    "//v2//queues/q/../q/./%2e%2e/",
    "/v2/queues/q/messages/",
    "/v2/queues/q/claims/x/y",
];

/// An operation: method, target, and the body it wants; or a method where it does not belong, or nonsense.
pub(super) fn operation(rng: &mut TestRng, ids: &Ids, admin: bool) -> (&'static str, String, Kind) {
    let operations = if admin && rng.random_bool(0.5) { &ADMIN_OPERATIONS[..] } else { &OPERATIONS };
    let (method, path, kind) = one_of(rng, operations);
    let method = if rng.random_bool(0.07) { one_of(rng, &METHODS) } else { method };
    let path = match rng.random_range(0..30) {
        0 => one_of(rng, &PLACES).to_owned(),
        1 => format!("/{}", escaped(&hostile_text(rng))),
        2 => format!("http://other.example{path}"),
        3..12 => path.replacen("/v2/", one_of(rng, &["/v1/", "/v1.1/"]), 1),
        _ => path.to_owned(),
    };
    let kind = if kind == Kind::Messages && path.starts_with("/v1/") { Kind::MessageArray } else { kind };
    let path = path.replace("{queue}", &queue(rng)).replace("{id}", &escaped(&ids.any(rng)));
    let path = path.replace("{name}", &name(rng));
    let target = if rng.random_bool(0.5) { path + "?" + &query(rng, ids) } else { path };
    (method, target, kind)
}

/// Of a pool or a flavor.
fn name(rng: &mut TestRng) -> String {
    escaped(&match rng.random_range(0..10) {
        0 => hostile_text(rng),
        1 => one_of(rng, &["x", "é", "\0"]).repeat(one_of(rng, &[0, 1, 64, 65])),
        _ => one_of(rng, &NAMES).to_owned(),
    })
}

/// Names of pools and of flavors.
pub(super) const NAMES: [&str; 3] = ["a", "b", "ä c"];

fn queue(rng: &mut TestRng) -> String {
    match rng.random_range(0..10) {
        0..9 => one_of(rng, &["q", "q", "r", "dead", "a.b-c_d"]).into(),
        _ if rng.random_bool(0.5) => {
            one_of(rng, &["x", "é", "q ", "%00", "q/r", "..", "."]).repeat(one_of(rng, &[1, 64, 65, 5_000]))
        }
        _ => hostile_text(rng),
    }
    .split('/')
    .map(escaped)
    .collect::<Vec<_>>()
    .join(one_of(rng, &["%2F", "%2f", "/"]))
}

fn query(rng: &mut TestRng, ids: &Ids) -> String {
    const NAMES: [&str; 16] = [
        "marker",
        "limit",
        "echo",
        "include_claimed",
        "include_delayed",
        "detailed",
        "name",
        "with_count",
        "ids",
        "pop",
        "claim_id",
        "claim_ids",
        "_default_message_ttl",
        "a",
        "%6cimit",
        "",
    ];
    let parameter = |rng: &mut TestRng| {
        let name = NAMES[rng.random_range(0..NAMES.len())];
        let value = match rng.random_range(0..20) {
            0 => one_of(rng, &["TRUE", "", "99999999999999999999", "+7", "1e3", "٣", "-1"]).into(),
            1 => {
                return one_of(
                    rng,
                    &[
                        "&&&",
                        "=",
                        "a=b=c",
                        "%",
                        "%zz=%zz",
                        "limit",
                        "marker=%ff%fe%00",
                        ";",
                        "limit=5;echo=true",
                    ],
                )
                .into();
            }
            2 => hostile_text(rng),
            _ => match name {
                "limit" | "pop" | "%6cimit" => rng.random_range(1..21).to_string(),
                "ids" | "claim_ids" => (0..rng.random_range(0..22)).map(|_| ids.any(rng) + ",").collect(),
                "marker" | "claim_id" => ids.any(rng),
                _ => one_of(rng, &["true", "False", "1"]).into(),
            },
        };
        format!("{name}={}", escaped(&value))
    };
    let parameters: Vec<_> = (0..rng.random_range(1..4)).map(|_| parameter(rng)).collect();
    parameters.join("&")
}

/// The text as a part of a target.
fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
        .map(|piece| match piece {
            "%2D" => "-",
            "%2E" => ".",
            "%5F" => "_",
            "%2C" => ",",
            other => other,
        })
        .collect()
}
