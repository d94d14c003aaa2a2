//! Headers: client, project, and many others.

use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;

use super::request::Request;
use super::text::{hostile_text, one_of};
use crate::support::client::CLIENT_ID;

impl Request {
    /// Client and project.
    pub(super) fn identify(&mut self, rng: &mut TestRng) {
        match rng.random_range(0..120) {
            0 => {}
            1 => self.add("client-id", header_text(rng)),
            2 => self
                .add("client-id", one_of(rng, &["", "{3381af92-2b9e-11e3-b191-71861300734c}", "0xdeadbeef"])),
            _ => self.add("client-id", CLIENT_ID),
        }
        match rng.random_range(0..120) {
            0 => {}
            1 => self.add("x-project-id", header_text(rng)),
            2 => self.add("x-project-id", "x".repeat(one_of(rng, &[256, 257, 5_000]))),
            3 => self.add("x-project-id", ""),
            4 => self.add("X-Tenant-ID", "é"),
            _ => self.add("x-project-id", "p"),
        }
    }

    /// Headers that mean something, with values that do not.
    pub(super) fn add_headers(&mut self, rng: &mut TestRng) {
        if rng.random_bool(0.05) {
            let accept: Vec<u8> = match rng.random_range(0..3) {
                0 => header_text(rng),
                _ => one_of(
                    rng,
                    &[
                        "application/xml",
                        "text/html",
                        "*/*;q=0",
                        "application/json;q=x",
                        "",
                        "a/b/c;;,,",
                        "text/xml, application/json;q=0.5",
                    ],
                )
                .into(),
            };
            self.odd_accept = true;
            self.add("accept", accept);
        }
        if rng.random_bool(0.1) {
            self.add("accept-encoding", one_of(rng, &["gzip", "br", "gzip;q=0, *", "\t"]));
        }
        for _ in 0..rng.random_range(0..2) {
            match rng.random_range(0..12) {
                0 => self.add(
                    "content-type",
                    one_of(
                        rng,
                        &["application/x-www-form-urlencoded", "text/plain", "application/json; charset=x"],
                    ),
                ),
                1 => self.add("content-type", header_text(rng)),
                2 => self.add("origin", header_text(rng)),
                3 => self.add("x-roles", header_text(rng)),
                4 => {
                    self.signed = true;
                    self.add("url-signature", header_text(rng));
                }
                5 => self.add("extra-spec", header_text(rng)),
                6 => self.add("x-openstack-request-id", header_text(rng)),
                7 => self.add("range", "bytes=0-1,5-"),
                8 => self.add("x-http-method-override", "DELETE"),
                9 => self.add("x-forwarded-for", header_text(rng)),
                10 => self.add("if-none-match", "*"),
                _ => self.add("x-other", header_text(rng)),
            }
        }
        if rng.random_bool(0.01) {
            self.huge = true;
            match rng.random_range(0..3) {
                0 => self.add("x-long", "x".repeat(100_000)),
                1 => (0..150).for_each(|number| self.add(&format!("x-{number}"), "x")),
                _ => {
                    self.target.extend_from_slice(&b"?a="[..]);
                    self.target.extend(vec![b'a'; 70_000]);
                }
            }
        }
    }
}

/// A legal value of a header, of any bytes.
pub(super) fn header_text(rng: &mut TestRng) -> Vec<u8> {
    let legal = |byte: &u8| *byte >= 0x20 && *byte != 0x7f;
    match rng.random_range(0..3) {
        0 => (0..rng.random_range(0..40)).map(|_| rng.random()).filter(legal).collect(),
        1 => hostile_text(rng).into_bytes().into_iter().filter(legal).collect(),
        _ => one_of(rng, &["é", "e\u{301}", "a,b", "\"", "a;b=c", "admin", "  ", "*"]).into(),
    }
}
