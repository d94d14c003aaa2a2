//! Values of any shape, as documents of credentials and targets hold them; written as Python writes them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::facts::{Fact, Facts};

/// A value of a JSON document.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `null`
    Nothing,
    /// `true` or `false`
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object.
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// As Python's `str` writes it.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => text.into(),
            other => other.literal().into(),
        }
    }

    /// As Python's `repr` writes it; texts as those without quotes and control signs in them are.
    fn literal(&self) -> String {
        match self {
            Self::Nothing => "None".to_owned(),
            Self::Flag(flag) => if *flag { "True" } else { "False" }.to_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Number(number) => float(*number),
            Self::Text(text) => quoted(text),
            Self::List(values) => {
                format!("[{}]", values.iter().map(Self::literal).collect::<Vec<_>>().join(", "))
            }
            Self::Object(values) => {
                let pair = |(key, value): (&String, &Self)| format!("{}: {}", quoted(key), value.literal());
                format!("{{{}}}", values.iter().map(pair).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl Facts for BTreeMap<String, Value> {
    fn fact(&self, key: &str) -> Option<Fact<'_>> {
        self.get(key).map(Fact::Value)
    }
}

/// A text in the quotes that Python would choose.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut literal = String::from(quote);
    for sign in text.chars() {
        match sign {
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            sign if sign == quote => literal.extend(['\\', sign]),
            sign => literal.push(sign),
        }
    }
    literal.push(quote);
    literal
}

/// A number as Python writes one with a decimal point: with an exponent below 0.0001 and from 10 to the 16th on.
pub(super) fn float(number: f64) -> String {
    let magnitude = number.abs();
    if number.is_nan() {
        return "nan".to_owned();
    }
    if magnitude.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{number:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_python_writes_them() {
        let document = r#"{"a": [null, true, false, 12, -1.5, "x'y", "z"], "b": {"c": "d"}}"#;
        let value: Value = serde_json::from_str(document).unwrap();
        assert_eq!(value.text(), r#"{'a': [None, True, False, 12, -1.5, "x'y", 'z'], 'b': {'c': 'd'}}"#);
        assert_eq!(Value::Text("plain".to_owned()).text(), "plain");
    }

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        for (number, text) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (123_456_789.0, "123456789.0"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1e300, "1e+300"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(float(number), text);
        }
    }
}
