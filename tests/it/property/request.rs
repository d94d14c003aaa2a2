//! Requests: most of them nearly right, so that they get far.

use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;

use super::bodies;
use super::headers::header_text;
use super::target::{Kind, operation};
use super::text::{Ids, one_of};

/// A request as it goes over the wire.
pub(super) struct Request {
    pub(super) method: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    pub(super) form: Form,
    /// Its headers exceed a limit of the listener.
    pub(super) huge: bool,
    /// It claims to be pre-signed.
    pub(super) signed: bool,
    /// Its client may not take JSON.
    pub(super) odd_accept: bool,
}

/// What the client makes of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// By the rules: there must be an answer.
    Sound,
    /// Against the rules: the server may close without an answer.
    Broken,
    /// It stops in the middle and waits.
    Stalling,
}

impl Request {
    /// All of it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.method[..], b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        for (name, value) in &self.headers {
            bytes.extend([name, &b": "[..], value, b"\r\n"].concat());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        if self.form == Form::Stalling {
            bytes.truncate(bytes.len() * 2 / 3);
        }
        bytes
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.bytes();
        let shown = &bytes[..bytes.len().min(2_000)];
        write!(f, "{:?} ({} bytes)\n{}", self.form, bytes.len(), shown.escape_ascii())
    }
}

/// A request of any kind.
pub(super) fn request(rng: &mut TestRng, ids: &Ids, admin: bool) -> Request {
    let (method, target, kind) = operation(rng, ids, admin);
    let mut request = Request {
        method: method.into(),
        target: target.into_bytes(),
        headers: vec![(b"host".into(), b"x".into())],
        body: Vec::new(),
        form: Form::Sound,
        huge: false,
        signed: false,
        odd_accept: false,
    };
    request.identify(rng);
    if admin && rng.random_bool(0.95) {
        request.add("x-roles", "admin");
    }
    request.add_headers(rng);
    request.add_body(rng, kind, ids);
    request.headers.push((b"connection".into(), b"close".into()));
    if rng.random_bool(0.1) {
        request.break_rules(rng);
    }
    request
}

impl Request {
    /// Adds a header.
    pub(super) fn add(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.headers.push((name.into(), value.into()));
    }

    fn add_body(&mut self, rng: &mut TestRng, kind: Kind, ids: &Ids) {
        if !rng.random_bool(if kind == Kind::Nothing { 0.05 } else { 0.95 }) {
            return;
        }
        if kind == Kind::Patch && rng.random_bool(0.95) {
            self.add("content-type", "application/openstack-messaging-v2.0-json-patch");
        }
        self.body = bodies::body(rng, kind, ids);
        if rng.random_bool(0.08) {
            self.add("content-encoding", one_of(rng, &["gzip", "GZIP", "gzip", "br", "gzip, gzip"]));
            self.body = bodies::packed(rng, &self.body);
        }
        if rng.random_bool(0.05) {
            self.add("expect", one_of(rng, &["100-continue", "100-continue", "other"]));
        }
        if rng.random_bool(0.15) {
            self.add("transfer-encoding", "chunked");
            self.body = chunked(rng, &self.body);
        } else {
            self.add("content-length", self.body.len().to_string());
        }
    }

    /// Does what HTTP forbids.
    fn break_rules(&mut self, rng: &mut TestRng) {
        self.form = Form::Broken;
        match rng.random_range(0..12) {
            0 => self.add(
                "content-length",
                one_of(rng, &["-1", "99999999999999999999", "0x10", "", "1, 2", "+5", "1000000"]),
            ),
            1 => self.add("transfer-encoding", one_of(rng, &["gzip", "chunked, identity", "x", "chunked"])),
            2 => self.headers.push((header_text(rng), b"x".into())),
            3 => self.add("x-bad", b"a\0b".to_vec()),
            4 => self.add("x-bad", b"a\rb\nc".to_vec()),
            5 => self.target = (0..rng.random_range(1..50)).map(|_| rng.random()).collect(),
            6 => self
                .target
                .extend_from_slice(one_of::<&[u8]>(rng, &[b"\xff\xfe", b"\"<>{}|^`", b" x y", b"\0"])),
            7 => self.method = one_of(rng, &["", "CONNECT", "G T", "\u{e9}", "GET\t", "PRI"]).into(),
            8 => {
                self.target = one_of(
                    rng,
                    &["*", "v2/queues", "", "http://", "other.example:80", "/v2/queues HTTP/9.9\r\nx: y"],
                )
                .into();
            }
            9 => self.add("upgrade", one_of(rng, &["websocket", "h2c", "TLS/1.0"])),
            10 => {
                self.method = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
                self.method.extend((0..rng.random_range(0..200)).map(|_| rng.random::<u8>()));
            }
            _ => {
                let cut = rng.random_range(0..=self.body.len());
                self.body.truncate(cut);
            }
        }
    }
}

/// The body in chunks.
fn chunked(rng: &mut TestRng, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (chunk, others) = rest.split_at(rng.random_range(1..=rest.len()));
        bytes.extend(format!("{:x}{}\r\n", chunk.len(), one_of(rng, &["", ";x=y"])).into_bytes());
        bytes.extend([chunk, b"\r\n"].concat());
        rest = others;
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}
