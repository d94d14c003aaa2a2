//! What the body of a request says of a pool, checked field by field (rest.md 10.2).

use serde_json::Value;

use crate::error::{Error, Result};
use crate::model::{Metadata, Pool};
use crate::service::pools::MAX_NAME;

/// The most characters of a URI: those of its column in the management store.
const MAX_URI: usize = 255;

/// The fields, those that stand there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Terms {
    pub(super) weight: Option<u32>,
    pub(super) uri: Option<String>,
    /// Empty: none.
    pub(super) flavor: Option<String>,
    pub(super) options: Option<Metadata>,
}

const FIELDS: &[&str] = &["weight", "uri", "flavor", "options"];

impl Terms {
    /// The terms of a new pool: weight and URI are needed, and nothing else than the four fields is taken.
    pub(super) fn of_new(body: &Value) -> Result<Self> {
        let fields = body.as_object().ok_or_else(|| Error::body("A pool is an object."))?;
        if let Some(unknown) = fields.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            return Err(Error::body(format!("A pool has no field \"{unknown}\".")));
        }
        let terms = Self::read(fields)?;
        match (&terms.uri, terms.weight) {
            (None, _) => Err(Error::body("Missing \"uri\" field.")),
            (_, None) => Err(Error::body("Missing \"weight\" field.")),
            _ => Ok(terms),
        }
    }

    /// The terms of a change: any of the four fields; others are nobody's.
    pub(super) fn of_change(body: &Value) -> Result<Self> {
        let fields = body.as_object().filter(|fields| FIELDS.iter().any(|field| fields.contains_key(*field)));
        Self::read(fields.ok_or_else(|| {
            Error::body("One of `uri`, `weight`, `flavor`, or `options` needs to be specified")
        })?)
    }

    fn read(fields: &Metadata) -> Result<Self> {
        let weight = |value: &Value| value.as_u64().and_then(|weight| u32::try_from(weight).ok());
        let object = |value: &Value| value.as_object().cloned();
        Ok(Self {
            weight: field(fields, "weight", weight, "an integer from 0 to 4294967295")?,
            uri: field(fields, "uri", |value| text(value, MAX_URI), "a string of at most 255 characters")?,
            flavor: field(
                fields,
                "flavor",
                |value| text(value, MAX_NAME),
                "a string of at most 64 characters",
            )?,
            options: field(fields, "options", object, "an object")?,
        })
    }

    /// The pool with these changes.
    pub(super) fn applied_to(&self, pool: &Pool) -> Pool {
        let flavor = self.flavor.clone().map(|flavor| Some(flavor).filter(|flavor| !flavor.is_empty()));
        Pool {
            name: pool.name.clone(),
            uri: self.uri.clone().unwrap_or_else(|| pool.uri.clone()),
            weight: self.weight.unwrap_or(pool.weight),
            flavor: flavor.unwrap_or_else(|| pool.flavor.clone()),
            options: self.options.clone().unwrap_or_else(|| pool.options.clone()),
        }
    }
}

/// The field as `read` reads it; one that it cannot read is an error.
fn field<T>(
    fields: &Metadata,
    name: &str,
    read: impl FnOnce(&Value) -> Option<T>,
    expected: &str,
) -> Result<Option<T>> {
    let Some(value) = fields.get(name) else { return Ok(None) };
    let words = || Error::body(format!("The \"{name}\" field must be {expected}."));
    read(value).map(Some).ok_or_else(words)
}

fn text(value: &Value, most: usize) -> Option<String> {
    let fits = |text: &&str| text.chars().count() <= most && !text.contains('\0');
    value.as_str().filter(fits).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_new_pool_needs_weight_and_uri_and_takes_nothing_unknown() {
        let terms =
            Terms::of_new(&json!({ "uri": "u", "weight": 4_294_967_295_u32, "flavor": "f" })).unwrap();
        let expected =
            Terms { weight: Some(u32::MAX), uri: Some("u".into()), flavor: Some("f".into()), options: None };
        assert_eq!(terms, expected);
        for bad in [
            json!([]),
            json!({}),
            json!({ "uri": "u" }),
            json!({ "weight": 1 }),
            json!({ "uri": "u", "weight": 1, "x": 1 }),
            json!({ "uri": "u", "weight": 1, "flavor": null }),
        ] {
            assert_eq!(Terms::of_new(&bad).unwrap_err().title(), "Invalid request body", "{bad}");
        }
    }

    #[test]
    fn every_field_has_its_type() {
        let long = "x".repeat(256);
        for (name, bad) in [
            ("weight", json!(-1)),
            ("weight", json!(4_294_967_296_u64)),
            ("weight", json!("big")),
            ("weight", json!(true)),
            ("weight", json!(1.5)),
            ("uri", json!(-1)),
            ("uri", json!([])),
            ("uri", json!(long)),
            ("flavor", json!(1)),
            ("flavor", json!(long)),
            ("options", json!(-1)),
            ("options", json!("wee")),
            ("options", json!([])),
        ] {
            let body = json!({ name: bad });
            assert!(Terms::of_change(&body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_change_has_one_of_its_fields_and_may_have_others() {
        for bad in [json!({}), json!({ "location": 1 }), json!([]), json!(["uri"])] {
            let words = Terms::of_change(&bad).unwrap_err().description().unwrap().into_owned();
            assert_eq!(words, "One of `uri`, `weight`, `flavor`, or `options` needs to be specified");
        }
        let terms = Terms::of_change(&json!({ "flavor": "", "location": 1 })).unwrap();
        assert_eq!(terms, Terms { flavor: Some(String::new()), ..Terms::default() });
    }
}
