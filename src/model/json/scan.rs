//! One pass over JSON text: checks it and shows its parts as slices, without building anything.

use std::borrow::Cow;

/// The deepest nesting of arrays and objects, the outermost counted.
pub(crate) const MAX_DEPTH: usize = 128;

const VALUE: &str = "Expecting value";
const NAME: &str = "Expecting property name enclosed in double quotes";
const COMMA: &str = "Expecting ',' delimiter";
const UNTERMINATED: &str = "Unterminated string starting at";
const TOO_DEEP: &str = "Nested too deep";
const TOO_LARGE: &str = "Integer outside of signed 64 bits";

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not JSON, or nested deeper than [`MAX_DEPTH`].
    Malformed,
    /// A number without fraction and exponent lies outside signed 64 bits.
    TooLargeInteger,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    /// A number written without fraction and exponent.
    Integer(i64),
    /// Any other number.
    Float,
    Bool(bool),
    Null,
}

/// What stood in the way of a scanner, in the words that Python has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What was expected, or what is wrong.
    pub(crate) words: &'static str,
    /// The byte of the text.
    pub(crate) at: usize,
}

/// A string as it stands in the text, with its quotation marks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    /// The string as it was written.
    pub(crate) quoted: &'a str,
    escaped: bool,
}

impl<'a> Text<'a> {
    /// The string that is meant.
    #[inline]
    pub(crate) fn decoded(self) -> Cow<'a, str> {
        if self.escaped {
            return Cow::Owned(serde_json::from_str(self.quoted).expect("the scanner found it valid"));
        }
        Cow::Borrowed(&self.quoted[1..self.quoted.len() - 1])
    }
}

/// A reader of JSON text (RFC 8259) from its front.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    max_depth: usize,
    trouble: Option<Trouble>,
    /// Set when white space was met outside strings; for the caller to clear.
    pub(super) spaces: bool,
    /// Set when an object may name a key twice (the hashes of two keys are equal); for the caller to clear.
    pub(crate) repeats: bool,
    /// Hashes of the keys of every open object, the outermost first.
    keys: Vec<u64>,
}

impl<'a> Scanner<'a> {
    /// A reader of `text`.
    pub(crate) fn new(text: &'a [u8]) -> Result<Self, Fault> {
        std::str::from_utf8(text).map_err(|_| Fault::Malformed).map(|text| Self::of(text, MAX_DEPTH))
    }

    /// A reader of `text` that bears that nesting.
    pub(crate) fn of(text: &'a str, max_depth: usize) -> Self {
        let keys = Vec::with_capacity(32);
        Self { text, at: 0, depth: 0, max_depth, trouble: None, spaces: false, repeats: false, keys }
    }

    /// What a fault was about.
    pub(crate) fn trouble(&self) -> Trouble {
        self.trouble.unwrap_or(Trouble { words: VALUE, at: self.at })
    }

    /// How many bytes have been read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// What was read from `start` on.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    /// Steps over white space: the first byte of what follows.
    pub(crate) fn peek(&mut self) -> Result<u8, Fault> {
        loop {
            let byte = self.byte()?;
            if !is_space(byte) {
                return Ok(byte);
            }
            self.spaces = true;
            self.at += 1;
        }
    }

    /// Ends the reading: nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        if self.peek().is_ok() { self.noting("Extra data", Err(Fault::Malformed)) } else { Ok(()) }
    }

    /// Steps over one value.
    pub(crate) fn value(&mut self) -> Result<Kind, Fault> {
        let first = self.peek();
        match self.noting(VALUE, first)? {
            b'"' => self.string().map(|_| Kind::String),
            b'{' => self.object(|inner, _| inner.value().map(drop)).map(|()| Kind::Object),
            b'[' => self.array(|inner| inner.value().map(drop)).map(|()| Kind::Array),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true", Kind::Bool(true)),
            b'f' => self.word("false", Kind::Bool(false)),
            b'n' => self.word("null", Kind::Null),
            _ => self.noting(VALUE, Err(Fault::Malformed)),
        }
    }

    /// Steps over an object; `member` is called behind each key and must step over its value.
    pub(crate) fn object<F>(&mut self, mut member: F) -> Result<(), Fault>
    where
        F: FnMut(&mut Self, Text<'a>) -> Result<(), Fault>,
    {
        let first_key = self.keys.len();
        self.enter(b'{')?;
        let first = self.peek();
        let mut more = self.noting(NAME, first)? != b'}';
        while more {
            let key = self.string();
            let key = self.noting(NAME, key)?;
            self.keys.push(hash(key.decoded().as_bytes()));
            let colon = self.expect(b':');
            self.noting("Expecting ':' delimiter", colon)?;
            member(self, key)?;
            more = self.comma()?;
        }
        self.repeats |= has_equals(&mut self.keys[first_key..]);
        self.keys.truncate(first_key);
        self.leave(b'}')
    }

    /// Steps over an array; `element` is called before each element and must step over it.
    pub(crate) fn array<F>(&mut self, mut element: F) -> Result<(), Fault>
    where
        F: FnMut(&mut Self) -> Result<(), Fault>,
    {
        self.enter(b'[')?;
        let first = self.peek();
        let mut more = self.noting(VALUE, first)? != b']';
        while more {
            element(self)?;
            more = self.comma()?;
        }
        self.leave(b']')
    }

    /// Steps over a string.
    pub(crate) fn string(&mut self) -> Result<Text<'a>, Fault> {
        self.expect(b'"')?;
        let start = self.at - 1;
        let mut escaped = false;
        loop {
            self.at += plain(&self.text.as_bytes()[self.at..]);
            match self.next() {
                Ok(b'"') => return Ok(Text { quoted: &self.text[start..self.at], escaped }),
                Ok(b'\\') => {
                    escaped = true;
                    self.escape(start)?;
                }
                Ok(_) => return self.wrong("Invalid control character at", self.at - 1),
                Err(_) => return self.wrong(UNTERMINATED, start),
            }
        }
    }

    fn enter(&mut self, bracket: u8) -> Result<(), Fault> {
        self.expect(bracket)?;
        self.depth += 1;
        if self.depth > self.max_depth { self.wrong(TOO_DEEP, self.at - 1) } else { Ok(()) }
    }

    fn leave(&mut self, bracket: u8) -> Result<(), Fault> {
        self.depth -= 1;
        let closed = self.expect(bracket);
        self.noting(COMMA, closed)
    }

    /// Steps over a comma, if one is next: whether it was.
    fn comma(&mut self) -> Result<bool, Fault> {
        let next = self.peek();
        let comma = self.noting(COMMA, next)? == b',';
        self.at += usize::from(comma);
        Ok(comma)
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek()? != byte {
            return Err(Fault::Malformed);
        }
        self.at += 1;
        Ok(())
    }

    fn byte(&self) -> Result<u8, Fault> {
        self.text.as_bytes().get(self.at).copied().ok_or(Fault::Malformed)
    }

    fn next(&mut self) -> Result<u8, Fault> {
        let byte = self.byte()?;
        self.at += 1;
        Ok(byte)
    }

    /// Passes a result on; if it is the first fault, with what it is about, here.
    fn noting<T>(&mut self, words: &'static str, result: Result<T, Fault>) -> Result<T, Fault> {
        if result.is_err() && self.trouble.is_none() {
            self.trouble = Some(Trouble { words, at: self.at });
        }
        result
    }

    /// A fault, what it is about, and where.
    fn wrong<T>(&mut self, words: &'static str, at: usize) -> Result<T, Fault> {
        self.trouble = Some(Trouble { words, at });
        Err(Fault::Malformed)
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<Kind, Fault> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return self.wrong(VALUE, self.at);
        }
        self.at += word.len();
        Ok(kind)
    }

    fn number(&mut self) -> Result<Kind, Fault> {
        let start = self.at;
        let number = self.number_from(start);
        if number.is_err() && self.trouble.is_none() {
            let words = if number == Err(Fault::Malformed) { VALUE } else { TOO_LARGE };
            self.trouble = Some(Trouble { words, at: start });
        }
        number
    }

    fn number_from(&mut self, start: usize) -> Result<Kind, Fault> {
        self.skip_if(b"-");
        let zero = self.byte() == Ok(b'0');
        if self.digits()? > 1 && zero {
            return Err(Fault::Malformed);
        }
        let whole = self.at;
        if self.skip_if(b".") {
            self.digits()?;
        }
        if self.skip_if(b"eE") {
            self.skip_if(b"+-");
            self.digits()?;
        }
        if self.at > whole {
            return Ok(Kind::Float);
        }
        self.text[start..whole].parse().map(Kind::Integer).map_err(|_| Fault::TooLargeInteger)
    }

    /// Steps over the next byte if it is one of these: whether it was.
    fn skip_if(&mut self, any: &[u8]) -> bool {
        let found = self.byte().is_ok_and(|byte| any.contains(&byte));
        self.at += usize::from(found);
        found
    }

    /// Steps over digits: how many, at least one.
    fn digits(&mut self) -> Result<usize, Fault> {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(Fault::Malformed) } else { Ok(count) }
    }

    /// Steps over an escape of the string that begins at `start`, its backslash already read.
    fn escape(&mut self, start: usize) -> Result<(), Fault> {
        let backslash = self.at - 1;
        match self.next() {
            Ok(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => return Ok(()),
            Ok(b'u') => {}
            Ok(_) => return self.wrong("Invalid \\escape", backslash),
            Err(_) => return self.wrong(UNTERMINATED, start),
        }
        match self.character() {
            Ok(()) => Ok(()),
            Err(_) => self.wrong("Invalid \\uXXXX escape", backslash + 1),
        }
    }

    /// Steps over the digits of an escape. Half of a surrogate pair is no character.
    fn character(&mut self) -> Result<(), Fault> {
        let paired = match self.hex()? {
            0xd800..=0xdbff => {
                self.next()? == b'\\' && self.next()? == b'u' && matches!(self.hex()?, 0xdc00..=0xdfff)
            }
            0xdc00..=0xdfff => false,
            _ => true,
        };
        if paired { Ok(()) } else { Err(Fault::Malformed) }
    }

    fn hex(&mut self) -> Result<u32, Fault> {
        (0..4).try_fold(0, |code, _| {
            let digit = char::from(self.next()?).to_digit(16).ok_or(Fault::Malformed)?;
            Ok(code << 4 | digit)
        })
    }
}

/// True for what may stand between tokens.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// How many bytes stand before the next quotation mark, backslash or control character.
pub(super) fn plain(text: &[u8]) -> usize {
    let (words, tail) = text.as_chunks();
    for (n, word) in words.iter().enumerate() {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return n * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    words.len() * 8 + tail.iter().position(special).unwrap_or(tail.len())
}

/// Marks in the high bits of eight bytes which of them are special; bytes above the first mark may be wrong.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    // A byte below n borrows from its high bit when n is subtracted, unless that bit was set before.
    let below = |word: u64, n: u8| word.wrapping_sub(ONES * u64::from(n)) & !word;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | equal(b'"') | equal(b'\\')) & (ONES << 7)
}

/// A quick hash of a key. Equal hashes only make somebody look closer, so that nothing is won by forging them.
fn hash(key: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (words, tail) = key.as_chunks();
    let hash = words.iter().fold(key.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    mix(hash, tail.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)))
}

/// True where two of the hashes are equal; may reorder them.
fn has_equals(hashes: &mut [u64]) -> bool {
    if hashes.len() > 32 {
        hashes.sort_unstable();
        return hashes.windows(2).any(|pair| pair[0] == pair[1]);
    }
    (1..hashes.len()).any(|n| hashes[..n].contains(&hashes[n]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::Value;

    fn scan(text: &[u8]) -> Result<Kind, Fault> {
        let mut scanner = Scanner::new(text)?;
        let kind = scanner.value()?;
        scanner.end().map(|()| kind)
    }

    /// Holds the scanner to `serde_json`, where the rules of the two coincide.
    fn check(text: &[u8]) {
        let theirs = serde_json::from_slice::<Value>(text);
        match scan(text) {
            Ok(_) => {
                // Theirs must also fit numbers into floating point, and counts one level less.
                let excused = |e: &serde_json::Error| {
                    e.to_string().contains("out of range") || e.to_string().contains("recursion")
                };
                assert!(theirs.as_ref().err().is_none_or(excused), "accepted {text:?}: {theirs:?}");
            }
            Err(Fault::Malformed) => assert!(theirs.is_err(), "refused {text:?}"),
            Err(Fault::TooLargeInteger) => {
                assert!(text.windows(19).any(|w| w.iter().all(u8::is_ascii_digit)));
            }
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
            "[\\x00-\\x7f]{0,40}".prop_map(Value::from),
        ];
        scalar.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..8).prop_map(Value::from),
                vec((".{0,4}", inner), 0..8).prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    /// What `value` holds beyond signed 64 bits must be refused.
    fn fits(value: &Value) -> bool {
        match value {
            Value::Number(number) => !number.is_u64() || number.is_i64(),
            Value::Array(elements) => elements.iter().all(fits),
            Value::Object(members) => members.values().all(fits),
            _ => true,
        }
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_accepted(value in values()) {
            for text in [serde_json::to_vec(&value).unwrap(), serde_json::to_vec_pretty(&value).unwrap()] {
                prop_assert_eq!(scan(&text).is_ok(), fits(&value));
            }
        }

        #[test]
        fn mutants_are_judged_as_serde_json_does(
            value in values(),
            edits in vec((any::<prop::sample::Index>(), 0_u8..3, prop_oneof![
                prop::sample::select(b"{}[]\",:\\ud0123456789eE+-.tfn \n".to_vec()), any::<u8>()
            ]), 1..6),
        ) {
            let mut text = serde_json::to_vec(&value).unwrap();
            for (at, edit, byte) in edits {
                let at = at.index(text.len() + 1);
                match edit {
                    0 => text.insert(at, byte),
                    1 if at < text.len() => text[at] = byte,
                    _ => text.truncate(text.len().max(1) - usize::from(at % 7 == 0)),
                }
            }
            check(&text);
        }

        #[test]
        fn any_bytes_are_judged_as_serde_json_does(text in vec(any::<u8>(), 0..64)) {
            check(&text);
        }

        #[test]
        fn tokens_in_any_order_are_judged_as_serde_json_does(tokens in vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"a\"", "\"", "\\", "\\u", "\\ud800", "\\udc00", "d83d", "0", "-", "1",
            "00", ".5", "e", "E+1", "true", "false", "null", "nul", " ", "\t", "\r", "\u{b}", "\u{feff}", "ü",
        ]), 0..12)) {
            check(tokens.concat().as_bytes());
        }
    }

    #[test]
    fn odd_texts_are_judged_as_serde_json_does() {
        for text in [
            "\u{feff}{}",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{\"a\":}",
            "{,}",
            "{\"a\":1,}",
            "{a:1}",
            "'a'",
            "01",
            "-",
            "+1",
            ".5",
            "1.",
            "1.e1",
            "1e",
            "1e+",
            "-01",
            "--1",
            "0x1",
            "1_0",
            "tru",
            "TRUE",
            "\"\t\"",
            "\"\u{7f}\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud83d\"",
            "\"\\ud83d\\u0041\"",
            "\"\\ude00\\ud83d\"",
            "\"\\ud83d\\ude00\"",
            "\"\\uD83D\\uDE00\"",
            "\"\\ud83d\\\\ude00\"",
            "\"",
            "\"\\",
            "\"\\u",
            "\"\\ud83d\\",
            "[",
            "{",
            "{\"",
            "[]]",
            "[] []",
            "\u{c}[]",
            "[1]\0",
            "\"0123456789abcde\u{1}\"",
            "\"0123456789abcdef\u{1}\"",
            "0",
            "-0",
            "-0.0e-0",
            "[9223372036854775807]",
        ] {
            check(text.as_bytes());
        }
    }

    #[test]
    fn the_edges_of_integers() {
        assert_eq!(scan(b"9223372036854775807"), Ok(Kind::Integer(i64::MAX)));
        assert_eq!(scan(b"-9223372036854775808"), Ok(Kind::Integer(i64::MIN)));
        assert_eq!(scan(b"9223372036854775808"), Err(Fault::TooLargeInteger));
        assert_eq!(scan(b"-9223372036854775809"), Err(Fault::TooLargeInteger));
        assert_eq!(scan(b"9223372036854775808.0"), Ok(Kind::Float));
        assert_eq!(scan(b"9223372036854775808e0"), Ok(Kind::Float));
        assert_eq!(scan("1".repeat(100_000).as_bytes()), Err(Fault::TooLargeInteger));
    }

    #[test]
    fn two_keys_of_one_hash_are_noticed_in_small_objects_and_large() {
        for keys in [2, 32, 33, 300] {
            for repeated in [false, true] {
                let last = if repeated { 0 } else { keys };
                let members: Vec<_> = (1..keys).map(|n| format!("\"key{n}\":0,")).collect();
                let text = format!("{{\"key0\":{{}},{}\"key{last}\":0}}", members.concat());
                let mut scanner = Scanner::new(text.as_bytes()).unwrap();
                scanner.value().unwrap();
                assert_eq!(scanner.repeats, repeated, "{text}");
            }
        }
    }
}
