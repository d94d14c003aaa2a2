//! Query strings, read as the reference reads them (rest.md 1.7).

use percent_encoding::percent_decode;

use crate::error::{Error, ParameterType, Result};

/// The parameters of a request, in their order; those with blank values are dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads a query string. `+` is a blank; what is not UTF-8 is replaced, so that this never fails.
    pub fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            (!value.is_empty()).then(|| (decode(name), decode(value)))
        });
        Self { pairs: pairs.collect() }
    }

    /// The value of a parameter; of a repeated one, the last.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// An integer: an optional sign and digits. What lies beyond 64 bits is taken as the nearest that does not,
    /// which every range refuses alike.
    pub fn integer(&self, name: &'static str) -> Result<Option<i64>> {
        self.text(name)
            .map(|text| integer(text).ok_or(Error::Parameter(name, ParameterType::Integer)))
            .transpose()
    }

    /// A boolean, in one of the spellings that the reference knows.
    pub fn boolean(&self, name: &'static str) -> Result<Option<bool>> {
        let read = |text| match text {
            "true" | "True" | "t" | "yes" | "y" | "1" | "on" => Ok(true),
            "false" | "False" | "f" | "no" | "n" | "0" | "off" => Ok(false),
            _ => Err(Error::Parameter(name, ParameterType::Boolean)),
        };
        self.text(name).map(read).transpose()
    }

    /// A list: values separated by commas, repeated, or both; empty items are dropped.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        let values = self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        let items = values.flat_map(|value| value.split(',')).filter(|item| !item.is_empty());
        let items: Vec<_> = items.map(str::to_owned).collect();
        (!items.is_empty()).then_some(items)
    }

    /// The parameters other than these; of a repeated one, the last value.
    pub fn others(&self, known: &[&str]) -> Vec<(String, String)> {
        let mut others: Vec<(String, String)> = Vec::new();
        for (name, value) in self.pairs.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            match others.iter_mut().find(|(other, _)| other == name) {
                Some(other) => other.1.clone_from(value),
                None => others.push((name.clone(), value.clone())),
            }
        }
        others
    }
}

fn decode(text: &str) -> String {
    if !text.bytes().any(|b| matches!(b, b'+' | b'%')) {
        return text.to_owned();
    }
    let spaced = text.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8_lossy().into_owned()
}

fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude = digits
        .iter()
        .fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_the_reference_reads_them() {
        let query = Query::parse("limit=5&limit=7&echo=True&ids=a,b,&ids=c&blank=&n%61me=a+b%2Bc&bad=%zz%ff");
        assert_eq!(query.integer("limit").unwrap(), Some(7));
        assert_eq!(query.boolean("echo").unwrap(), Some(true));
        assert_eq!(query.list("ids").unwrap(), ["a", "b", "c"]);
        assert_eq!((query.text("blank"), query.list("blank")), (None, None));
        assert_eq!(query.text("name"), Some("a b+c"));
        assert_eq!(query.text("bad"), Some("%zz\u{fffd}"));
        assert_eq!(query.others(&["limit", "ids", "bad", "name"]), [("echo".into(), "True".into())]);
    }

    #[test]
    fn integers_have_digits_and_booleans_their_spellings() {
        for (text, value) in [("+7", 7), ("-0", 0), ("007", 7), ("99999999999999999999", i64::MAX)] {
            assert_eq!(Query { pairs: vec![("n".into(), text.into())] }.integer("n").unwrap(), Some(value));
        }
        for bad in ["x", "-", "1.0", "1_0", " 1", "0x1", "٣"] {
            let query = Query { pairs: vec![("n".into(), bad.into())] };
            assert!(query.integer("n").is_err(), "{bad}");
            assert!(query.boolean("n").is_err(), "{bad}");
        }
        assert!(Query::parse("b=TRUE").boolean("b").is_err());
    }
}
