//! Words of requests: ids that the server gave out, and what nobody expects.

use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;

/// Ids that the server gave out, and others.
#[derive(Default)]
pub(super) struct Ids {
    known: Vec<String>,
}

impl Ids {
    /// Takes note of what looks like an id or a marker in an answer.
    pub(super) fn learn(&mut self, body: &[u8]) {
        let text = String::from_utf8_lossy(body);
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')));
        let ids = words.filter(|word| (32..80).contains(&word.len())).take(10).map(str::to_owned);
        self.known.extend(ids);
        let excess = self.known.len().saturating_sub(40);
        self.known.drain(..excess);
    }

    /// A known id, or one that is wrong.
    pub(super) fn any(&self, rng: &mut TestRng) -> String {
        if !self.known.is_empty() && rng.random_bool(0.8) {
            let id = self.known[rng.random_range(0..self.known.len())].clone();
            return if rng.random_bool(0.05) { id.to_uppercase() } else { id };
        }
        match rng.random_range(0..4) {
            0 => uuid::Uuid::from_u128(rng.random()).to_string(),
            1 => hostile_text(rng),
            _ => one_of(
                rng,
                &["invalid", "", "0", "-1", "m", "mAAAA", "null", "3381af922b9e11e3b19171861300734c"],
            )
            .into(),
        }
    }
}

/// One of these.
pub(super) fn one_of<T: Copy>(rng: &mut TestRng, choices: &[T]) -> T {
    choices[rng.random_range(0..choices.len())]
}

/// Text that somebody might not expect.
pub(super) fn hostile_text(rng: &mut TestRng) -> String {
    match rng.random_range(0..6) {
        0 => (0..rng.random_range(0..20)).map(|_| rng.random::<char>()).collect(),
        1 => "\u{0}".repeat(rng.random_range(1..4)),
        2 => "a".repeat(one_of(rng, &[255, 256, 257, 4_000])),
        _ => one_of(
            rng,
            &[
                "'; DROP TABLE queues; --",
                "%s%n",
                "../../etc/passwd",
                "\u{202e}",
                "<script>",
                "{{7*7}}",
                "\"",
                "\\",
                "a\r\nx: y",
                "é",
                "e\u{301}",
                "\u{feff}",
                "ß",
                "İ",
                "-",
                "*",
            ],
        )
        .into(),
    }
}
