//! Patches of metadata: the subset of JSON patch (draft 10) that queues accept (rest.md 4.7).
//!
//! Both steps are plain functions. Texts of errors are the reference's and go to the client as they are.

use serde_json::Value;

use super::Metadata;
use super::json::{self, BodyError};
use super::metadata::is_shown;

/// One change of one key.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Sets the key, there or not.
    Add(String, Value),
    /// Sets the key, which must be there, or be an attribute that is shown anyway.
    Replace(String, Value),
    /// Removes the key, which must be there, or be an attribute that is shown anyway.
    Remove(String),
}

/// What is wrong with a patch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// It is no JSON array.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// An element of the array is no object.
    #[error("Operations must be JSON objects.")]
    NotAnObject,
    /// An operation does not say what to do.
    #[error(
        "Unable to find `op` in JSON Schema change. It must be one of the following: add, remove, replace."
    )]
    NoOperation,
    /// An operation of that name does not exist.
    #[error("Invalid operation: `{0}`. It must be one of the following: add, remove, replace.")]
    UnknownOperation(String),
    /// An operation does not say where.
    #[error("Unable to find 'path' in JSON Schema change")]
    NoPath,
    /// The path does not begin with a slash, or is no string at all.
    #[error("Pointer `{0}` does not start with \"/\".")]
    Relative(String),
    /// The path has an empty or blank segment before its last one.
    #[error("Pointer `{0}` contains adjacent \"/\".")]
    EmptySegment(String),
    /// The path ends with a slash.
    #[error("Pointer `{0}` end with \"/\".")]
    TrailingSlash(String),
    /// The path consists of blanks and a slash.
    #[error("Pointer `{0}` does not contains valid token.")]
    Blank(String),
    /// The path has a tilde with neither 0 nor 1 behind it.
    #[error("Pointer `{0}` contains \"~\" not part of a recognized escape sequence.")]
    Tilde(String),
    /// The path (shown decoded, without its first slash) has not exactly two segments.
    #[error("Invalid JSON pointer for this resource: '/{0}, e.g /metadata/key'")]
    NotTwoSegments(String),
    /// The operation of that name needs a value.
    #[error("Operation \"{0}\" requires a member named \"value\".")]
    NoValue(&'static str),
    /// The first segment is not `metadata`.
    #[error("The root of path must be metadata, e.g /metadata/key.")]
    WrongRoot,
}

/// A patch does not fit the metadata it is for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The key to replace is not there.
    #[error("Can't replace non-existent object {0}.")]
    Replace(String),
    /// The key to remove is not there.
    #[error("Can't remove non-existent object {0}.")]
    Remove(String),
}

/// Reads a patch: a JSON array of operations, which may be empty. The first fault is told.
pub fn parse(body: &[u8]) -> Result<Vec<Operation>, PatchError> {
    json::array(body)?.into_iter().map(operation).collect()
}

/// The metadata with all operations applied in order; what remains keeps its order, and what is new follows.
///
/// The reserved attributes in the result are not judged here.
pub fn apply(metadata: &Metadata, patch: &[Operation]) -> Result<Metadata, Conflict> {
    let mut patched = metadata.clone();
    for operation in patch {
        match operation {
            Operation::Replace(key, _) if !patched.contains_key(key) && !is_shown(key) => {
                return Err(Conflict::Replace(key.clone()));
            }
            Operation::Add(key, value) | Operation::Replace(key, value) => {
                patched.insert(key.clone(), value.clone());
            }
            Operation::Remove(key) => {
                if patched.shift_remove(key).is_none() && !is_shown(key) {
                    return Err(Conflict::Remove(key.clone()));
                }
            }
        }
    }
    Ok(patched)
}

fn operation(element: Value) -> Result<Operation, PatchError> {
    let Value::Object(mut members) = element else { return Err(PatchError::NotAnObject) };
    let name = match members.get("op") {
        None | Some(Value::Null) => return Err(PatchError::NoOperation),
        Some(Value::String(name)) => name.clone(),
        Some(other) => return Err(PatchError::UnknownOperation(other.to_string())),
    };
    if !["add", "remove", "replace"].contains(&&*name) {
        return Err(PatchError::UnknownOperation(name));
    }
    let [root, key] = match members.get("path") {
        None => return Err(PatchError::NoPath),
        Some(Value::String(pointer)) => segments(pointer)?,
        Some(other) => return Err(PatchError::Relative(other.to_string())),
    };
    // Removing does not look at the root: `/foo/a` removes `a`, as in the reference.
    let mut value = |name| {
        let value = members.shift_remove("value").ok_or(PatchError::NoValue(name))?;
        if root.to_lowercase() == "metadata" { Ok(value) } else { Err(PatchError::WrongRoot) }
    };
    match &*name {
        "add" => Ok(Operation::Add(key, value("add")?)),
        "replace" => Ok(Operation::Replace(key, value("replace")?)),
        _ => Ok(Operation::Remove(key)),
    }
}

/// The two segments of a path, decoded, without blanks around them.
fn segments(pointer: &str) -> Result<[String; 2], PatchError> {
    let Some(path) = pointer.strip_prefix('/') else { return Err(PatchError::Relative(pointer.into())) };
    let raw: Vec<_> = path.split('/').collect();
    let inner = raw.get(1..raw.len() - 1).unwrap_or_default();
    if path.starts_with('/') || inner.iter().any(|segment| segment.chars().all(is_space)) {
        return Err(PatchError::EmptySegment(pointer.into()));
    }
    if path.ends_with('/') {
        return Err(PatchError::TrailingSlash(pointer.into()));
    }
    if path.trim_matches(is_space) == "/" {
        return Err(PatchError::Blank(pointer.into()));
    }
    if path.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1'])) {
        return Err(PatchError::Tilde(pointer.into()));
    }
    let decode =
        |segment: &str| segment.replace("~1", "/").replace("~0", "~").trim_matches(is_space).to_owned();
    let decoded: Vec<_> = raw.into_iter().map(decode).collect();
    <[String; 2]>::try_from(decoded).map_err(|decoded| PatchError::NotTwoSegments(decoded.join("/")))
}

/// True for what the reference's language counts as white space.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn told(patch: &str) -> String {
        parse(patch.as_bytes()).unwrap_err().to_string()
    }

    fn patched(metadata: &str, patch: &str) -> Result<String, Conflict> {
        let patch = parse(patch.as_bytes()).unwrap();
        apply(&json::object(metadata.as_bytes()).unwrap(), &patch)
            .map(|it| serde_json::to_string(&it).unwrap())
    }

    #[test]
    fn a_patch_adds_replaces_and_removes_in_order() {
        let ok = |text: &str| Ok(text.to_owned());
        let metadata = r#"{"_default_message_ttl":300,"k":"v","z":1}"#;
        for (patch, expected) in [
            ("[]", ok(metadata)),
            (
                r#"[{"op": "add", "path": "/metadata/new", "value": null}, {"op": "replace", "path": "/metadata/k", "value": [1]}]"#,
                ok(r#"{"_default_message_ttl":300,"k":[1],"z":1,"new":null}"#),
            ),
            (r#"[{"op": "remove", "path": "/metadata/_default_message_ttl"}]"#, ok(r#"{"k":"v","z":1}"#)),
            (
                r#"[{"op": "remove", "path": "/foo/k"}, {"op": "remove", "path": "/metadata/_max_claim_count"}]"#,
                ok(r#"{"_default_message_ttl":300,"z":1}"#),
            ),
            (
                r#"[{"op": "replace", "path": "/ MetaData / _max_claim_count ", "value": 3, "x": 1}]"#,
                ok(r#"{"_default_message_ttl":300,"k":"v","z":1,"_max_claim_count":3}"#),
            ),
            (
                r#"[{"op": "add", "path": "/metadata/a~1b~01~0", "value": 0}, {"op": "add", "path": "/metadata/a", "path": "/metadata/ ", "value": 1}]"#,
                ok(r#"{"_default_message_ttl":300,"k":"v","z":1,"a/b~1~":0,"":1}"#),
            ),
            (
                r#"[{"op": "remove", "path": "/metadata/k"}, {"op": "replace", "path": "/metadata/k", "value": 1}]"#,
                Err(Conflict::Replace("k".into())),
            ),
            (
                r#"[{"op": "replace", "path": "/metadata/_retry_policy", "value": {}}]"#,
                Err(Conflict::Replace("_retry_policy".into())),
            ),
            (r#"[{"op": "remove", "path": "/metadata/none"}]"#, Err(Conflict::Remove("none".into()))),
        ] {
            assert_eq!(patched(metadata, patch), expected, "{patch}");
        }
        assert_eq!(Conflict::Replace("none".into()).to_string(), "Can't replace non-existent object none.");
        assert_eq!(Conflict::Remove("none".into()).to_string(), "Can't remove non-existent object none.");
    }

    #[test]
    fn faults_are_told_in_the_words_of_the_reference() {
        let op = "It must be one of the following: add, remove, replace.";
        for (element, expected) in [
            ("1", "Operations must be JSON objects.".to_owned()),
            (r#"{"path": "/metadata/a"}"#, format!("Unable to find `op` in JSON Schema change. {op}")),
            (r#"{"op": null}"#, format!("Unable to find `op` in JSON Schema change. {op}")),
            (r#"{"op": "move", "path": 1}"#, format!("Invalid operation: `move`. {op}")),
            (r#"{"op": ["add"]}"#, format!("Invalid operation: `[\"add\"]`. {op}")),
            (r#"{"op": "add", "value": 1}"#, "Unable to find 'path' in JSON Schema change".to_owned()),
            (
                r#"{"op": "add", "path": "/metadata/a"}"#,
                r#"Operation "add" requires a member named "value"."#.to_owned(),
            ),
            (
                r#"{"op": "replace", "path": "/x/a"}"#,
                r#"Operation "replace" requires a member named "value"."#.to_owned(),
            ),
            (
                r#"{"op": "add", "path": "/x/y", "value": 1}"#,
                "The root of path must be metadata, e.g /metadata/key.".to_owned(),
            ),
        ] {
            assert_eq!(told(&format!("[{element}]")), expected, "{element}");
        }
        for (body, error) in [
            ("{\"op\": \"add\"}", BodyError::Unsupported),
            ("{", BodyError::Malformed),
            ("[9223372036854775808]", BodyError::TooLargeInteger),
            ("\"x\"", BodyError::Malformed),
        ] {
            assert_eq!(parse(body.as_bytes()), Err(PatchError::Body(error)), "{body}");
        }
    }

    #[test]
    fn paths_are_judged_in_the_words_of_the_reference() {
        for (path, expected) in [
            (r#""metadata/a""#, "Pointer `metadata/a` does not start with \"/\"."),
            (r#""""#, "Pointer `` does not start with \"/\"."),
            ("5", "Pointer `5` does not start with \"/\"."),
            (r#""//metadata/a""#, "Pointer `//metadata/a` contains adjacent \"/\"."),
            (r#""/metadata//a""#, "Pointer `/metadata//a` contains adjacent \"/\"."),
            (r#""/metadata/ \t/a""#, "Pointer `/metadata/ \t/a` contains adjacent \"/\"."),
            (r#""/metadata/\u001c/a""#, "Pointer `/metadata/\u{1c}/a` contains adjacent \"/\"."),
            (r#""/metadata/a/""#, "Pointer `/metadata/a/` end with \"/\"."),
            (r#""/ / ""#, "Pointer `/ / ` does not contains valid token."),
            (
                r#""/metadata/a~""#,
                "Pointer `/metadata/a~` contains \"~\" not part of a recognized escape sequence.",
            ),
            (
                r#""/metadata/~2""#,
                "Pointer `/metadata/~2` contains \"~\" not part of a recognized escape sequence.",
            ),
            (r#""/""#, "Invalid JSON pointer for this resource: '/, e.g /metadata/key'"),
            (r#""/a""#, "Invalid JSON pointer for this resource: '/a, e.g /metadata/key'"),
            (
                r#""/metadata/a/b ""#,
                "Invalid JSON pointer for this resource: '/metadata/a/b, e.g /metadata/key'",
            ),
        ] {
            for operation in ["add", "remove"] {
                assert_eq!(told(&format!(r#"[{{"op": "{operation}", "path": {path}}}]"#)), expected);
            }
        }
    }

    proptest! {
        /// Applying compared with a plain list of pairs.
        #[test]
        fn applying_agrees_with_a_list_of_pairs(
            stored in vec("[a-d]|_max_claim_count", 0..5),
            steps in vec(("add|remove|replace", "[a-d]|_max_claim_count|_flavor", 0_i64..9), 0..9),
        ) {
            let metadata: Metadata = stored.into_iter().map(|key| (key, Value::Null)).collect();
            let step = |(op, key, value): &(String, String, i64)| format!(r#"{{"op":"{op}","path":"/metadata/{key}","value":{value}}}"#);
            let body = format!("[{}]", steps.iter().map(step).collect::<Vec<_>>().join(","));
            let mut model: Vec<(String, Value)> = metadata.clone().into_iter().collect();
            let mut conflict = None;
            for (op, key, value) in steps {
                let place = model.iter().position(|(k, _)| *k == key);
                match (&*op, place) {
                    ("remove", Some(place)) => drop(model.remove(place)),
                    (_, None) if op != "add" && key != "_max_claim_count" => {
                        conflict = Some(key);
                        break;
                    }
                    ("remove", None) => {}
                    (_, Some(place)) => model[place].1 = value.into(),
                    (_, None) => model.push((key, value.into())),
                }
            }
            match apply(&metadata, &parse(body.as_bytes()).unwrap()) {
                Ok(patched) => {
                    prop_assert_eq!(conflict, None);
                    prop_assert_eq!(patched.into_iter().collect::<Vec<_>>(), model);
                }
                Err(Conflict::Replace(key) | Conflict::Remove(key)) => prop_assert_eq!(conflict, Some(key)),
            }
        }

        #[test]
        fn any_path_is_judged(path in "[/~01 am\\PC]{0,12}", op in "add|remove|replace") {
            let body = serde_json::json!([{"op": op, "path": path, "value": 1}]).to_string();
            if let Ok(operations) = parse(body.as_bytes()) {
                prop_assert_eq!(operations.len(), 1);
                prop_assert!(path.starts_with('/') && !path.contains("//") && !path.ends_with('/'));
            }
        }
    }
}
