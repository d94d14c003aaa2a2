//! Which queues a listing wants: as much of that as the database can tell, and the rest here.
//!
//! `SQLite` answers exactly. Servers search the metadata for one text that it must hold, which is ten times faster
//! than their JSON functions and never fails on what somebody else wrote there; what they find is compared here, and
//! the next page is asked for until there are enough. The text is bound as bytes, in the two ways in which the
//! two services write JSON: without spaces, and with one behind each colon.

use super::dialect::Dialect;
use crate::model::Metadata;
use crate::storage::{Error, QueueFilter, Result};

/// Rows that a statement which filters is asked for at once, where more than the caller wants must be looked at.
pub(super) const CHUNK: usize = 2_000;

/// What a database can tell of the metadata.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All: the filters as JSON.
    Exactly(String),
    /// That it holds one of these texts.
    Holding([Vec<u8>; 2]),
    /// Nothing.
    Anything,
}

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

/// What the database is asked for: on servers the longest text that one of the filters gives.
pub(super) fn wanted(dialect: Dialect, filter: &QueueFilter) -> Result<Wanted> {
    if filter.metadata.is_empty() {
        return Ok(Wanted::Anything);
    }
    if dialect == Dialect::Sqlite {
        return json(&filter.metadata).map(Wanted::Exactly);
    }
    let mut best = Wanted::Anything;
    let mut length = 0;
    for (key, value) in filter.metadata.iter().filter(|(key, _)| is_plain(key)) {
        let (key, value) = (json(key)?, beginning(value)?);
        if length < key.len() + value.len() {
            length = key.len() + value.len();
            best = Wanted::Holding([format!("{key}:{value}").into(), format!("{key}: {value}").into()]);
        }
    }
    Ok(best)
}

/// True where the metadata has each of the keys with an equal value of the same type.
pub(super) fn fits(metadata: &Metadata, filter: &QueueFilter) -> bool {
    filter.metadata.iter().all(|(key, value)| metadata.get(key) == Some(value))
}

/// What the JSON of a value begins with, whoever wrote it.
fn beginning(value: &serde_json::Value) -> Result<String> {
    use serde_json::Value;
    Ok(match value {
        Value::String(text) if !is_plain(text) => "\"".to_owned(),
        Value::Array(_) => "[".to_owned(),
        Value::Object(_) => "{".to_owned(),
        // 1e300 may be written as 1e+300.
        Value::Number(number) if number.is_f64() => String::new(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => json(value)?,
    })
}

/// True for a text that every writer of JSON writes in the same way.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| (b' '..=b'~').contains(&b) && !matches!(b, b'"' | b'\\' | b'/'))
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Corrupt(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn holding(filters: &[(&str, Value)]) -> Option<String> {
        let metadata = filters.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let filter = QueueFilter { metadata, ..QueueFilter::default() };
        match wanted(Dialect::Postgres, &filter).unwrap() {
            Wanted::Holding([compact, _]) => Some(String::from_utf8(compact).unwrap()),
            _ => None,
        }
    }

    #[test]
    fn servers_search_for_what_every_writer_writes_alike() {
        for (value, expected) in [
            (json!(30), r#""k":30"#),
            (json!(1.5), r#""k":"#),
            (json!(true), r#""k":true"#),
            (json!("text"), r#""k":"text""#),
            (json!("é"), r#""k":""#),
            (json!("a/b"), r#""k":""#),
            (json!([1]), r#""k":["#),
            (json!({"a": 1}), r#""k":{"#),
        ] {
            assert_eq!(holding(&[("k", value.clone())]).as_deref(), Some(expected), "{value}");
        }
        assert_eq!(holding(&[("é", json!(1)), ("\"", json!(1))]), None);
        assert_eq!(holding(&[("a", json!(1)), ("é", json!("long")), ("b", json!(22))]).unwrap(), r#""b":22"#);
    }
}
