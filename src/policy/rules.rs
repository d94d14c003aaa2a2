//! All rules together: those of the files over the defaults, each made into a tree, references found.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::check::{Check, Scene};
use super::facts::Facts;
use super::file::{self, FileError};
use super::parse::Written;
use super::rule::{Defaults, Rule, Scope};
use super::source::PolicyError;

/// How deep an evaluation may go, through rules that refer to others; it bounds the stack that a request needs.
const DEEPEST: usize = 400;

/// Where a rule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// The line, from 1.
    pub line: usize,
}

/// Something that an operator should know about a rule. The rules can be used all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The place in a file.
    pub place: Place,
    /// Whether it is a mistake; otherwise only a rule that could go.
    pub mistake: bool,
    /// What it is, in one line.
    pub what: String,
}

/// A rule in force.
#[derive(Clone, Debug)]
struct Entry {
    name: String,
    /// The place in a file; none where the default counts.
    place: Option<Place>,
}

/// The rules in force, ready to be asked.
#[derive(Clone, Debug)]
pub struct Rules {
    entries: Vec<Entry>,
    checks: Vec<Check>,
    names: HashMap<String, usize>,
    /// Where each rule of the service stands.
    own: Vec<usize>,
    defaults: Defaults,
    findings: Vec<Finding>,
}

impl Rules {
    /// The rules of these files, given by name and text, over the defaults; later files win. `fallback` is the name
    /// of the rule that counts where one is referred to that does not exist.
    pub fn new(
        files: &[(Arc<Path>, String)],
        defaults: Defaults,
        fallback: &str,
    ) -> Result<Self, PolicyError> {
        let (mut written, mut places) = (BTreeMap::new(), BTreeMap::new());
        for (name, check) in defaults.all() {
            written.insert(name.to_owned(), Written::Text(check.to_owned()));
        }
        let known: BTreeSet<String> = written.keys().cloned().collect();
        let mut findings = Vec::new();
        for (file, text) in files {
            let broken = |FileError { line, problem }| PolicyError::broken(file, line, problem);
            for rule in file::parse(text).map_err(broken)? {
                let place = Place { file: file.clone(), line: rule.line };
                if let Some(first) = places.get(&rule.name).filter(|first: &&Place| first.file == place.file)
                {
                    let what = format!(
                        "{} stands here again; that of line {} does not count",
                        rule.name, first.line
                    );
                    findings.push(Finding { place: place.clone(), mistake: true, what });
                }
                places.insert(rule.name.clone(), place);
                written.insert(rule.name, rule.written);
            }
        }
        let mut rules = Self::compile(&written, &places, defaults, findings);
        rules.resolve(fallback);
        rules.refuse()?;
        rules.find_mistakes(&known, fallback);
        rules.find_redundant();
        rules.findings.sort_by_key(|finding| (finding.place.file.clone(), finding.place.line));
        Ok(rules)
    }

    fn compile(
        written: &BTreeMap<String, Written>,
        places: &BTreeMap<String, Place>,
        defaults: Defaults,
        findings: Vec<Finding>,
    ) -> Self {
        let checks = written.values().map(Written::parse).collect();
        let entry = |name: &String| Entry { name: name.clone(), place: places.get(name).cloned() };
        let entries: Vec<Entry> = written.keys().map(entry).collect();
        let names: HashMap<String, usize> =
            entries.iter().enumerate().map(|(at, entry)| (entry.name.clone(), at)).collect();
        // Every rule of the service has a default, so that none is missing here.
        let own = Rule::ALL.iter().filter_map(|rule| names.get(rule.name()).copied()).collect();
        Self { entries, checks, names, own, defaults, findings }
    }

    /// Finds the rule of each reference.
    fn resolve(&mut self, fallback: &str) {
        let (names, last) = (&self.names, self.names.get(fallback).copied());
        for check in &mut self.checks {
            check.resolve(&|name| names.get(name).copied().or(last));
        }
    }

    /// Refuses what cannot be served: questions to other servers, and rules that refer to themselves.
    fn refuse(&self) -> Result<(), PolicyError> {
        for (entry, check) in self.entries.iter().zip(&self.checks) {
            let mut remote = false;
            check.leaves(&mut |leaf| remote |= leaf.is_remote());
            if remote {
                let problem = format!(
                    "{} asks another server (http: or https:), which is not built in; \
                     write what it would answer with roles and rules",
                    entry.name
                );
                return Err(refusal(entry, problem));
            }
        }
        let mut depths = vec![None; self.checks.len()];
        (0..self.checks.len()).try_for_each(|at| self.depth(at, &mut Vec::new(), &mut depths).map(drop))
    }

    /// How deep the evaluation of that rule goes. `way` are the rules that lead to it.
    fn depth(
        &self,
        at: usize,
        way: &mut Vec<usize>,
        depths: &mut Vec<Option<usize>>,
    ) -> Result<usize, PolicyError> {
        if let Some(depth) = depths[at] {
            return Ok(depth);
        }
        if let Some(start) = way.iter().position(|seen| *seen == at) {
            let names: Vec<_> = way[start..].iter().chain([&at]).map(|at| &*self.entries[*at].name).collect();
            let problem = format!("rules refer to each other in a circle: {}", names.join(" -> "));
            // The defaults have no circle, so that some rule of it stands in a file.
            let place = way[start..].iter().find(|at| self.entries[**at].place.is_some()).unwrap_or(&at);
            return Err(refusal(&self.entries[*place], problem));
        }
        way.push(at);
        let mut referred = Vec::new();
        self.checks[at].leaves(&mut |leaf| referred.extend(leaf.reference().and_then(|(_, at)| at)));
        let mut deepest = 0;
        for other in referred {
            deepest = deepest.max(self.depth(other, way, depths)?);
        }
        way.pop();
        let depth = deepest + self.checks[at].depth() + 1;
        if depth > DEEPEST {
            return Err(refusal(&self.entries[at], "rules refer to others too deep".to_owned()));
        }
        depths[at] = Some(depth);
        Ok(depth)
    }

    /// Notes checks that could not be understood, references to nothing, and names that nothing asks for.
    fn find_mistakes(&mut self, known: &BTreeSet<String>, fallback: &str) {
        let mut referred: BTreeSet<&str> = BTreeSet::from([fallback]);
        for check in &self.checks {
            check.leaves(&mut |leaf| referred.extend(leaf.reference().map(|(name, _)| name)));
        }
        let mut findings = Vec::new();
        for (entry, check) in self.entries.iter().zip(&self.checks) {
            let Some(place) = &entry.place else { continue };
            let mut note = |what| findings.push(Finding { place: place.clone(), mistake: true, what });
            for problem in check.problems() {
                note(format!("{}: {problem}", entry.name));
            }
            let mut missing = BTreeSet::new();
            check.leaves(&mut |leaf| missing.extend(leaf.reference().map(|(name, _)| name)));
            for name in missing.into_iter().filter(|name| !self.names.contains_key(*name)) {
                note(format!("{}: there is no rule {name}", entry.name));
            }
            if !known.contains(&entry.name) && !referred.contains(&*entry.name) {
                note(format!("{}: unknown rule, which nothing asks for", entry.name));
            }
        }
        self.findings.extend(findings);
    }

    /// Notes rules that say what the default says.
    fn find_redundant(&mut self) {
        for (name, check, place) in self.redundant() {
            let what = format!("{name}: {check:?} is the default");
            self.findings.push(Finding { place, mistake: false, what });
        }
    }

    /// The rules of files that equal their defaults: name, check, place.
    pub fn redundant(&self) -> Vec<(String, String, Place)> {
        let mut redundant = Vec::new();
        for (name, default) in self.defaults.all() {
            let Some(at) = self.names.get(name) else { continue };
            let same = Written::Text(default.to_owned()).parse().to_string() == self.checks[*at].to_string();
            let understood = self.checks[*at].problems().is_empty();
            if let (true, true, Some(place)) = (same, understood, &self.entries[*at].place) {
                redundant.push((name.to_owned(), default.to_owned(), place.clone()));
            }
        }
        redundant
    }

    /// What an operator should know, by line.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The names and checks of all rules in force, by name. The empty check is `@`.
    pub fn all(&self) -> impl Iterator<Item = (&str, String)> {
        self.entries.iter().zip(&self.checks).map(|(entry, check)| (&*entry.name, check.to_string()))
    }

    /// Whether that rule of the service permits it.
    pub(super) fn permits(&self, rule: Rule, credentials: &dyn Facts, target: &dyn Facts) -> bool {
        self.own
            .get(rule as usize)
            .is_some_and(|at| self.in_scope(rule, credentials) && self.holds(*at, credentials, target))
    }

    /// The same of a rule by its name; `None` where there is no such rule.
    pub fn permits_named(&self, name: &str, credentials: &dyn Facts, target: &dyn Facts) -> Option<bool> {
        let at = *self.names.get(name)?;
        let own = Rule::ALL.iter().find(|rule| rule.name() == name);
        let in_scope = own.is_none_or(|rule| self.in_scope(*rule, credentials));
        Some(in_scope && self.holds(at, credentials, target))
    }

    fn holds(&self, at: usize, credentials: &dyn Facts, target: &dyn Facts) -> bool {
        let scene = Scene { rules: &self.checks, credentials, target };
        // Where Python would raise an error, nobody is permitted.
        self.checks[at].holds(&scene).unwrap_or(false)
    }

    /// Whether the caller's token is of a scope that the rule is for.
    fn in_scope(&self, rule: Rule, credentials: &dyn Facts) -> bool {
        self.defaults.scopes(rule).is_none_or(|scopes| scopes.contains(&Scope::of(credentials)))
    }
}

/// The refusal of a rule.
fn refusal(entry: &Entry, problem: String) -> PolicyError {
    match &entry.place {
        Some(place) => PolicyError::broken(&place.file, place.line, problem),
        None => PolicyError::Refused(problem),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
