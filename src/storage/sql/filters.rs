//! Which queues a listing wants: as much of that as the database can tell, and the rest here.
//!
//! `SQLite` answers exactly. On servers the statement finds all queues that fit and perhaps others, because their
//! JSON functions hold 1 and 1.0 equal and ask whether a list is contained, not whether it is the same; what it
//! finds is compared here, and the next page is asked for until there are enough.

use serde_json::Map;

use super::dialect::Dialect;
use crate::model::Metadata;
use crate::storage::{Error, QueueFilter, Result};

/// Rows that a statement which filters is asked for at once, where more than the caller wants must be looked at.
pub(super) const CHUNK: usize = 500;

/// True where no queue can fit: names hold no null characters.
pub(super) fn is_hopeless(filter: &QueueFilter) -> bool {
    filter.limit == 0 || filter.name.as_ref().is_some_and(|part| part.contains('\0'))
}

/// The text behind which names are wanted. Names hold no null characters, which `PostgreSQL` does not take: what
/// is behind `a\0b` is behind `a`.
pub(super) fn marker(filter: &QueueFilter) -> &str {
    let marker = filter.marker.as_deref().unwrap_or_default();
    marker.split('\0').next().unwrap_or_default()
}

/// What the statement `filtered` takes for its filters; `None` where the database can tell nothing.
pub(super) fn wanted(dialect: Dialect, filter: &QueueFilter) -> Result<Option<String>> {
    if dialect == Dialect::Sqlite {
        return json(&filter.metadata).map(Some);
    }
    let mut object = Map::new();
    for (key, value) in &filter.metadata {
        // The keys of an object are unique; a second value is compared here.
        if !object.contains_key(key) && can_tell(dialect, key, value)? {
            object.insert(key.clone(), value.clone());
        }
    }
    if object.is_empty() { Ok(None) } else { json(&object).map(Some) }
}

/// True where the metadata has each of the keys with an equal value of the same type.
pub(super) fn fits(metadata: &Metadata, filter: &QueueFilter) -> bool {
    filter.metadata.iter().all(|(key, value)| metadata.get(key) == Some(value))
}

/// Whether the database finds every queue that has this key with this value.
///
/// `MariaDB` compares texts as they are written in JSON, where the two services write some characters in different
/// ways. `PostgreSQL` knows no null character.
fn can_tell(dialect: Dialect, key: &str, value: &serde_json::Value) -> Result<bool> {
    if dialect == Dialect::Postgres {
        return Ok(!key.contains('\0') && !json(value)?.contains("\\u0000"));
    }
    let plain =
        |text: &str| text.bytes().all(|b| (b' '..=b'~').contains(&b) && !matches!(b, b'"' | b'\\' | b'/'));
    let scalar = match value {
        serde_json::Value::String(text) => plain(text),
        serde_json::Value::Array(_) | serde_json::Value::Object(_) => false,
        _ => true,
    };
    Ok(scalar && plain(key))
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Corrupt(error.to_string()))
}
