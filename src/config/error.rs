//! Why a configuration is refused: always one line that names the file, the option, its value and what was
//! expected.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::ini::SyntaxError;

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line (from 1) of a file.
    File(Arc<str>, usize),
    /// An environment variable.
    Variable(String),
    /// The command line.
    CommandLine,
    /// Nowhere: it is the default.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name, line) => write!(f, "{name}:{line}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::CommandLine => f.write_str("command line"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// What stops the start. Each variant prints as one line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or directory cannot be read.
    #[error("{path}: cannot be read: {source}", path = path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is not UTF-8.
    #[error("{path}:{line}: is not UTF-8", path = path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The line of the first bad byte, from 1.
        line: usize,
    },
    /// A file is no INI file.
    #[error("{name}:{line}: {problem}", line = source.line, problem = source.problem)]
    Syntax {
        /// The file.
        name: String,
        /// The line and what is wrong with it.
        source: SyntaxError,
    },
    /// An option has a value that cannot be used.
    #[error("{0}")]
    Value(Box<BadValue>),
}

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: [{group}] {option} = {value}: {problem}")]
pub struct BadValue {
    /// Where it was given.
    pub place: Place,
    /// The section.
    pub group: String,
    /// The option.
    pub option: String,
    /// The value as written: on one line, shortened, masked if it is a secret.
    pub value: String,
    /// What was expected instead.
    pub problem: String,
}

/// The longest part of a value that is shown, in characters.
const SHOWN: usize = 100;

/// The value on one line, fit to be shown.
pub(super) fn shown(value: &str) -> String {
    let mut text: String = value.chars().take(SHOWN).flat_map(visible).collect();
    if value.chars().nth(SHOWN).is_some() {
        text.push('…');
    }
    text
}

/// The character, or its escape where it would break the line or steer a terminal.
fn visible(character: char) -> impl Iterator<Item = char> {
    let escape = character.is_control().then(|| character.escape_default());
    let plain = escape.is_none().then_some(character);
    plain.into_iter().chain(escape.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_value_is_one_short_line() {
        assert_eq!(shown("sqlite:///é"), "sqlite:///é");
        assert_eq!(shown("a\nb\u{1b}[1m"), "a\\nb\\u{1b}[1m");
        assert_eq!(shown(&"x".repeat(101)), "x".repeat(100) + "…");
    }
}
