//! The kept form of a text, where only white space has to go.

use super::scan::{is_space, plain};

/// The valid text without the white space outside its strings.
pub(super) fn without_spaces(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&first) = rest.first() {
        let (length, kept) = match first {
            b'"' => (string_length(rest), true),
            _ if is_space(first) => (1, false),
            _ => (rest.iter().take_while(|&&byte| byte != b'"' && !is_space(byte)).count(), true),
        };
        if kept {
            out.extend_from_slice(&rest[..length]);
        }
        rest = &rest[length..];
    }
    out
}

/// How many bytes the string has that `text` begins with, quotation marks counted.
fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    loop {
        at += plain(&text[at..]);
        match text[at] {
            b'"' => return at + 1,
            _ => at += 2,
        }
    }
}
