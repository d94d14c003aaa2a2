//! The INI dialect of oslo.config, read without meaning: sections, keys and texts, in the order of the file.
//!
//! The rules, each as oslo.config's own reader has it:
//!
//! * `key = value` or `key: value`, whichever sign comes first; blanks around both are dropped;
//! * a value that begins and ends with the same quote (`"` or `'`) loses the two;
//! * a line that begins with a blank or a tab continues the value before it, joined with a line feed; an empty
//!   line or a comment ends the value;
//! * a line that begins with `#` or `;` is a comment; nothing else is, so that values may contain both;
//! * a key may come again: what the repeats mean is decided where the option is known;
//! * every key stands in a section, and the `]` of a section's line ends it.

use std::borrow::Cow;
use std::sync::Arc;

/// A key with its value, as one file gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The section, as written between the brackets.
    pub section: Arc<str>,
    /// The key, as written.
    pub key: String,
    /// The value without its outer blanks and quotes; continuation lines are joined with `\n`.
    pub value: String,
    /// The line of the key, from 1.
    pub line: usize,
}

/// A line that is no INI. Its text is left out on purpose: it may be part of a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Reads the text of one file. Any text gives a result or an error; none panics.
pub fn parse(text: &str) -> Result<Vec<Assignment>, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::default();
    for (index, line) in lines(text).enumerate() {
        let read = reader.read(index + 1, line.trim_end());
        read.map_err(|problem| SyntaxError { line: index + 1, problem })?;
    }
    reader.close();
    Ok(reader.done)
}

/// The value as it must be written to be read back unchanged, provided that no line after the first is empty
/// or has outer blanks.
pub fn quote(value: &str) -> Cow<'_, str> {
    let (first, rest) = value.split_once('\n').map_or((value, None), |(first, rest)| (first, Some(rest)));
    let bare = first.trim() == first && unquoted(first) == first;
    let first = if bare { Cow::Borrowed(first) } else { Cow::Owned(format!("\"{first}\"")) };
    match rest {
        None => first,
        Some(rest) => Cow::Owned(format!("{first}\n    {}", rest.replace('\n', "\n    "))),
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    section: Option<Arc<str>>,
    open: Option<Assignment>,
    done: Vec<Assignment>,
}

impl Reader {
    /// Takes one line without its trailing blanks.
    fn read(&mut self, number: usize, line: &str) -> Result<(), &'static str> {
        if line.starts_with([' ', '\t']) {
            return self.go_on(line.trim_start());
        }
        self.close();
        if line.is_empty() || line.starts_with(['#', ';']) {
            return Ok(());
        }
        match line.strip_prefix('[') {
            Some(rest) => self.begin(rest),
            None => self.assign(number, line),
        }
    }

    /// A continuation line.
    fn go_on(&mut self, text: &str) -> Result<(), &'static str> {
        let open = self.open.as_mut().ok_or("a line that begins with a blank continues nothing")?;
        open.value.push('\n');
        open.value.push_str(text);
        Ok(())
    }

    /// A section's line, its first bracket taken off.
    fn begin(&mut self, rest: &str) -> Result<(), &'static str> {
        let name = rest.strip_suffix(']').ok_or("a section's line must end with ]")?;
        if name.is_empty() {
            return Err("a section must have a name");
        }
        self.section = Some(name.into());
        Ok(())
    }

    /// A key and the first line of its value.
    fn assign(&mut self, number: usize, line: &str) -> Result<(), &'static str> {
        let (key, value) = line.split_once(['=', ':']).ok_or("neither = nor : found")?;
        let key = key.trim_end();
        if key.is_empty() {
            return Err("nothing stands before the = or :");
        }
        let section = self.section.clone().ok_or("a key must stand in a section, such as [DEFAULT]")?;
        let value = unquoted(value.trim()).to_owned();
        self.open = Some(Assignment { section, key: key.to_owned(), value, line: number });
        Ok(())
    }

    /// Ends the value that may still be open.
    fn close(&mut self) {
        self.done.extend(self.open.take());
    }
}

/// The lines of the text; `\n`, `\r\n` and `\r` alone end one.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// The value without its quotes. A single quote sign counts as both, as it does in oslo.config.
fn unquoted(value: &str) -> &str {
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
    match quote {
        Some(quote) if value.ends_with(quote) => value.get(1..value.len() - 1).unwrap_or(""),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The assignments as `section/key=value` texts.
    fn read(text: &str) -> Vec<String> {
        let all = parse(text).unwrap();
        all.into_iter().map(|a| format!("{}/{}={}", a.section, a.key, a.value)).collect()
    }

    fn refused(text: &str) -> (usize, &'static str) {
        let error = parse(text).unwrap_err();
        (error.line, error.problem)
    }

    #[test]
    fn both_signs_assign_and_the_first_one_counts() {
        assert_eq!(read("[a]\nx = 1:2\ny: 3=4\nz=\n"), ["a/x=1:2", "a/y=3=4", "a/z="]);
    }

    #[test]
    fn quotes_come_off_in_pairs() {
        let text = "[a]\na=\"x \"\nb='y'\nc=\"z'\nd=\"\ne=\"x\" y \"z\"\nf=\"\"\n";
        assert_eq!(read(text), ["a/a=x ", "a/b=y", "a/c=\"z'", "a/d=", "a/e=x\" y \"z", "a/f="]);
    }

    #[test]
    fn continuation_lines_join_and_even_look_like_comments() {
        assert_eq!(read("[a]\nx = one\n  two\n\t# three\n\ny = 1"), ["a/x=one\ntwo\n# three", "a/y=1"]);
    }

    #[test]
    fn an_empty_line_and_a_comment_end_a_value() {
        let problem = "a line that begins with a blank continues nothing";
        assert_eq!(refused("[a]\nx = one\n\n  two\n"), (4, problem));
        assert_eq!(refused("[a]\nx = one\n#c\n  two\n"), (4, problem));
        assert_eq!(refused("  x = 1\n"), (1, problem));
    }

    #[test]
    fn comments_stand_only_at_the_start_of_a_line() {
        assert_eq!(read("# c\n[a]\n; c\nx = 1 # 2 ; 3\n"), ["a/x=1 # 2 ; 3"]);
    }

    #[test]
    fn repeated_keys_and_sections_are_all_kept() {
        assert_eq!(read("[a]\nx=1\nx=2\n[b]\nx=3\n[a]\nx=4\n"), ["a/x=1", "a/x=2", "b/x=3", "a/x=4"]);
    }

    #[test]
    fn sections_may_hold_signs_and_every_line_end_is_known() {
        let text = "\u{feff}[drivers:transport:wsgi]\r\nport = 1\r[a=b]\rx=1\n";
        assert_eq!(read(text), ["drivers:transport:wsgi/port=1", "a=b/x=1"]);
        assert_eq!(parse(text).unwrap()[1].line, 4);
    }

    #[test]
    fn what_is_no_ini_is_refused_with_its_line() {
        assert_eq!(refused("x = 1\n").0, 1);
        assert_eq!(refused("[a]\n\nnothing\n"), (3, "neither = nor : found"));
        assert_eq!(refused("[a]\n= 1\n"), (2, "nothing stands before the = or :"));
        assert_eq!(refused("[a] # c\n"), (1, "a section's line must end with ]"));
        assert_eq!(refused("[]\n"), (1, "a section must have a name"));
        assert_eq!(refused("[\n"), (1, "a section's line must end with ]"));
    }

    /// One line of a value: whatever oslo can write.
    fn value_line() -> impl Strategy<Value = String> {
        "[^\r\n]{0,20}"
    }

    /// A value of one or more lines; lines after the first are neither empty nor do they have outer blanks.
    fn value() -> impl Strategy<Value = String> {
        (value_line(), prop::collection::vec("[!-~][ -~é]{0,10}[!-~]", 0..3))
            .prop_map(|(first, rest)| rest.into_iter().fold(first, |text, line| text + "\n" + line.trim()))
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), ini in "([\\[\\]=:#;'\" \ta\r\n$]|é){0,40}") {
            let _ = parse(&text);
            let _ = parse(&ini);
        }

        #[test]
        fn what_is_printed_is_read_back(
            printed in prop::collection::vec(("[a-zA-Z:_.-]{1,12}", "[a-z][a-z_ -]{0,8}[a-z]", value()), 0..8)
        ) {
            let text = printed.iter().fold(String::new(), |text, (section, key, value)| {
                format!("{text}[{section}]\n{key} = {}\n", quote(value))
            });
            let read: Vec<_> = parse(&text).unwrap().into_iter()
                .map(|a| (a.section.to_string(), a.key, a.value)).collect();
            prop_assert_eq!(read, printed);
        }
    }
}
