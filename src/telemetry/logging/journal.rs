//! The native protocol of the systemd journal: `NAME=value` lines, or a length where a value has line breaks.
//!
//! The names of the first fields are those that oslo.log's journal handler writes.

use std::io::Write as _;

use super::line;
use super::record::Record;

/// Appends one record: a datagram.
pub(super) fn entry(record: &Record<'_>, prog: &str, out: &mut Vec<u8>) {
    let mut message = Vec::new();
    line::message(record, &mut message);
    field(out, "MESSAGE", &message);
    field(out, "PRIORITY", record.severity().to_string().as_bytes());
    field(out, "SYSLOG_IDENTIFIER", prog.as_bytes());
    field(out, "LOGGER_NAME", record.dotted_target().as_bytes());
    field(out, "LOGGER_LEVEL", record.level_name().as_bytes());
    if let Some((file, line)) = record.source {
        field(out, "CODE_FILE", file.as_bytes());
        field(out, "CODE_LINE", line.to_string().as_bytes());
    }
    for (name, value) in record.fields.iter() {
        field(out, &journal_name(name), value.to_string().as_bytes());
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    // Writing to memory cannot fail.
    let _ = out.write_all(name.as_bytes());
    if value.contains(&b'\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Upper case with underscores; a name may not begin with one.
fn journal_name(name: &str) -> String {
    let upper: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if upper.starts_with(|c: char| c.is_ascii_uppercase()) { upper } else { format!("F{upper}") }
}
