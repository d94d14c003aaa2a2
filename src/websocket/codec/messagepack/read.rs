//! From MessagePack to JSON text.

use bytes::Bytes;

use crate::model::json::MAX_DEPTH;
use crate::websocket::codec::not_utf8;

/// A frame as JSON text.
#[derive(Debug)]
pub(in crate::websocket) struct Translated {
    /// The text, without white space. Of keys that a map has twice, both are there.
    pub(in crate::websocket) text: Bytes,
    /// How many bytes some members had before.
    pub(in crate::websocket) sizes: Sizes,
}

/// How many bytes of a frame those members of `body` take whose size is limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::websocket) struct Sizes {
    pub(in crate::websocket) messages: usize,
    pub(in crate::websocket) metadata: usize,
}

/// A frame as JSON text, or what is wrong with it, in the words of Python's library where it has some.
///
/// Refused are: bytes and extensions (they have no JSON form), keys that are not text, integers outside signed 64 bits,
/// numbers that are none, and nesting beyond that of JSON. Nothing is allocated by what a length promises.
pub(in crate::websocket) fn to_json(frame: &[u8]) -> Result<Translated, String> {
    let out = Vec::with_capacity(frame.len() + frame.len() / 4 + 16);
    let mut reader = Reader { frame, at: 0, depth: 0, in_body: false, sizes: Sizes::default(), out };
    reader.value()?;
    if reader.at < frame.len() {
        return Err("ExtraData: unpack(b) received extra data.".into());
    }
    Ok(Translated { text: reader.out.into(), sizes: reader.sizes })
}

struct Reader<'a> {
    frame: &'a [u8],
    at: usize,
    depth: usize,
    /// Whether what is read belongs to the outermost map's `body`.
    in_body: bool,
    sizes: Sizes,
    out: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Result<(), String> {
        let [marker] = self.take()?;
        match marker {
            0x80..=0x8f => self.map(usize::from(marker & 0x0f)),
            0x90..=0x9f => self.array(usize::from(marker & 0x0f)),
            0xa0..=0xbf | 0xd9..=0xdb => {
                let text = self.text(marker)?;
                self.print(text)
            }
            0xc0 => self.print(&()),
            0xc2 | 0xc3 => self.print(&(marker == 0xc3)),
            0xca => self.take().and_then(|bytes| self.float(f32::from_be_bytes(bytes).into())),
            0xcb => self.take().and_then(|bytes| self.float(f64::from_be_bytes(bytes))),
            0xdc => self.take().and_then(|bytes| self.array(u16::from_be_bytes(bytes).into())),
            0xdd => self.length().and_then(|length| self.array(length)),
            0xde => self.take().and_then(|bytes| self.map(u16::from_be_bytes(bytes).into())),
            0xdf => self.length().and_then(|length| self.map(length)),
            0xc4..=0xc6 => Err("ValueError: bytes have no JSON form".into()),
            0xc7..=0xc9 | 0xd4..=0xd8 => Err("ValueError: extension types have no JSON form".into()),
            0xc1 => Err("FormatError: no value begins with 0xc1".into()),
            _ => self.integer(marker).and_then(|value| self.print(&value)),
        }
    }

    /// The integer that begins with that marker.
    fn integer(&mut self, marker: u8) -> Result<i64, String> {
        match marker {
            0xcc => self.take().map(|bytes| u8::from_be_bytes(bytes).into()),
            0xcd => self.take().map(|bytes| u16::from_be_bytes(bytes).into()),
            0xce => self.take().map(|bytes| u32::from_be_bytes(bytes).into()),
            0xcf => {
                let value = u64::from_be_bytes(self.take()?);
                i64::try_from(value).map_err(|_| "ValueError: Integer outside of signed 64 bits".into())
            }
            0xd0 => self.take().map(|bytes| i8::from_be_bytes(bytes).into()),
            0xd1 => self.take().map(|bytes| i16::from_be_bytes(bytes).into()),
            0xd2 => self.take().map(|bytes| i32::from_be_bytes(bytes).into()),
            0xd3 => self.take().map(i64::from_be_bytes),
            // A small integer is its own marker.
            _ => Ok(marker.cast_signed().into()),
        }
    }

    fn float(&mut self, value: f64) -> Result<(), String> {
        let finite = value.is_finite();
        if finite { self.print(&value) } else { Err("ValueError: NaN and infinity have no JSON form".into()) }
    }

    fn array(&mut self, length: usize) -> Result<(), String> {
        self.enter(b'[')?;
        for index in 0..length {
            if index > 0 {
                self.out.push(b',');
            }
            self.value()?;
        }
        self.leave(b']');
        Ok(())
    }

    fn map(&mut self, length: usize) -> Result<(), String> {
        self.enter(b'{')?;
        for index in 0..length {
            if index > 0 {
                self.out.push(b',');
            }
            let key = self.key()?;
            self.print(key)?;
            self.out.push(b':');
            if self.depth == 1 {
                self.in_body = key == "body";
                if self.in_body {
                    // Of two bodies the last counts.
                    self.sizes = Sizes::default();
                }
            }
            let start = self.at;
            self.value()?;
            match key {
                "messages" if self.in_body && self.depth == 2 => self.sizes.messages = self.at - start,
                "metadata" if self.in_body && self.depth == 2 => self.sizes.metadata = self.at - start,
                _ => {}
            }
        }
        self.leave(b'}');
        Ok(())
    }

    /// A key: text, or bytes that are text.
    fn key(&mut self) -> Result<&'a str, String> {
        let [marker] = self.take()?;
        match marker {
            0xa0..=0xbf | 0xc4..=0xc6 | 0xd9..=0xdb => self.text(marker),
            _ => {
                let type_name = type_name(marker);
                Err(format!("ValueError: {type_name} is not allowed for map key when strict_map_key=True"))
            }
        }
    }

    /// The text behind that marker of a text, or of bytes.
    fn text(&mut self, marker: u8) -> Result<&'a str, String> {
        let length = match marker {
            0xd9 | 0xc4 => u8::from_be_bytes(self.take()?).into(),
            0xda | 0xc5 => u16::from_be_bytes(self.take()?).into(),
            0xdb | 0xc6 => self.length()?,
            _ => usize::from(marker & 0x1f),
        };
        let bytes = self.frame[self.at..].get(..length).ok_or_else(incomplete)?;
        self.at += length;
        std::str::from_utf8(bytes).map_err(|problem| not_utf8(bytes, problem))
    }

    fn length(&mut self) -> Result<usize, String> {
        Ok(u32::from_be_bytes(self.take()?) as usize)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let bytes = self.frame[self.at..].first_chunk().ok_or_else(incomplete)?;
        self.at += N;
        Ok(*bytes)
    }

    /// Writes a value that is neither an array nor a map.
    fn print(&mut self, value: &(impl serde::Serialize + ?Sized)) -> Result<(), String> {
        serde_json::to_writer(&mut self.out, value).map_err(|problem| problem.to_string())
    }

    fn enter(&mut self, bracket: u8) -> Result<(), String> {
        self.depth += 1;
        self.out.push(bracket);
        if self.depth > MAX_DEPTH { Err("StackError: Nested too deep".into()) } else { Ok(()) }
    }

    fn leave(&mut self, bracket: u8) {
        self.depth -= 1;
        self.out.push(bracket);
    }
}

/// What Python makes of a value that begins with that marker, where it is neither text nor bytes.
fn type_name(marker: u8) -> &'static str {
    match marker {
        0x80..=0x8f | 0xde | 0xdf => "dict",
        0x90..=0x9f | 0xdc | 0xdd => "list",
        0xc0 => "NoneType",
        0xc2 | 0xc3 => "bool",
        0xca | 0xcb => "float",
        0xc7..=0xc9 | 0xd4..=0xd8 => "ExtType",
        _ => "int",
    }
}

fn incomplete() -> String {
    "ValueError: Unpack failed: incomplete input".into()
}
