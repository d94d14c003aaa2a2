//! The text format, after oslo.log: `2026-11-21 01:02:03.456 PID LEVEL target [req-… project] message key=value`.
//!
//! A record is one line whatever is in it: control characters are escaped, in text that clients chose too.

use std::io::Write as _;

use jiff::Zoned;

use super::record::{Record, Value};
use crate::telemetry::span::{PROJECT_ID, REQUEST_ID};

/// Appends the whole line, without its end.
pub(super) fn line(record: &Record<'_>, time: &Zoned, pid: u32, out: &mut Vec<u8>) {
    // Writing to memory cannot fail, here and below.
    let _ = write!(out, "{} {pid} ", time.strftime("%Y-%m-%d %H:%M:%S%.3f"));
    content(record, out);
}

/// Appends what follows time and process: level, target, request, message and fields.
pub(super) fn content(record: &Record<'_>, out: &mut Vec<u8>) {
    let _ = write!(out, "{} {} [", record.level_name(), record.dotted_target());
    match (record.request_id(), record.project_id()) {
        (None, None) => out.push(b'-'),
        (request, project) => {
            push_escaped(out, &text_or_dash(request));
            if let Some(project) = project {
                out.push(b' ');
                push_escaped(out, &project.to_string());
            }
        }
    }
    out.extend_from_slice(b"] ");
    message(record, out);
}

/// Appends the message and the fields.
pub(super) fn message(record: &Record<'_>, out: &mut Vec<u8>) {
    push_escaped(out, &record.message);
    for (name, value) in record.fields.iter().filter(|(name, _)| ![REQUEST_ID, PROJECT_ID].contains(name)) {
        let _ = write!(out, " {name}=");
        match value {
            Value::Text(text) if needs_quotes(text) => {
                out.push(b'"');
                push_escaped(out, &text.replace('\\', "\\\\").replace('"', "\\\""));
                out.push(b'"');
            }
            Value::Text(text) => push_escaped(out, text),
            other => {
                let _ = write!(out, "{other}");
            }
        }
    }
}

fn text_or_dash(value: Option<&Value>) -> String {
    value.map_or_else(|| "-".to_owned(), ToString::to_string)
}

fn needs_quotes(text: &str) -> bool {
    text.is_empty() || text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '=' | '\\'))
}

/// Appends text with what could break the line, or deceive its reader, escaped.
fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(is_unsafe) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let mut chars = rest[at..].chars();
        if let Some(c) = chars.next() {
            let _ = match c {
                '\n' => out.write_all(b"\\n"),
                '\r' => out.write_all(b"\\r"),
                '\t' => out.write_all(b"\\t"),
                c => write!(out, "{}", c.escape_unicode()),
            };
        }
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
}

/// Control characters, line and paragraph separators, and marks that change the direction of text.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
