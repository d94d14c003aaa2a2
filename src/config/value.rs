//! The types that an option's text can become: oslo.config's, in Rust.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::str::FromStr;

use secrecy::SecretString;

/// What an option's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true`, `yes`, `on`, `t`, `1` or their opposites, in any case.
    Boolean,
    /// A whole number, 0 or more.
    Unsigned,
    /// A whole number.
    Integer,
    /// A decimal number.
    Float,
    /// The number of a TCP or UDP port.
    Port,
    /// Any text.
    String,
    /// An IP address or the name of a host.
    Host,
    /// Texts with commas between them.
    List,
    /// `name:value` pairs with commas between them.
    Dict,
}

impl Kind {
    /// The kind as generated samples write it.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Boolean => "boolean value",
            Self::Unsigned | Self::Integer => "integer value",
            Self::Float => "floating point value",
            Self::Port => "port value",
            Self::String => "string value",
            Self::Host => "host address value",
            Self::List => "list value",
            Self::Dict => "dict value",
        }
    }

    /// The kind in words, after "expected".
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Unsigned | Self::Integer => "a whole number",
            Self::Float => "a number",
            Self::Port => "a port number",
            Self::String => "a text",
            Self::Host => "an IP address or host name",
            Self::List => "a list with commas",
            Self::Dict => "name:value pairs with commas",
        }
    }

    /// The least number of this kind, if it has one.
    pub(super) const fn min(self) -> Option<u64> {
        if matches!(self, Self::Unsigned | Self::Port) { Some(0) } else { None }
    }

    /// The greatest number of this kind, if it has one.
    pub(super) const fn max(self) -> Option<u64> {
        if matches!(self, Self::Port) { Some(65535) } else { None }
    }
}

/// A type that an option can have.
pub(super) trait OptionValue: Sized {
    /// What it is called.
    const KIND: Kind;
    /// The only texts it can be read from; empty for any.
    const CHOICES: &'static [&'static str] = &[];
    /// Whether an empty text means that there is no value.
    const OPTIONAL: bool = false;
    /// Whether it is hidden in messages.
    const SECRET: bool = false;
    /// Whether each text is one more value.
    const MULTI: bool = false;

    /// The value that the text stands for.
    fn from_text(text: &str) -> Option<Self>;

    /// The value of an option that was given these texts, in order.
    fn from_texts(texts: &[String]) -> Option<Self> {
        Self::from_text(texts.last().map_or("", String::as_str))
    }

    /// Whether the value is within the limits, where it is a number.
    fn is_within(&self, _min: Option<u64>, _max: Option<u64>) -> bool {
        true
    }
}

impl OptionValue for bool {
    const KIND: Kind = Kind::Boolean;

    fn from_text(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "on" | "1" => Some(true),
            "false" | "f" | "no" | "off" | "0" => Some(false),
            _ => None,
        }
    }
}

/// Implements whole numbers of one width.
macro_rules! whole_number {
    ($($type:ty = $kind:ident),+) => {$(
        impl OptionValue for $type {
            const KIND: Kind = Kind::$kind;

            fn from_text(text: &str) -> Option<Self> {
                number(text)
            }

            fn is_within(&self, min: Option<u64>, max: Option<u64>) -> bool {
                let number = i128::from(*self);
                min.is_none_or(|min| number >= i128::from(min)) && max.is_none_or(|max| number <= i128::from(max))
            }
        }
    )+};
}

whole_number!(u16 = Port, u32 = Unsigned, u64 = Unsigned, i64 = Integer);

impl OptionValue for f64 {
    const KIND: Kind = Kind::Float;

    fn from_text(text: &str) -> Option<Self> {
        number(text).filter(|number: &Self| number.is_finite())
    }

    #[expect(clippy::cast_precision_loss, reason = "limits are below 2^53")]
    fn is_within(&self, min: Option<u64>, max: Option<u64>) -> bool {
        min.is_none_or(|min| *self >= min as f64) && max.is_none_or(|max| *self <= max as f64)
    }
}

impl OptionValue for String {
    const KIND: Kind = Kind::String;

    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl OptionValue for SecretString {
    const KIND: Kind = Kind::String;
    const SECRET: bool = true;

    fn from_text(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl OptionValue for Vec<String> {
    const KIND: Kind = Kind::List;

    /// Trailing commas add nothing; an empty item between two commas is one, as in oslo.config.
    fn from_text(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches(',');
        let items = text.split(',').map(|item| item.trim().to_owned());
        Some(if text.is_empty() { Self::new() } else { items.collect() })
    }
}

impl OptionValue for BTreeMap<String, String> {
    const KIND: Kind = Kind::Dict;

    /// A part without `name:` belongs to the value before it, so that values may contain commas. Unlike
    /// oslo.config, a name has no blanks: this makes `body:Hello, click here: {0}` one pair.
    fn from_text(text: &str) -> Option<Self> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for part in text.split(',').filter(|_| !text.trim().is_empty()) {
            let named = part.split_once(':').filter(|(name, _)| is_name(name.trim()));
            match (named, pairs.last_mut()) {
                (Some((name, value)), _) => pairs.push((name.trim().to_owned(), value.to_owned())),
                (None, Some((_, value))) => *value = format!("{value},{part}"),
                (None, None) => return None,
            }
        }
        let count = pairs.len();
        let dict: Self = pairs.into_iter().map(|(name, value)| (name, value.trim().to_owned())).collect();
        (dict.len() == count).then_some(dict)
    }
}

impl<T: OptionValue> OptionValue for Option<T> {
    const KIND: Kind = T::KIND;
    const CHOICES: &'static [&'static str] = T::CHOICES;
    const OPTIONAL: bool = true;
    const SECRET: bool = T::SECRET;
    const MULTI: bool = T::MULTI;

    fn from_text(text: &str) -> Option<Self> {
        if text.trim().is_empty() { Some(None) } else { T::from_text(text).map(Some) }
    }

    fn is_within(&self, min: Option<u64>, max: Option<u64>) -> bool {
        self.as_ref().is_none_or(|value| value.is_within(min, max))
    }
}

/// The values of an option that may be given several times, in order, the empty ones left out.
#[derive(Clone, Debug, Default)]
pub struct Multi<T>(pub Vec<T>);

impl<T> Deref for Multi<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: OptionValue> OptionValue for Multi<T> {
    const KIND: Kind = T::KIND;
    const OPTIONAL: bool = true;
    const SECRET: bool = T::SECRET;
    const MULTI: bool = true;

    fn from_text(text: &str) -> Option<Self> {
        Self::from_texts(&[text.to_owned()])
    }

    fn from_texts(texts: &[String]) -> Option<Self> {
        let given = texts.iter().filter(|text| !text.trim().is_empty());
        given.map(|text| T::from_text(text)).collect::<Option<Vec<T>>>().map(Self)
    }
}

/// An IP address without brackets, or a host name by RFC 1123 whose last label is not a number.
pub(super) fn is_host(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(legal)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    let is_name = (1..=253).contains(&name.len()) && name.split('.').all(label) && !last_is_number;
    is_name || text.parse::<IpAddr>().is_ok()
}

/// Whether the text can name a pair of a dict.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace)
}

/// The number that the text stands for. As in Python, single underscores may stand between its digits.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let text = text.trim();
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    let stray = |(at, _): (usize, &str)| !(digit(bytes[..at].last()) && digit(bytes.get(at + 1)));
    if text.match_indices('_').any(stray) { None } else { text.replace('_', "").parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_read_in_every_spelling() {
        for text in ["true", "True", "TRUE", "t", "yes", "YES", "on", "On", "1"] {
            assert_eq!(bool::from_text(text), Some(true), "{text}");
        }
        for text in ["false", "False", "f", "no", "No", "off", "OFF", "0"] {
            assert_eq!(bool::from_text(text), Some(false), "{text}");
        }
        for text in ["", "2", "-1", "y", "ja", "truee", "1.0", "none"] {
            assert_eq!(bool::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn whole_numbers_are_decimal_and_fit_their_width() {
        assert_eq!(u64::from_text(" +1_000 "), Some(1000));
        assert_eq!(i64::from_text("-1"), Some(-1));
        assert_eq!(u16::from_text("65535"), Some(65535));
        for text in ["", "0x10", "1.5", "1e3", "_1", "1_", "1__0", "+_1", "-1", "18446744073709551616", "٣"]
        {
            assert_eq!(u64::from_text(text), None, "{text}");
        }
        assert_eq!(u16::from_text("65536"), None);
    }

    #[test]
    fn decimal_numbers_are_finite() {
        assert_eq!(f64::from_text(" 0.020 "), Some(0.02));
        assert_eq!(f64::from_text("1e-3"), Some(0.001));
        assert_eq!(f64::from_text("inf"), None);
        assert_eq!(f64::from_text("nan"), None);
    }

    #[test]
    fn lists_drop_blanks_and_trailing_commas() {
        assert_eq!(Vec::from_text("a, b ,,c,").unwrap(), ["a", "b", "", "c"]);
        assert_eq!(Vec::from_text(" , "), Some(vec![]));
        assert_eq!(Vec::from_text(""), Some(vec![]));
    }

    #[test]
    fn dicts_keep_commas_and_colons_of_values() {
        let dict = BTreeMap::from_text("sender:Me <m@x.org>, body:Hello, click here: {0}").unwrap();
        assert_eq!(dict["sender"], "Me <m@x.org>");
        assert_eq!(dict["body"], "Hello, click here: {0}");
        assert_eq!(BTreeMap::from_text("a:http://x:1,b:"), {
            Some([("a", "http://x:1"), ("b", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into())
        });
        assert_eq!(BTreeMap::from_text(" "), Some(BTreeMap::new()));
        for text in ["a", "a b:c", ":x", "a:1,a:2", ","] {
            assert_eq!(BTreeMap::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn an_empty_text_is_no_value() {
        assert_eq!(Option::<u16>::from_text(" "), Some(None));
        assert_eq!(Option::<u16>::from_text("80"), Some(Some(80)));
        assert_eq!(Option::<u16>::from_text("x"), None);
        assert_eq!(Option::<String>::from_text(""), Some(None));
    }

    #[test]
    fn hosts_are_addresses_or_names() {
        for text in ["127.0.0.1", "::", "fe80::1", "localhost", "a-1.example.org.", "1host", "x.1a"] {
            assert!(is_host(text), "{text}");
        }
        let long = ["a".repeat(64), "a.".repeat(127) + "b"];
        for text in ["", ".", "0.0.0.0:8888", "1.2.3", "256.0.0.1", "-a", "a-", "a..b", "a b", "[::1]", "a_b"]
        {
            assert!(!is_host(text), "{text}");
        }
        assert!(long.iter().all(|text| !is_host(text)));
    }
}
