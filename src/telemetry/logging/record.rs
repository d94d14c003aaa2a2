//! What one log record holds, taken from an event of `tracing` and the spans around it.

use std::fmt::{self, Write as _};

use tracing::Level;
use tracing::field::{Field, Visit};

use crate::clock::Timestamp;
use crate::telemetry::span::{PROJECT_ID, REQUEST_ID};

/// One log record, before it has a format.
pub(super) struct Record<'a> {
    pub(super) time: Timestamp,
    pub(super) level: Level,
    /// The module it comes from, its parts parted by `::`.
    pub(super) target: &'a str,
    /// File and line of the source, where known.
    pub(super) source: Option<(&'a str, u32)>,
    pub(super) message: String,
    /// Its own fields first, then those of its spans, inner before outer; each name once.
    pub(super) fields: Fields,
}

impl Record<'_> {
    /// The name of its level as Python's logging has it.
    pub(super) fn level_name(&self) -> &'static str {
        match self.level {
            Level::ERROR => "ERROR",
            Level::WARN => "WARNING",
            Level::INFO => "INFO",
            Level::DEBUG => "DEBUG",
            Level::TRACE => "TRACE",
        }
    }

    /// Its severity in syslog's numbers, 0 to 7.
    pub(super) fn severity(&self) -> u8 {
        match self.level {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        }
    }

    /// Its target with dots.
    pub(super) fn dotted_target(&self) -> String {
        self.target.replace("::", ".")
    }

    /// The request that it belongs to.
    pub(super) fn request_id(&self) -> Option<&Value> {
        self.fields.get(REQUEST_ID)
    }

    /// The project that it belongs to.
    pub(super) fn project_id(&self) -> Option<&Value> {
        self.fields.get(PROJECT_ID)
    }
}

/// The longest text of one field or message, in bytes; more is cut off. Keeps a record far below a queue.
pub(super) const MAX_TEXT: usize = 8_192;

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Bool(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Signed(number) => number.fmt(f),
            Self::Unsigned(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
            Self::Bool(truth) => truth.fmt(f),
        }
    }
}

/// Named values, each name once.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    /// Sets a value, in its old place where the name is known.
    pub(super) fn set(&mut self, name: &'static str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Adds those of `outer` whose names are not here.
    pub(super) fn inherit(&mut self, outer: &Self) {
        for (name, value) in &outer.0 {
            if self.get(name).is_none() {
                self.0.push((name, value.clone()));
            }
        }
    }

    /// The value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Sets all of `newer`.
    pub(super) fn update(&mut self, newer: Self) {
        for (name, value) in newer.0 {
            self.set(name, value);
        }
    }

    /// All, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}

/// Collects the fields of an event or a span; the message apart.
#[derive(Default)]
pub(super) struct Collector {
    pub(super) message: String,
    pub(super) fields: Fields,
}

impl Collector {
    /// Takes what `write` writes, as far as it is not too long.
    fn set_text(&mut self, field: &Field, write: impl FnOnce(&mut Limited) -> fmt::Result) {
        let mut limited = Limited(String::new());
        // An error means that the limit is reached.
        let _ = write(&mut limited);
        if field.name() == "message" {
            self.message = limited.0;
        } else {
            self.fields.set(field.name(), Value::Text(limited.0));
        }
    }
}

impl Visit for Collector {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set_text(field, |text| write!(text, "{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set_text(field, |text| text.write_str(value));
    }

    /// An error with its causes, outermost first.
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.set_text(field, |text| write!(text, "{}", Chain(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.set(field.name(), Value::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.set(field.name(), Value::Unsigned(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.set(field.name(), Value::Float(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.set(field.name(), Value::Bool(value));
    }
}

/// Shows an error and its sources. Some libraries repeat the source in their own text; such is not said twice.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !said.contains(&text) {
                write!(f, ": {text}")?;
            }
            said = text;
            source = cause.source();
        }
        Ok(())
    }
}

/// Text that ends with `…` at [`MAX_TEXT`], and stops whoever writes it.
struct Limited(String);

impl fmt::Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_TEXT - self.0.len().min(MAX_TEXT);
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        self.0.push('…');
        Err(fmt::Error)
    }
}
