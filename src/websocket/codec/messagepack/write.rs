//! From JSON text to MessagePack.

use crate::model::json::{Fault, Kind, MAX_DEPTH, Scanner};

/// How deep our own texts are nested at most: a body stands deeper in a reply than where it was sent.
const OWN_DEPTH: usize = MAX_DEPTH + 16;

/// A JSON text of our own making as MessagePack, every value in its shortest form.
///
/// Numbers with a fraction or an exponent become 64-bit floating point; what is beyond that is infinite, as in Python.
pub(in crate::websocket) fn from_json(text: &[u8]) -> Result<Vec<u8>, Fault> {
    let text = std::str::from_utf8(text).map_err(|_| Fault::Malformed)?;
    let mut lengths = Lengths(Vec::new());
    lengths.count(&mut Scanner::of(text, OWN_DEPTH))?;
    let mut writer = Writer { lengths: lengths.0.into_iter(), out: Vec::with_capacity(text.len()) };
    writer.value(&mut Scanner::of(text, OWN_DEPTH))?;
    Ok(writer.out)
}

/// The lengths of all arrays and objects of a text, in the order in which they begin: MessagePack wants them first.
struct Lengths(Vec<u32>);

impl Lengths {
    fn count(&mut self, scanner: &mut Scanner) -> Result<(), Fault> {
        let first = scanner.peek()?;
        if !matches!(first, b'[' | b'{') {
            return scanner.value().map(drop);
        }
        let (place, mut length) = (self.0.len(), 0);
        self.0.push(0);
        let mut element = |scanner: &mut Scanner| {
            length += 1;
            self.count(scanner)
        };
        let counted = match first {
            b'[' => scanner.array(element),
            _ => scanner.object(|scanner, _| element(scanner)),
        };
        counted?;
        self.0[place] = length;
        Ok(())
    }
}

struct Writer {
    lengths: std::vec::IntoIter<u32>,
    out: Vec<u8>,
}

impl Writer {
    fn value(&mut self, scanner: &mut Scanner) -> Result<(), Fault> {
        match scanner.peek()? {
            b'[' => {
                self.begin(0x90, 0xdc);
                scanner.array(|scanner| self.value(scanner))
            }
            b'{' => {
                self.begin(0x80, 0xde);
                scanner.object(|scanner, key| {
                    self.text(&key.decoded());
                    self.value(scanner)
                })
            }
            b'"' => {
                let text = scanner.string()?;
                self.text(&text.decoded());
                Ok(())
            }
            _ => self.scalar(scanner),
        }
    }

    fn scalar(&mut self, scanner: &mut Scanner) -> Result<(), Fault> {
        let start = scanner.at();
        match scanner.value()? {
            Kind::Null => self.out.push(0xc0),
            Kind::Bool(value) => self.out.push(0xc2 + u8::from(value)),
            Kind::Integer(value) => self.integer(value),
            _ => {
                let value: f64 = scanner.since(start).parse().map_err(|_| Fault::Malformed)?;
                self.marked(0xcb, &value.to_be_bytes());
            }
        }
        Ok(())
    }

    /// The head of the next array or map: `short` holds lengths below 16, `long` is the marker of those of 16 bits, and
    /// the one after it that of the others.
    fn begin(&mut self, short: u8, long: u8) {
        let length = self.lengths.next().unwrap_or_default();
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(length @ 0..16), _) => self.out.push(short | length),
            (_, Ok(length)) => self.marked(long, &length.to_be_bytes()),
            _ => self.marked(long + 1, &length.to_be_bytes()),
        }
    }

    fn text(&mut self, text: &str) {
        // No frame is that long.
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(length @ 0..32), _) => self.out.push(0xa0 | length),
            (Ok(length), _) => self.marked(0xd9, &[length]),
            (_, Ok(length)) => self.marked(0xda, &length.to_be_bytes()),
            _ => self.marked(0xdb, &length.to_be_bytes()),
        }
        self.out.extend_from_slice(text.as_bytes());
    }

    fn integer(&mut self, value: i64) {
        if let Ok(small @ -32..=127) = i8::try_from(value) {
            return self.out.push(small.cast_unsigned());
        }
        if let Ok(value) = u64::try_from(value) {
            return self.unsigned(value);
        }
        match (i8::try_from(value), i16::try_from(value), i32::try_from(value)) {
            (Ok(value), ..) => self.marked(0xd0, &value.to_be_bytes()),
            (_, Ok(value), _) => self.marked(0xd1, &value.to_be_bytes()),
            (.., Ok(value)) => self.marked(0xd2, &value.to_be_bytes()),
            _ => self.marked(0xd3, &value.to_be_bytes()),
        }
    }

    fn unsigned(&mut self, value: u64) {
        match (u8::try_from(value), u16::try_from(value), u32::try_from(value)) {
            (Ok(value), ..) => self.marked(0xcc, &value.to_be_bytes()),
            (_, Ok(value), _) => self.marked(0xcd, &value.to_be_bytes()),
            (.., Ok(value)) => self.marked(0xce, &value.to_be_bytes()),
            _ => self.marked(0xcf, &value.to_be_bytes()),
        }
    }

    fn marked(&mut self, marker: u8, bytes: &[u8]) {
        self.out.push(marker);
        self.out.extend_from_slice(bytes);
    }
}
