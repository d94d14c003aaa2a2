//! The two encodings of frames. Inside the service there is one: what comes as MessagePack is turned into JSON text at
//! the door, and what leaves turned back.

pub(super) mod messagepack;

use bytes::Bytes;

use crate::model::json::Scanner;

/// How a frame is written: a reply as its request was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// A text frame of JSON.
    Json,
    /// A binary frame of MessagePack.
    MessagePack,
}

impl Encoding {
    /// The encoding in the words of the reference's errors.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "text (JSON)",
            Self::MessagePack => "binary (MessagePack)",
        }
    }

    /// A JSON text of our own making in this encoding.
    pub(super) fn of_json(self, text: Vec<u8>) -> Bytes {
        match self {
            Self::Json => text.into(),
            Self::MessagePack => match messagepack::from_json(&text) {
                Ok(frame) => frame.into(),
                Err(fault) => {
                    tracing::error!(error.cause = ?fault, "a frame could not be translated");
                    UNTRANSLATABLE.into()
                }
            },
        }
    }
}

/// `{"headers": {"status": 500}}`
const UNTRANSLATABLE: &[u8] = b"\x81\xa7headers\x81\xa6status\xcd\x01\xf4";

/// What is wrong with bytes that are not UTF-8, in Python's words.
pub(super) fn not_utf8(bytes: &[u8], problem: std::str::Utf8Error) -> String {
    let at = problem.valid_up_to();
    let byte = bytes.get(at).copied().unwrap_or(0);
    let reason = match (problem.error_len(), byte) {
        (None, _) => "unexpected end of data",
        (Some(_), 0xc2..=0xf4) => "invalid continuation byte",
        (Some(_), _) => "invalid start byte",
    };
    format!("UnicodeDecodeError: 'utf-8' codec can't decode byte 0x{byte:02x} in position {at}: {reason}")
}

/// What is wrong with a JSON text that `scanner` could not read, in Python's words.
pub(super) fn not_json(text: &str, scanner: &Scanner) -> String {
    if text.starts_with('\u{feff}') {
        return "JSONDecodeError: Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)"
            .into();
    }
    let trouble = scanner.trouble();
    let before = &text[..trouble.at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    let words = trouble.words;
    format!("JSONDecodeError: {words}: line {line} column {column} (char {})", before.chars().count())
}
