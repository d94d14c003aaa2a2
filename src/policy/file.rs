//! Policy files: YAML, of which JSON is a part; the names of rules and their checks, each with its line.

use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::parse::Written;

/// A rule of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileRule {
    /// Its name.
    pub(super) name: String,
    /// Its check.
    pub(super) written: Written,
    /// The line of its name, from 1.
    pub(super) line: usize,
}

/// Why a text is no policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileError {
    /// The line, from 1.
    pub(super) line: usize,
    /// What is wrong there, in one line.
    pub(super) problem: String,
}

/// The rules in the order of the file. Of two with one name the later counts.
pub(super) fn parse(text: &str) -> Result<Vec<FileRule>, FileError> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Vec::new());
    }
    let rules: Rules = yaml_serde::from_str(text).map_err(|error| FileError {
        line: error.location().map_or(1, |location| location.line()),
        problem: error.to_string().replace(['\n', '\r'], " "),
    })?;
    let mut end = 0;
    let with_line = |(name, written): (String, Written)| {
        end = place(text, end, &name).map_or(end, |at| at + name.len());
        FileRule { line: 1 + text[..end].matches('\n').count(), name, written }
    };
    Ok(rules.0.into_iter().map(with_line).collect())
}

/// Whether the text is JSON, which files once were.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// Where the name stands as a key, looked for from `from` on.
fn place(text: &str, from: usize, name: &str) -> Option<usize> {
    let is_key = |at: &usize| {
        let before =
            text[..*at].chars().next_back().is_none_or(|sign| !sign.is_alphanumeric() && sign != ':');
        let after = text[at + name.len()..].trim_start_matches(['"', '\'', ' ']);
        // Names of rules hold colons too; the one that ends a key has a blank or a value in quotes behind it.
        let value = after.strip_prefix(':').map(|value| value.chars().next());
        before && value.is_some_and(|sign| sign.is_none_or(|sign| !sign.is_alphanumeric()))
    };
    text[from..].match_indices(name).map(|(at, _)| from + at).find(is_key)
}

/// The rules of a document.
struct Rules(Vec<(String, Written)>);

impl<'de> Deserialize<'de> for Rules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RulesVisitor)
    }
}

struct RulesVisitor;

impl<'de> Visitor<'de> for RulesVisitor {
    type Value = Rules;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rules, each a name and a check in quotes")
    }

    fn visit_unit<E>(self) -> Result<Rules, E> {
        Ok(Rules(Vec::new()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rules, A::Error> {
        let mut rules = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            rules.push((name, map.next_value::<Check>()?.0));
        }
        Ok(Rules(rules))
    }
}

/// A check as it stands in a file.
struct Check(Written);

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CheckVisitor)
    }
}

struct CheckVisitor;

impl<'de> Visitor<'de> for CheckVisitor {
    type Value = Check;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a check in quotes, such as \"role:admin\", \"\" for everybody, \"!\" for nobody")
    }

    fn visit_str<E>(self, text: &str) -> Result<Check, E> {
        Ok(Check(Written::Text(text.to_owned())))
    }

    /// Python takes no check at all for one that permits everybody; whoever means that writes it.
    fn visit_unit<E: serde::de::Error>(self) -> Result<Check, E> {
        Err(E::custom("a rule without a check; write \"\" for everybody, \"!\" for nobody"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Check, A::Error> {
        let mut lists = Vec::new();
        while let Some(alternative) = list.next_element::<Alternative>()? {
            lists.push(alternative.0);
        }
        Ok(Check(Written::Lists(lists)))
    }
}

/// One of the alternatives of a list: a text, or texts that must all hold.
struct Alternative(Vec<String>);

impl<'de> Deserialize<'de> for Alternative {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
            Texts(Vec<String>),
        }
        match Either::deserialize(deserializer) {
            // An empty text is left out, like an empty list.
            Ok(Either::Text(text)) if text.is_empty() => Ok(Self(Vec::new())),
            Ok(Either::Text(text)) => Ok(Self(vec![text])),
            Ok(Either::Texts(texts)) => Ok(Self(texts)),
            Err(_) => Err(D::Error::custom("in a list: expected checks in quotes, or lists of them")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules as `line name=check` texts.
    fn read(text: &str) -> Vec<String> {
        let rules = parse(text).unwrap().into_iter();
        rules.map(|rule| format!("{} {}={}", rule.line, rule.name, rule.written.parse())).collect()
    }

    fn refused(text: &str) -> (usize, String) {
        let error = parse(text).unwrap_err();
        (error.line, error.problem)
    }

    #[test]
    fn rules_come_in_order_with_their_lines() {
        let text = "# a:b\n\"a:b\": \"role:x\"\n\na: rule:a:b\n'c' : [[\"role:y\", \"role:z\"], \"@\"]\nb: ''\na: '!'\n";
        assert_eq!(
            read(text),
            ["2 a:b=role:x", "4 a=rule:a:b", "5 c=((role:y and role:z) or @)", "6 b=@", "7 a=!"]
        );
        assert_eq!(
            read("{\n  \"a\": \"role:x\",\n  \"b\": [],\n \"c\": [[]], \"d\": [\"\"]}"),
            ["2 a=role:x", "3 b=@", "4 c=!", "4 d=!"]
        );
    }

    #[test]
    fn an_empty_file_has_no_rules() {
        for text in ["", "\n# nothing\n", "---\n", "{}", "null"] {
            assert!(read(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_policy_file_is_refused_with_its_line() {
        for (text, line, words) in [
            ("a: '@'\nb:\nc: ''\n", 2, "without a check"),
            ("a: '@'\nb: !\n", 2, ""),
            ("a: '@'\nb: @\n", 2, ""),
            ("a: '@'\nb: true\n", 2, "a check in quotes"),
            ("a: 1\n", 1, "a check in quotes"),
            ("a:\n  b: c\n", 2, "a check in quotes"),
            ("- a\n", 1, "rules, each a name"),
            ("text", 1, "rules, each a name"),
            ("a: '@'\nb: [[[\"role:x\"]]]\n", 2, "expected checks in quotes"),
            ("a: '@'\nb: 'x\n", 3, "at line 2"),
            ("{\"a\": \"@\",\n\"b\": }", 2, "without a check"),
        ] {
            let (found, problem) = refused(text);
            assert_eq!(found, line, "{text:?}: {problem}");
            assert!(problem.contains(words) && !problem.contains('\n'), "{text:?}: {problem}");
        }
    }
}
