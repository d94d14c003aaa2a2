//! The right side of a check: a text with `%(key)s`, filled in from the target as Python's `%` does it.

use std::borrow::Cow;

use super::facts::Facts;

/// A text that a target completes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The value of that key.
    Key(String),
    /// Another way of writing that key's value than `s`; Python may fail on it.
    Odd(String),
    /// What Python cannot fill in.
    Fault,
}

/// A template after a look at the target.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filled<'a> {
    /// The text.
    Text(Cow<'a, str>),
    /// The target lacks a key.
    Missing,
    /// The template is malformed.
    Fault,
}

impl Template {
    /// Reads the text.
    pub(super) fn new(text: &str) -> Self {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('%') {
            push(&mut parts, before);
            let (part, left) = directive(after);
            match part {
                Part::Text(text) => push(&mut parts, &text),
                Part::Fault => {
                    parts.push(Part::Fault);
                    return Self { parts };
                }
                part => parts.push(part),
            }
            rest = left;
        }
        push(&mut parts, rest);
        Self { parts }
    }

    /// What is wrong with it, if anything.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let odd = |part: &Part| matches!(part, Part::Odd(_) | Part::Fault);
        self.parts.iter().any(odd).then_some("of the forms with % only %(key)s and %% can be used")
    }

    /// The text for that target. What comes first decides: a key that is missing, or a fault.
    pub(super) fn fill<'a>(&'a self, target: &'a dyn Facts) -> Filled<'a> {
        match self.parts.as_slice() {
            [] => return Filled::Text(Cow::Borrowed("")),
            [Part::Text(text)] => return Filled::Text(Cow::Borrowed(text)),
            [Part::Key(key)] => {
                return target.fact(key).map_or(Filled::Missing, |fact| Filled::Text(fact.text()));
            }
            _ => {}
        }
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Key(key) => match target.fact(key) {
                    Some(fact) => text.push_str(&fact.text()),
                    None => return Filled::Missing,
                },
                Part::Odd(key) if target.fact(key).is_none() => return Filled::Missing,
                Part::Odd(_) | Part::Fault => return Filled::Fault,
            }
        }
        Filled::Text(Cow::Owned(text))
    }
}

/// Adds plain text, joined to the plain text before it.
fn push(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(before)) => before.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

/// What stands after a `%`, and the rest. A key may hold parentheses, if they are paired.
fn directive(text: &str) -> (Part, &str) {
    if let Some(rest) = text.strip_prefix('%') {
        return (Part::Text("%".to_owned()), rest);
    }
    let Some(key) = text.strip_prefix('(') else { return (Part::Fault, "") };
    let mut open = 1;
    let end = key.find(|sign: char| {
        open += i32::from(sign == '(') - i32::from(sign == ')');
        open == 0
    });
    let Some(end) = end else { return (Part::Fault, "") };
    let (key, after) = (key[..end].to_owned(), &key[end + 1..]);
    match after.strip_prefix('s') {
        Some(rest) => (Part::Key(key), rest),
        // What follows is read as plain text: the value is never used.
        None => (Part::Odd(key), after),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::policy::value::Value;

    /// The text for a target of two keys, `?` for a missing key and `!` for a fault.
    fn filled(text: &str) -> String {
        let keys =
            [("a", "1"), ("b(c)", "2")].map(|(key, text)| (key.to_owned(), Value::Text(text.to_owned())));
        let target = BTreeMap::from(keys);
        match Template::new(text).fill(&target) {
            Filled::Text(text) => text.into_owned(),
            Filled::Missing => "?".to_owned(),
            Filled::Fault => "!".to_owned(),
        }
    }

    #[test]
    fn keys_are_filled_in() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("%(a)s", "1"),
            ("x%(a)sy%(b(c))s", "x1y2"),
            ("100%%", "100%"),
            ("%(c)s", "?"),
            ("%(a)s%(c)s", "?"),
        ] {
            assert_eq!(filled(text), expected, "{text}");
            assert_eq!(Template::new(text).problem(), None, "{text}");
        }
    }

    #[test]
    fn what_python_fails_on_is_a_fault_unless_a_key_is_missing_before_it() {
        for (text, expected) in [
            ("%", "!"),
            ("%d", "!"),
            ("%s", "!"),
            ("%(a", "!"),
            ("%(a)d", "!"),
            ("%(c)d", "?"),
            ("%(c)s%d", "?"),
        ] {
            assert_eq!(filled(text), expected, "{text}");
            assert!(Template::new(text).problem().is_some(), "{text}");
        }
    }
}
