//! JSON values as text, in every legal way to write them.

use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A value, its scalars as they are written.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Scalar(String),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

/// Any document of the API; whatever else is in it must be JSON, with numbers of any size.
#[derive(Deserialize)]
pub(super) struct Document {
    pub(super) title: Option<String>,
}

/// A list of messages with the text of their bodies.
#[derive(Deserialize)]
pub(super) struct Messages {
    pub(super) messages: Vec<Message>,
}

/// A message with the text of its body.
#[derive(Deserialize)]
pub(super) struct Message {
    pub(super) body: Box<RawValue>,
}

impl Value {
    /// The text without any blanks.
    pub(super) fn tight(&self) -> String {
        self.written(&mut || "")
    }

    /// The text with blanks wherever they may stand.
    pub(super) fn loose(&self, rng: &mut TestRng) -> String {
        self.written(&mut || ["", "", "", " ", "\n", "\t", "\r\n  "][rng.random_range(0..7)])
    }

    fn written(&self, blank: &mut impl FnMut() -> &'static str) -> String {
        let mut text = blank().to_owned();
        match self {
            Self::Scalar(scalar) => text += scalar,
            Self::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| item.written(blank)).collect();
                text.extend(["[", blank(), &items.join(","), "]"]);
            }
            Self::Object(members) => {
                let member = |(key, value): &(String, Self)| {
                    format!("{}{key}{}:{}", blank(), blank(), value.written(blank))
                };
                let members: Vec<_> = members.iter().map(member).collect();
                text.extend(["{", &members.join(","), "}"]);
                if members.is_empty() {
                    text.insert_str(text.len() - 1, blank());
                }
            }
        }
        text + blank()
    }
}

/// Any value, nested at most so deep.
pub(super) fn value(rng: &mut TestRng, depth: usize) -> Value {
    match rng.random_range(0..if depth == 0 { 6 } else { 9 }) {
        0 => Value::Scalar(["null", "true", "false"][rng.random_range(0..3)].into()),
        1..3 => Value::Scalar(number(rng)),
        3..6 => Value::Scalar(string(rng)),
        6 => Value::Array((0..rng.random_range(0..4)).map(|_| value(rng, depth - 1)).collect()),
        _ => {
            // The number keeps keys apart, however they are written.
            let count = rng.random_range(0..4);
            let member = |index| (format!("\"{index}{}", &string(rng)[1..]), value(rng, depth - 1));
            Value::Object((0..count).map(member).collect())
        }
    }
}

/// A number: integers of 64 bits, others of any size.
pub(super) fn number(rng: &mut TestRng) -> String {
    const EDGES: [&str; 12] = [
        "0",
        "-0",
        "9223372036854775807",
        "-9223372036854775808",
        "1e400",
        "-1E-400",
        "0.1",
        "1.0",
        "1E+5",
        "3.141592653589793238462643383279502884197",
        "123456789012345678901234567890.5",
        "-0.0e-0",
    ];
    match rng.random_range(0..3) {
        0 => EDGES[rng.random_range(0..EDGES.len())].into(),
        1 => rng.random::<i64>().to_string(),
        _ => format!("{:e}", rng.random::<f64>() * 1e10),
    }
}

/// A string with all kinds of characters and escapes, in its quotes.
pub(super) fn string(rng: &mut TestRng) -> String {
    const PIECES: [&str; 20] = [
        "a",
        "Z",
        " ",
        "9",
        "é",
        "e\u{301}",
        "汉",
        "😀",
        "\u{feff}",
        "\u{2028}",
        "\u{7f}",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u0000",
        "\\u00e9",
        "\\uD83D\\ude00",
        "\\ufffe",
        "'",
    ];
    let pieces = (0..rng.random_range(0..12)).map(|_| PIECES[rng.random_range(0..PIECES.len())]);
    format!("\"{}\"", pieces.collect::<String>())
}
