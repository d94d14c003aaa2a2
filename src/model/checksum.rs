//! The checksum of a message: MD5 of its body as Python's `json.dumps` writes it (rest.md 5.1).
//!
//! That is: members in their order, `", "` and `": "` between them, everything outside printable ASCII escaped,
//! integers as digits, other numbers as the shortest text of the nearest 64-bit floating-point number.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};

use super::json::{Fault, Scanner, Text};

/// The checksum of a body in its kept form ([`super::json`]), or none where the body is `null` (or no JSON).
///
/// The body is read from front to back and nothing is built from it.
pub fn of(body: &[u8]) -> Option<[u8; 16]> {
    if body == b"null" {
        return None;
    }
    let mut hasher = Md5::new();
    write_value(&mut Scanner::new(body).ok()?, &mut hasher).ok()?;
    Some(hasher.finalize().into())
}

/// The checksum as clients are shown it.
pub fn text(checksum: [u8; 16]) -> String {
    format!("MD5:{:032x}", u128::from_be_bytes(checksum))
}

/// Steps over one value and hashes it as Python would write it.
fn write_value(scanner: &mut Scanner, out: &mut Md5) -> Result<(), Fault> {
    let first = scanner.peek()?;
    let start = scanner.at();
    match first {
        b'{' => {
            let mut separator = "{";
            scanner.object(|scanner, key| {
                out.update(std::mem::replace(&mut separator, ", "));
                write_string(key, out);
                out.update(": ");
                write_value(scanner, out)
            })?;
            out.update(if separator == "{" { "{}" } else { "}" });
        }
        b'[' => {
            let mut separator = "[";
            scanner.array(|scanner| {
                out.update(std::mem::replace(&mut separator, ", "));
                write_value(scanner, out)
            })?;
            out.update(if separator == "[" { "[]" } else { "]" });
        }
        b'"' => write_string(scanner.string()?, out),
        b'-' | b'0'..=b'9' => {
            scanner.value()?;
            write_number(scanner.since(start), out);
        }
        _ => {
            scanner.value()?;
            out.update(scanner.since(start));
        }
    }
    Ok(())
}

fn write_string(text: Text, out: &mut Md5) {
    let text = text.decoded();
    let mut written = String::with_capacity(text.len() + 2);
    written.push('"');
    for part in text.split_inclusive(|c| !is_plain(c)) {
        let special = part.chars().next_back().filter(|&c| !is_plain(c));
        written.push_str(&part[..part.len() - special.map_or(0, char::len_utf8)]);
        if let Some(c) = special {
            escape(c, &mut written);
        }
    }
    written.push('"');
    out.update(written);
}

/// True for what Python writes as it is.
fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~') && c != '"' && c != '\\'
}

fn escape(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        _ => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

fn write_number(text: &str, out: &mut Md5) {
    if text == "-0" {
        out.update("0");
    } else if text.contains(['.', 'e', 'E']) {
        // The scanner found a number, and every such text is one to Rust too.
        out.update(float(text.parse().unwrap_or_default()));
    } else {
        out.update(text);
    }
}

/// A floating-point number as Python's `repr` writes it: the shortest digits that mean it, with an exponent
/// below 0.0001 and from 1e16 on.
fn float(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    let text = format!("{value:?}");
    // Both change to an exponent at the same numbers; Python writes its sign and at least two digits.
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::json::messages;

    /// Lines of checksum and text, from the Python program beside it.
    const VECTORS: &str = include_str!("../../tests/vectors/checksums.txt");

    #[test]
    fn checksums_are_those_of_python() {
        for line in VECTORS.lines() {
            let (expected, text) = line.split_once(' ').unwrap();
            let post = Bytes::from(format!("{{\"messages\":[{{\"body\":{text}}}]}}"));
            let body = &messages(&post, false).unwrap()[0].body;
            assert_eq!(super::text(of(body).unwrap()), format!("MD5:{expected}"), "{text}");
        }
        assert!(VECTORS.lines().count() > 390);
    }

    #[test]
    fn null_has_no_checksum() {
        assert_eq!(of(b"null"), None);
    }
}
