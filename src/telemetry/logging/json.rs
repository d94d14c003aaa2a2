//! The JSON format: one flat object a record, dotted names kept, the fields of the request's span included.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::record::{Record, Value};
use crate::clock::Timestamp;

/// Appends the object, without a line end.
pub(super) fn object(record: &Record<'_>, pid: u32, out: &mut Vec<u8>) {
    // Neither writing to memory nor these types can fail.
    let _ = serde_json::to_writer(out, &Object { record, pid });
}

struct Object<'a> {
    record: &'a Record<'a>,
    pid: u32,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = self.record;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &rfc3339(record.time))?;
        map.serialize_entry("level", record.level_name())?;
        map.serialize_entry("target", &record.dotted_target())?;
        map.serialize_entry("pid", &self.pid)?;
        map.serialize_entry("message", &record.message)?;
        for (name, value) in record.fields.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Unsigned(number) => serializer.serialize_u64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
        }
    }
}

/// UTC, to the microsecond.
fn rfc3339(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_microsecond(time.micros()).unwrap_or_default();
    format!("{time:.6}")
}
