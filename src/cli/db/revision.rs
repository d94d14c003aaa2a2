//! The names of revisions: `007` is the Python service's own last one, ours follow as `zaqar2`, `zaqar3` …

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};

use crate::storage::sql::{Current, SqlTables};

/// A revision of the tables, by its version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Revision(pub(super) usize);

impl Revision {
    /// The revision of that name.
    pub(super) fn parse(name: &str) -> anyhow::Result<Self> {
        let known = |version: &usize| (1..=SqlTables::NEWEST).contains(version);
        let version = match name {
            "head" | "heads" => Some(SqlTables::NEWEST),
            SqlTables::REFERENCE => Some(1),
            _ => name.strip_prefix("zaqar").and_then(|number| number.parse().ok()).filter(known),
        };
        version.map(Self).with_context(|| {
            let names: Vec<_> = SqlTables::history().map(|(version, _)| named(version)).collect();
            format!("no revision {name:?}; there are head, {}", names.join(", "))
        })
    }
}

/// The version so many steps ahead.
pub(super) fn ahead(from: usize, delta: usize) -> anyhow::Result<usize> {
    let target = from.saturating_add(delta);
    ensure!(target <= SqlTables::NEWEST, "{delta} revisions ahead of {} there is none", named(from));
    Ok(target)
}

/// The revision of the tables as one line; empty where they have none.
pub(super) fn shown(current: &Current) -> String {
    match current.version {
        0 if current.reference.is_empty() => String::new(),
        0 => format!("{}\n", current.reference.join("\n")),
        version => format!("{}{}\n", named(version), mark(version)),
    }
}

/// All revisions, the newest first, a line each.
pub(super) fn history() -> String {
    let mut steps: Vec<_> = SqlTables::history().map(|(version, _)| line("", version)).collect();
    steps.reverse();
    steps.concat()
}

/// A revision that was applied, as a line.
pub(super) fn step(version: usize) -> String {
    line("Running upgrade ", version)
}

fn line(before: &str, version: usize) -> String {
    let summary = SqlTables::history().find(|(number, _)| *number == version);
    let summary = summary.map(|(_, summary)| summary).unwrap_or_default();
    let mut line = String::from(before);
    let _ = writeln!(line, "{} -> {}{}, {summary}", named(version - 1), named(version), mark(version));
    line
}

fn named(version: usize) -> String {
    match version {
        0 => "<base>".to_owned(),
        1 => SqlTables::REFERENCE.to_owned(),
        version => format!("zaqar{version}"),
    }
}

fn mark(version: usize) -> &'static str {
    if version == SqlTables::NEWEST { " (head)" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_shown() {
        for (version, _) in SqlTables::history() {
            assert_eq!(Revision::parse(&named(version)).unwrap(), Revision(version));
        }
        assert_eq!(Revision::parse("head").unwrap(), Revision(SqlTables::NEWEST));
        for name in ["", "006", "008", "zaqar0", "zaqar99", "+1", "base"] {
            let error = Revision::parse(name).unwrap_err().to_string();
            assert!(error.contains("head, 007, zaqar2"), "{error}");
        }
    }

    #[test]
    fn history_ends_at_the_head() {
        let history = history();
        let mut lines = history.lines();
        assert!(lines.next().is_some_and(|line| line.contains(" (head), ")), "{history}");
        assert!(lines.next_back().is_some_and(|line| line.starts_with("<base> -> 007, ")), "{history}");
    }
}
