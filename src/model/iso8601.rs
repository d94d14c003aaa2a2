//! Calendar times in requests, as the reference reads them (oslo's `timeutils.parse_isotime`), and in answers.

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};

use crate::clock::Timestamp;

/// Reads a time: `YYYY`, `YYYY-MM`, `YYYY-MM-DD` or `YYYYMMDD`, and after a `T` or a blank hours, minutes and seconds
/// (with or without colons, the last ones may be missing), a fraction, and `Z` or an offset. Without an offset it is
/// UTC. The fraction is dropped. `None` for anything else, and for times beyond the years 1 to 9999.
pub fn parse(text: &str) -> Option<Timestamp> {
    let mut rest = Rest(text);
    let year = rest.digits(4, 4)?;
    let (month, day) = rest.month_and_day()?;
    let ([hour, minute, second], offset) =
        if rest.sign('T') || rest.sign(' ') { (rest.time()?, rest.offset()?) } else { ([0; 3], 0) };
    if !rest.0.is_empty() || year == 0 {
        return None;
    }
    let [month, day, hour, minute, second] =
        [month, day, hour, minute, second].map(|part| i8::try_from(part).unwrap_or(-1));
    let local = DateTime::new(i16::try_from(year).ok()?, month, day, hour, minute, second, 0).ok()?;
    let seconds = local.duration_since(EPOCH).as_secs() - offset;
    (FIRST..=LAST).contains(&seconds).then(|| Timestamp::from_micros(seconds.saturating_mul(1_000_000)))
}

/// The time in UTC as `YYYY-MM-DDTHH:MM:SS`.
pub fn utc(time: Timestamp) -> String {
    let time = EPOCH.saturating_add(SignedDuration::from_secs(time.seconds()));
    time.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// The first second of the year 1 and the last of 9999, since the Unix epoch.
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

/// What is not read yet.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// Takes as many digits as there are, at most `max`; `None` below `min`.
    fn digits(&mut self, min: usize, max: usize) -> Option<u16> {
        let count = self.0.bytes().take(max).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        (count >= min).then(|| digits.parse().ok()).flatten()
    }

    /// Takes that sign, if it comes next.
    fn sign(&mut self, sign: char) -> bool {
        let rest = self.0.strip_prefix(sign);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Month and day: both are 1 where they are missing. A month without a hyphen needs a day.
    fn month_and_day(&mut self) -> Option<(u16, u16)> {
        if self.0.is_empty() {
            return Some((1, 1));
        }
        let hyphen = self.sign('-');
        let month = self.digits(if hyphen { 1 } else { 2 }, 2)?;
        if hyphen && self.0.is_empty() {
            return Some((month, 1));
        }
        let least = if self.sign('-') { 1 } else { 2 };
        Some((month, self.digits(least, 2)?))
    }

    /// Hour, minute, second; the fraction is read over.
    fn time(&mut self) -> Option<[u16; 3]> {
        let mut time = [self.digits(2, 2)?, 0, 0];
        if self.goes_on() {
            time[1] = self.digits(2, 2)?;
            if self.goes_on() {
                time[2] = self.digits(1, 2)?;
                if self.sign('.') || self.sign(',') {
                    self.digits(1, 1)?;
                    self.0 = self.0.trim_start_matches(|c: char| c.is_ascii_digit());
                }
            }
        }
        Some(time)
    }

    /// Whether another part follows, with a colon before it or without.
    fn goes_on(&mut self) -> bool {
        self.sign(':') || self.0.starts_with(|c: char| c.is_ascii_digit())
    }

    /// The seconds by which the time is ahead of UTC.
    fn offset(&mut self) -> Option<i64> {
        if self.sign('Z') || self.0.is_empty() {
            return Some(0);
        }
        let sign = if self.sign('+') { 1 } else { self.sign('-').then_some(-1)? };
        let hours = i64::from(self.digits(2, 2)?);
        let minutes = if self.goes_on() { i64::from(self.digits(2, 2)?) } else { 0 };
        let seconds = hours * 3_600 + minutes * 60;
        (seconds < 86_400).then_some(sign * seconds)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read_in_every_spelling_of_the_reference() {
        for (text, normal) in [
            ("2030-01-02T03:04:05", "2030-01-02T03:04:05"),
            ("2030-01-02T03:04:05Z", "2030-01-02T03:04:05"),
            ("2030-01-02T03:04:05.999999Z", "2030-01-02T03:04:05"),
            ("2030-01-02 03:04:05,5", "2030-01-02T03:04:05"),
            ("20300102T030405Z", "2030-01-02T03:04:05"),
            ("2030-1-2", "2030-01-02T00:00:00"),
            ("20300102", "2030-01-02T00:00:00"),
            ("2030-02", "2030-02-01T00:00:00"),
            ("2030", "2030-01-01T00:00:00"),
            ("2030-01-02T03", "2030-01-02T03:00:00"),
            ("2030-01-02T03:04", "2030-01-02T03:04:00"),
            ("2030-01-02T03:04+01:30", "2030-01-02T01:34:00"),
            ("2030-01-02T03:04:05-0500", "2030-01-02T08:04:05"),
            ("2030-01-02T03:04:05+05", "2030-01-01T22:04:05"),
            ("9999-12-31T23:59:59", "9999-12-31T23:59:59"),
        ] {
            assert_eq!(parse(text).map(utc).as_deref(), Some(normal), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "",
            "x",
            "203",
            "203001",
            "2030-",
            "2030-13",
            "2030-02-30",
            "2030-01-02T",
            "2030-01-02t03:04",
            "2030-01-02T3:04",
            "2030-01-02T24:00",
            "2030-01-02T03:60",
            "2030-01-02T03:04:60",
            "2030-01-02T03:04:05.",
            "2030-01-02T03:04:05z",
            "2030-01-02T03:04:05+",
            "2030-01-02T03:04:05+5",
            "2030-01-02T03:04:05+24:00",
            "2030-01-02T03:04:05Zx",
            "2030-01-02T03:04:05\n",
            " 2030-01-02",
            "2030-01-02Z",
            "+2030-01-02",
            "0000-01-01",
            "9999-12-31T23:59:59-00:01",
            "0001-01-01T00:00:00+00:01",
            "٢٠٣٠-01-01",
            "20300-01-01",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in FIRST..=LAST) {
            let time = Timestamp::from_micros(seconds * 1_000_000);
            prop_assert_eq!(parse(&utc(time)), Some(time));
        }

        #[test]
        fn any_text_is_taken(text in "[0-9TZ:.,+\\- é]{0,30}|\\PC*") {
            parse(&text);
        }
    }
}
