//! One source of values (a file, the environment, the command line) under the options' true names, with notes on
//! what it holds that cannot be used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::OptionSpec;
use super::error::{ConfigError, Place, shown};
use super::ini::{self, Assignment};
use super::section::Group;

/// The section and the name of an option.
pub(super) type Key = (&'static str, &'static str);

/// The values that one source gives.
#[derive(Default)]
pub(super) struct Layer {
    /// The texts of each option, in order, and where the last of them stands.
    pub(super) given: BTreeMap<Key, Given>,
    /// Whether values of multi-valued options replace those of the layers below, instead of joining them.
    pub(super) replaces: bool,
}

/// What a source says of one option.
pub(super) struct Given {
    pub(super) texts: Vec<String>,
    pub(super) place: Place,
}

/// What an operator should hear about once.
#[derive(Default)]
pub(super) struct Findings {
    without_effect: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// What was noted, so that it is noted once, and the notes with the place where it was first seen.
    noted: BTreeSet<String>,
    notes: Vec<String>,
}

impl Findings {
    /// The notes, one line each.
    pub(super) fn into_notes(self) -> Vec<String> {
        let mut notes = self.notes;
        if !self.without_effect.is_empty() {
            let names = |options: BTreeSet<_>| options.into_iter().collect::<Vec<_>>().join(", ");
            let sections = self.without_effect.into_iter();
            let sections: Vec<String> =
                sections.map(|(group, all)| format!("[{group}] {}", names(all))).collect();
            notes.push(format!("these options have no effect here: {}", sections.join("; ")));
        }
        notes
    }

    /// Notes that the option is given, if it has no effect.
    fn given(&mut self, group: &'static str, spec: &OptionSpec) {
        if !spec.acts_in(group) {
            self.without_effect.entry(group).or_default().insert(spec.name);
        }
    }

    /// Notes a fact, once, with the place where it was first seen.
    fn note(&mut self, place: &Place, fact: String) {
        let note = format!("{place}: {fact}");
        if self.noted.insert(fact) {
            self.notes.push(note);
        }
    }
}

impl Layer {
    /// The layer of one file's text.
    pub(super) fn of_file(
        table: &'static [Group],
        name: &str,
        text: &str,
        findings: &mut Findings,
    ) -> Result<Self, ConfigError> {
        let syntax = |source| ConfigError::Syntax { name: name.to_owned(), source };
        let name: Arc<str> = name.into();
        let mut layer = Self::default();
        let mut old = Vec::new();
        for assignment in ini::parse(text).map_err(syntax)? {
            let place = Place::File(name.clone(), assignment.line);
            match find(table, &assignment) {
                Found::Option(group, spec) => layer.add((group, spec), assignment.value, place, findings),
                Found::Formerly(group, spec) => {
                    let key = shown(&assignment.key);
                    findings.note(&place, format!("[{group}] {key} is the old name of {}", spec.name));
                    old.push(((group, spec), assignment.value, place));
                }
                Found::NoOption(group) => {
                    findings.note(
                        &place,
                        format!("unknown option [{group}] {} is ignored", shown(&assignment.key)),
                    );
                }
                Found::NoSection => {
                    findings
                        .note(&place, format!("unknown section [{}] is ignored", shown(&assignment.section)));
                }
            }
        }
        // In one file the present name of an option counts, wherever the old one stands.
        for (option, text, place) in old {
            if option.1.multi || !layer.given.contains_key(&(option.0, option.1.name)) {
                layer.add(option, text, place, findings);
            }
        }
        Ok(layer)
    }

    /// The layer of the variables `OS_<GROUP>__<OPTION>`, where signs that a shell cannot write in the name of a
    /// variable may be underscores.
    pub(super) fn of_environment(
        table: &'static [Group],
        environment: &BTreeMap<String, String>,
        findings: &mut Findings,
    ) -> Self {
        let mut layer = Self { replaces: true, ..Self::default() };
        let mut used = BTreeSet::new();
        for (group, spec) in options(table) {
            let exact = format!("OS_{group}__{}", spec.name).to_uppercase();
            for name in [exact.replace([':', '-'], "_"), exact] {
                if let Some(text) = environment.get(&name).filter(|_| used.insert(name.clone())) {
                    layer.add((group, spec), text.clone(), Place::Variable(name), findings);
                }
            }
        }
        for name in environment.keys().filter(|name| !used.contains(*name)) {
            let parts = name.strip_prefix("OS_").and_then(|rest| rest.split_once("__"));
            if let Some((group, option)) = parts.map(|(group, option)| (shown(group), shown(option))) {
                let place = Place::Variable(shown(name));
                findings.note(&place, format!("unknown option [{group}] {option} is ignored"));
            }
        }
        layer
    }

    /// The layer of values that the command line sets.
    pub(super) fn of_command_line(
        table: &'static [Group],
        settings: &[(String, String, String)],
        findings: &mut Findings,
    ) -> Self {
        let mut layer = Self { replaces: true, ..Self::default() };
        for (group, name, text) in settings {
            let found = options(table).find(|(known, spec)| known == group && spec.name == name);
            match found {
                Some(option) => layer.add(option, text.clone(), Place::CommandLine, findings),
                None => {
                    findings.note(&Place::CommandLine, format!("unknown option [{group}] {name} is ignored"));
                }
            }
        }
        layer
    }

    /// Adds a text of an option.
    fn add(&mut self, (group, spec): Entry, text: String, place: Place, findings: &mut Findings) {
        findings.given(group, spec);
        let empty = Given { texts: Vec::new(), place: Place::Default };
        let given = self.given.entry((group, spec.name)).or_insert(empty);
        if !spec.multi {
            given.texts.clear();
        }
        given.texts.push(text);
        given.place = place;
    }
}

/// An option and its section.
type Entry = (&'static str, &'static OptionSpec);

/// All options, by section.
fn options(table: &'static [Group]) -> impl Iterator<Item = Entry> {
    table.iter().flat_map(|group| group.options.iter().map(|spec| (group.name, spec)))
}

/// What an assignment in a file names.
enum Found {
    Option(&'static str, &'static OptionSpec),
    Formerly(&'static str, &'static OptionSpec),
    NoOption(&'static str),
    NoSection,
}

/// Finds the option. Sections compare without case, except `DEFAULT`; hyphens in names are underscores.
fn find(table: &'static [Group], assignment: &Assignment) -> Found {
    let (section, name) = (&*assignment.section, assignment.key.replace('-', "_"));
    let same = |group: &&Group| match group.name {
        "DEFAULT" => section == "DEFAULT",
        known => known.eq_ignore_ascii_case(section),
    };
    let groups = || table.iter().filter(same);
    let specs = || groups().flat_map(|group| group.options.iter().map(|spec| (group.name, spec)));
    let present = specs().find(|(_, spec)| spec.name == name);
    let former = || specs().find(|(_, spec)| spec.formerly.contains(&name.as_str()));
    match (present, groups().next()) {
        (Some((group, spec)), _) => Found::Option(group, spec),
        (None, None) => Found::NoSection,
        (None, Some(group)) => {
            former().map_or(Found::NoOption(group.name), |(group, spec)| Found::Formerly(group, spec))
        }
    }
}
