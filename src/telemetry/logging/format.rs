//! A record into the bytes of one output.

use jiff::tz::TimeZone;

use super::record::Record;
use super::syslog::{self, Facility};
use super::{journal, json, line};

/// How the records of one output look.
#[derive(Clone, Debug)]
pub(super) struct Formatter {
    /// The name of the program.
    pub(super) prog: String,
    /// Its process.
    pub(super) pid: u32,
    /// The zone of times in text.
    pub(super) zone: TimeZone,
    pub(super) shape: Shape,
}

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A line of text.
    Line,
    /// A JSON object on a line.
    Json,
    /// A datagram for syslog, with text or a JSON object in it.
    Syslog { facility: Facility, json: bool },
    /// A datagram for the systemd journal.
    Journal,
}

impl Formatter {
    /// Appends the record, with its line end where the format has one.
    pub(super) fn write(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        match self.shape {
            Shape::Line => {
                line::line(record, &self.local(record), self.pid, out);
                out.push(b'\n');
            }
            Shape::Json => {
                json::object(record, self.pid, out);
                out.push(b'\n');
            }
            Shape::Syslog { facility, json } => self.syslog(record, facility, json, out),
            Shape::Journal => journal::entry(record, &self.prog, out),
        }
    }

    fn syslog(&self, record: &Record<'_>, facility: Facility, json: bool, out: &mut Vec<u8>) {
        let start = out.len();
        syslog::header(record, facility, &self.local(record), &self.prog, self.pid, out);
        if json {
            json::object(record, self.pid, out);
        } else {
            line::content(record, out);
        }
        out.truncate(start + syslog::MAX);
    }

    fn local(&self, record: &Record<'_>) -> jiff::Zoned {
        let time = jiff::Timestamp::from_microsecond(record.time.micros()).unwrap_or_default();
        time.to_zoned(self.zone.clone())
    }
}
