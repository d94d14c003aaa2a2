//! Texts as trees: for metadata and patches, and to drop what a repeated key hides.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::scan::{Fault, Scanner, Text};

/// The value of a whole text.
///
/// Numbers with a fraction or an exponent must fit 64-bit floating point, which is how values keep them.
pub(super) fn read(text: &[u8]) -> Result<Value, Fault> {
    let mut scanner = Scanner::new(text)?;
    let node = Node::read(&mut scanner)?;
    scanner.end()?;
    node.value()
}

/// The text, a single value, with only the last of the values that an object has for one key, in the place of
/// the first; without white space outside strings.
pub(crate) fn without_repeats(text: &[u8]) -> Result<Bytes, Fault> {
    let mut out = String::with_capacity(text.len());
    Node::read(&mut Scanner::new(text)?)?.write(&mut out);
    Ok(out.into())
}

/// A value whose scalars are still text.
enum Node<'a> {
    Scalar(&'a str),
    Array(Vec<Node<'a>>),
    /// No key stands here twice.
    Object(Vec<(Text<'a>, Node<'a>)>),
}

impl<'a> Node<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, Fault> {
        let first = scanner.peek()?;
        let start = scanner.at();
        match first {
            b'{' => Self::read_object(scanner),
            b'[' => {
                let mut elements = Vec::new();
                scanner.array(|scanner| {
                    elements.push(Self::read(scanner)?);
                    Ok(())
                })?;
                Ok(Self::Array(elements))
            }
            _ => {
                scanner.value()?;
                Ok(Self::Scalar(scanner.since(start)))
            }
        }
    }

    fn read_object(scanner: &mut Scanner<'a>) -> Result<Self, Fault> {
        let mut members: Vec<(Text, Self)> = Vec::new();
        let mut places: HashMap<Cow<str>, usize> = HashMap::new();
        scanner.object(|scanner, key| {
            let node = Self::read(scanner)?;
            match places.entry(key.decoded()) {
                Entry::Occupied(place) => members[*place.get()].1 = node,
                Entry::Vacant(place) => {
                    place.insert(members.len());
                    members.push((key, node));
                }
            }
            Ok(())
        })?;
        Ok(Self::Object(members))
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Scalar(text) => out.push_str(text),
            Self::Array(elements) => {
                out.push('[');
                for (n, element) in elements.iter().enumerate() {
                    out.push_str(if n > 0 { "," } else { "" });
                    element.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (n, (key, member)) in members.iter().enumerate() {
                    out.push_str(if n > 0 { "," } else { "" });
                    out.push_str(key.quoted);
                    out.push(':');
                    member.write(out);
                }
                out.push('}');
            }
        }
    }

    fn value(&self) -> Result<Value, Fault> {
        match self {
            // An integer, though serde_json would read a floating-point number.
            Self::Scalar("-0") => Ok(0.into()),
            Self::Scalar(text) => serde_json::from_str(text).map_err(|_| Fault::Malformed),
            Self::Array(elements) => elements.iter().map(Self::value).collect(),
            Self::Object(members) => {
                let member = |(key, node): &(Text, Node)| Ok((key.decoded().into_owned(), node.value()?));
                members.iter().map(member).collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
        }
    }
}
