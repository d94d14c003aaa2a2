//! The left side of a general check, read as oslo.policy does: it asks Python whether it is a literal, and
//! otherwise looks it up in the credentials.

use super::value::float;

/// The left side of a general check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// A literal, as Python's `str` writes its value.
    Literal(String),
    /// The keys on the way through the credentials.
    Path(Vec<String>),
    /// Neither a literal nor a name that Python can read; there the evaluation ends with an error. The rarer
    /// literals of Python (escapes, bytes, complex numbers, lists) and other expressions are left out on purpose.
    Unreadable,
}

/// Python's words, which are no names.
const KEYWORDS: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else",
    "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not",
    "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Words that are literals by themselves.
const CONSTANTS: &[&str] = &["None", "True", "False"];

impl Left {
    /// Reads the text before the first colon of a check.
    pub(super) fn new(text: &str) -> Self {
        let literal = CONSTANTS.contains(&text).then(|| text.to_owned());
        let literal = literal.or_else(|| quoted(text)).or_else(|| number(text));
        match literal {
            Some(literal) => Self::Literal(literal),
            None if text.split('-').all(is_operand) => {
                Self::Path(text.split('.').map(str::to_owned).collect())
            }
            None => Self::Unreadable,
        }
    }
}

/// A text in quotes, without any escape and without the same quote in it.
fn quoted(text: &str) -> Option<String> {
    let text = text.strip_prefix(['u', 'U']).unwrap_or(text);
    let quote = text.chars().next().filter(|sign| matches!(sign, '\'' | '"'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains([quote, '\\', '\n', '\r', '\0'])).then(|| inner.to_owned())
}

/// A whole or decimal number with or without a sign.
fn number(text: &str) -> Option<String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let plain = without_underscores(&lower)?;
    let whole = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find_map(|(prefix, radix)| {
        let digits = plain.strip_prefix(prefix)?;
        let signed = digits.starts_with(['+', '-']);
        u128::from_str_radix(digits, radix).ok().filter(|_| !signed).map(|number| number.to_string())
    });
    let whole = whole.or_else(|| decimal(&plain));
    let sign = if negative { "-" } else { "" };
    match whole {
        Some(whole) if whole == "0" => Some(whole),
        Some(whole) => Some(format!("{sign}{whole}")),
        None => decimal_point(&plain).map(|number| float(if negative { -number } else { number })),
    }
}

/// The digits without underscores, each of which must stand between two digits (or behind a prefix).
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let starts = bytes.first().is_some_and(|first| first.is_ascii_digit() || *first == b'.');
    let between = |at: usize| {
        let before = at > 0 && bytes[at - 1].is_ascii_alphanumeric();
        let after = bytes.get(at + 1).is_some_and(u8::is_ascii_hexdigit);
        // In a decimal number letters are exponents, beside which none may stand.
        let prefixed = matches!(bytes.get(1), Some(b'x' | b'o' | b'b'));
        let digits =
            at > 0 && bytes[at - 1].is_ascii_digit() && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if prefixed { before && after } else { digits }
    };
    let legal = bytes.iter().enumerate().all(|(at, byte)| *byte != b'_' || between(at));
    (starts && legal).then(|| text.replace('_', ""))
}

/// A whole number of the usual kind: no zero before other digits. Python refuses those above 4300 digits.
fn decimal(text: &str) -> Option<String> {
    let digits = !text.is_empty() && text.len() <= 4300 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.trim_start_matches('0') {
        "" if digits => Some("0".to_owned()),
        rest if digits && rest.len() == text.len() => Some(text.to_owned()),
        _ => None,
    }
}

/// A number with a decimal point, an exponent, or both.
fn decimal_point(text: &str) -> Option<f64> {
    let known = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'+' | b'-');
    let marked = text.contains(['.', 'e']);
    text.bytes().all(known).then(|| text.parse().ok()).flatten().filter(|_| marked)
}

/// Names joined by dots, or a whole number: what may stand beside a minus sign, which names of keys may hold.
fn is_operand(text: &str) -> bool {
    let name = |name: &str| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !KEYWORDS.contains(&name)
    };
    let mut names = text.split('.');
    names.next().is_some_and(name) && names.all(|part| name(part) && !CONSTANTS.contains(&part))
        || decimal(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_those_of_python() {
        for (text, value) in [
            ("None", "None"),
            ("True", "True"),
            ("'a.b'", "a.b"),
            ("\"it's\"", "it's"),
            ("u'x'", "x"),
            ("''", ""),
            ("7", "7"),
            ("-7", "-7"),
            ("+7", "7"),
            ("-0", "0"),
            ("1_000", "1000"),
            ("000", "0"),
            ("0x1F", "31"),
            ("0b_1", "1"),
            ("1.50", "1.5"),
            ("1e3", "1000.0"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("-1e-7", "-1e-07"),
        ] {
            assert_eq!(Left::new(text), Left::Literal(value.to_owned()), "{text}");
        }
    }

    #[test]
    fn names_are_paths() {
        for text in ["user_id", "user.domain.id", "_x", "os-keypairs", "a-b.c-1", "True.x", "none", "a-None"]
        {
            let path = text.split('.').map(str::to_owned).collect();
            assert_eq!(Left::new(text), Left::Path(path), "{text}");
        }
    }

    #[test]
    fn everything_else_is_unreadable() {
        for text in [
            "", "class", "a.is", "a.None", "1a", "01", "1__0", "_1_", "1_", "0x", "0x+1", "a..b", ".a",
            "a.1", "a$", "'a", "'a'b'", "'a\\n'", "é", "a b", "a-", "-a", "1e", "1_e5", "--1", "b'x'", "[1]",
            "1j",
        ] {
            let expected = if text == "_1_" { Left::Path(vec!["_1_".to_owned()]) } else { Left::Unreadable };
            assert_eq!(Left::new(text), expected, "{text}");
        }
    }
}
