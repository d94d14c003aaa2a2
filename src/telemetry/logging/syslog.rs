//! The syslog format of RFC 3164, as `/dev/log` takes it: `<priority>Nov 21 01:02:03 prog[pid]: …`.

use std::io::Write as _;

use jiff::Zoned;

use super::record::Record;
use crate::telemetry::Error;

/// The longest datagram; what rsyslog takes by default.
pub(super) const MAX: usize = 8_192;

/// A facility of syslog, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facility(u8);

const FACILITIES: [(&str, u8); 20] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

impl Facility {
    /// The facility of that name, with or without `LOG_`, in any case; empty: user.
    pub(super) fn parse(name: &str) -> Result<Self, Error> {
        let short = name.trim().to_ascii_lowercase();
        let short = short.strip_prefix("log_").unwrap_or(&short);
        let short = if short.is_empty() { "user" } else { short };
        let known = FACILITIES.iter().find(|(known, _)| *known == short);
        known.map(|(_, number)| Self(*number)).ok_or_else(|| Error::Facility(name.to_owned()))
    }
}

/// Appends what stands before the content.
pub(super) fn header(
    record: &Record<'_>,
    facility: Facility,
    time: &Zoned,
    prog: &str,
    pid: u32,
    out: &mut Vec<u8>,
) {
    let priority = facility.0 * 8 + record.severity();
    // Writing to memory cannot fail.
    let _ = write!(out, "<{priority}>{} {prog}[{pid}]: ", time.strftime("%b %e %H:%M:%S"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facilities_are_found_by_both_of_their_names() {
        assert_eq!(Facility::parse("LOG_LOCAL3").unwrap(), Facility(19));
        assert_eq!(Facility::parse("daemon").unwrap(), Facility(3));
        assert_eq!(Facility::parse("").unwrap(), Facility(1));
        let error = Facility::parse("LOG_LOCAL8").unwrap_err();
        assert!(error.to_string().contains("LOG_LOCAL8"), "{error}");
    }
}
