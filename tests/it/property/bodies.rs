//! Bodies: right, nearly right, and wrong.

use std::io::Write as _;

use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;

use super::json;
use super::target::{Kind, NAMES};
use super::text::{Ids, one_of};

/// A body of that kind, perhaps spoilt, perhaps of no kind at all.
pub(super) fn body(rng: &mut TestRng, kind: Kind, ids: &Ids) -> Vec<u8> {
    const PURGES: [&str; 6] = ["[\"messages\"]", "[\"subscriptions\"]", "[]", "\"messages\"", "[1]", "7"];
    if kind == Kind::Nothing || rng.random_bool(0.1) {
        return nonsense(rng, ids);
    }
    let mut body = match kind {
        Kind::Claim => format!("{{\"ttl\":{},\"grace\":{}}}", odd_number(rng), odd_number(rng)),
        Kind::Patch => patch(rng),
        Kind::Metadata => metadata(rng),
        Kind::Purge => format!("{{\"resource_types\":{}}}", one_of(rng, &PURGES)),
        Kind::Pool => pool(rng),
        Kind::Flavor => flavor(rng),
        Kind::MessageArray => message_array(rng),
        Kind::Messages | Kind::Nothing => format!("{{\"messages\":{}}}", message_array(rng)),
    }
    .into_bytes();
    if rng.random_bool(0.1) {
        spoil(rng, &mut body);
    }
    body
}

/// The body packed by gzip, perhaps damaged, perhaps far larger than it looks.
pub(super) fn packed(rng: &mut TestRng, body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    match rng.random_range(0..8) {
        0 => encoder.write_all(&vec![b' '; 3_000_000]),
        _ => encoder.write_all(body),
    }
    .expect("memory takes all");
    let mut packed = encoder.finish().expect("memory takes all");
    if rng.random_bool(0.3) {
        spoil(rng, &mut packed);
    }
    packed
}

fn message_array(rng: &mut TestRng) -> String {
    let message = |rng: &mut TestRng| {
        let mut fields = Vec::new();
        if rng.random_bool(0.98) {
            let value = json::value(rng, 4);
            fields.push(format!("\"body\":{}", value.loose(rng)));
        }
        for field in ["ttl", "delay"] {
            if rng.random_bool(0.4) {
                fields.push(format!("\"{field}\":{}", odd_number(rng)));
            }
        }
        if rng.random_bool(0.1) {
            fields.push(format!("{}:1", json::string(rng)));
        }
        format!("{{{}}}", fields.join(","))
    };
    let count = if rng.random_bool(0.95) { rng.random_range(1..5) } else { one_of(rng, &[0, 100]) };
    let list: Vec<_> = (0..count).map(|_| message(rng)).collect();
    format!("[{}]", list.join(","))
}

/// A pool in memory or beside the other files; nothing that would have to be looked for in a network.
fn pool(rng: &mut TestRng) -> String {
    const URIS: [&str; 6] = ["\"\"", "7", "\"memory:\"", "\"sqlite://../x\"", "\"nothing://x\"", "null"];
    let uri = match rng.random_range(0..8) {
        0 => one_of(rng, &URIS).into(),
        1 => json::string(rng),
        _ => format!("\"{}://{}\"", one_of(rng, &["memory", "sqlite"]), one_of(rng, &["a", "b", "c", "d"])),
    };
    let mut fields = vec![format!("\"uri\":{uri}"), format!("\"weight\":{}", odd_number(rng))];
    for (field, values) in
        [("flavor", ["\"a\"", "\"\"", "\"none\"", "[]"]), ("options", ["{}", "{\"a\":[{}]}", "7", "null"])]
    {
        if rng.random_bool(0.3) {
            fields.push(format!("\"{field}\":{}", one_of(rng, &values)));
        }
    }
    // Changes say less than all.
    fields.retain(|_| rng.random_bool(0.9));
    format!("{{{}}}", fields.join(","))
}

fn flavor(rng: &mut TestRng) -> String {
    let names: Vec<_> = (0..rng.random_range(0..3)).map(|_| format!("\"{}\"", one_of(rng, &NAMES))).collect();
    match rng.random_range(0..8) {
        0 => one_of(rng, &["{}", "{\"pool_list\":7}", "{\"pool_list\":[{}]}", "{\"pool\":\"a\"}"]).into(),
        1 => format!("{{\"pool_list\":[{}],\"capabilities\":7}}", names.join(",")),
        _ => format!("{{\"pool_list\":[{}]}}", names.join(",")),
    }
}

/// What stands where an integer belongs.
fn odd_number(rng: &mut TestRng) -> String {
    match rng.random_range(0..80) {
        0 => json::number(rng),
        1 => json::value(rng, 1).tight(),
        2 => "9".repeat(rng.random_range(1..5_000)),
        3..70 => rng.random_range(60..900).to_string(),
        _ => one_of(
            rng,
            &[
                "-1",
                "0",
                "59",
                "1209601",
                "220367260800",
                "9223372036854775808",
                "1.5",
                "true",
                "null",
                "\"60\"",
                "NaN",
                "-Infinity",
            ],
        )
        .into(),
    }
}

fn patch(rng: &mut TestRng) -> String {
    let operation = |rng: &mut TestRng| {
        let op = one_of(rng, &["add", "add", "replace", "remove", "move", "ADD"]);
        let path = one_of(
            rng,
            &[
                "/metadata/a",
                "/metadata/a",
                "/metadata/b",
                "/metadata/_default_message_ttl",
                "/metadata/_max_claim_count",
                "/metadata",
                "metadata/a",
                "/metadata//a",
                "/metadata/a~1b",
                "/metadata/~2",
                "/foo/a",
                "/metadata/a/b",
                "/METADATA/é",
                "/",
            ],
        );
        let value = if rng.random_bool(0.5) { odd_number(rng) } else { json::value(rng, 3).tight() };
        match rng.random_range(0..8) {
            0 => value,
            1 => format!("{{\"op\":{value},\"path\":{value}}}"),
            2 => format!("{{\"op\":\"{op}\",\"path\":\"{path}\"}}"),
            _ => format!("{{\"op\":\"{op}\",\"path\":\"{path}\",\"value\":{value}}}"),
        }
    };
    let list: Vec<_> = (0..rng.random_range(0..4)).map(|_| operation(rng)).collect();
    format!("[{}]", list.join(","))
}

fn metadata(rng: &mut TestRng) -> String {
    const NAMES: [&str; 10] = [
        "_default_message_ttl",
        "_max_messages_post_size",
        "_max_claim_count",
        "_dead_letter_queue_messages_ttl",
        "_default_message_delay",
        "_enable_encrypt_messages",
        "_retry_policy",
        "_dead_letter_queue",
        "_flavor",
        "plain",
    ];
    let member = |rng: &mut TestRng| {
        let value = match rng.random_range(0..4) {
            0 => json::value(rng, 2).tight(),
            1 => one_of(rng, &["\"dead\"", "false", "\"\"", "[]", "{}", "{\"minimum_delay\":\"x\"}"]).into(),
            _ => odd_number(rng),
        };
        format!("\"{}\":{value}", NAMES[rng.random_range(0..NAMES.len())])
    };
    let members: Vec<_> = (0..rng.random_range(0..4)).map(|_| member(rng)).collect();
    format!("{{{}}}", members.join(","))
}

fn nonsense(rng: &mut TestRng, ids: &Ids) -> Vec<u8> {
    match rng.random_range(0..8) {
        0 => Vec::new(),
        1 => one_of(
            rng,
            &["None", "[", "[]", "{}", ".", "123", "\"x\"", "  ", "\u{feff}{}", "{\"messages\":{}}"],
        )
        .into(),
        2 => vec![b'['; rng.random_range(1..100_000)],
        3 => b"{\"a\":".repeat(rng.random_range(1..50_000)),
        4 => (0..rng.random_range(1..300)).map(|_| rng.random()).collect(),
        5 => format!("{{\"messages\":[{{\"body\":{}1{}}}]}}", "[".repeat(127), "]".repeat(127)).into_bytes(),
        6 => vec![b' '; rng.random_range(60_000..300_000)],
        _ => ids.any(rng).into_bytes(),
    }
}

/// Changes some bytes.
fn spoil(rng: &mut TestRng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.random()),
            2 => drop(bytes.splice(at..at, *b"\\ud800")),
            _ if at < bytes.len() => bytes[at] = rng.random(),
            _ => bytes.extend_from_slice(b"\xff\xfe"),
        }
    }
}
