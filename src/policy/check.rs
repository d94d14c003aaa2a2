//! Checks, as a tree that is made once and asked at every request.

use std::fmt;

use super::facts::{Fact, Facts};
use super::literal::Left;
use super::template::{Filled, Template};
use super::value::Value;

/// A check, or several joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// `@`: everybody.
    Always,
    /// `!`: nobody.
    Never,
    /// What could not be understood, and why: nobody, as in oslo.policy.
    Broken(Box<(String, &'static str)>),
    /// `not`
    Not(Box<Check>),
    /// `and`
    All(Vec<Check>),
    /// `or`
    Any(Vec<Check>),
    /// `kind:value`
    Leaf(Leaf),
}

/// A check of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The check as it was written.
    written: String,
    kind: Kind,
}

/// What a leaf checks.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Another rule, by name, and where it stands among all rules once that is known.
    Rule(String, Option<usize>),
    /// A role of the caller.
    Role(Template),
    /// A literal or a value of the credentials, compared with a text.
    General(Left, Template),
    /// A question to another server.
    Remote,
}

/// The evaluation met what oslo.policy raises an error on; nobody is permitted then, whatever stands around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault;

/// What an evaluation looks at.
pub(super) struct Scene<'a> {
    /// Every rule; the references in checks count through them.
    pub(super) rules: &'a [Check],
    /// The caller.
    pub(super) credentials: &'a dyn Facts,
    /// What it wants to do it to.
    pub(super) target: &'a dyn Facts,
}

impl Check {
    /// A check that could not be understood.
    pub(super) fn broken(text: &str, problem: &'static str) -> Self {
        Self::Broken(Box::new((text.to_owned(), problem)))
    }

    /// Whether it holds. `and` and `or` go from left to right and end as soon as the answer is known.
    pub(super) fn holds(&self, scene: &Scene<'_>) -> Result<bool, Fault> {
        match self {
            Self::Always => Ok(true),
            Self::Never | Self::Broken(_) => Ok(false),
            Self::Not(check) => check.holds(scene).map(|holds| !holds),
            Self::All(checks) => all(checks, scene, true),
            Self::Any(checks) => all(checks, scene, false).map(|none| !none),
            Self::Leaf(leaf) => leaf.holds(scene),
        }
    }

    /// Calls `see` with every leaf.
    pub(super) fn leaves<'a>(&'a self, see: &mut dyn FnMut(&'a Leaf)) {
        match self {
            Self::Not(check) => check.leaves(see),
            Self::All(checks) | Self::Any(checks) => checks.iter().for_each(|check| check.leaves(see)),
            Self::Leaf(leaf) => see(leaf),
            Self::Always | Self::Never | Self::Broken(_) => {}
        }
    }

    /// How deep the tree goes.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::Not(check) => 1 + check.depth(),
            Self::All(checks) | Self::Any(checks) => {
                1 + checks.iter().map(Self::depth).max().unwrap_or_default()
            }
            Self::Always | Self::Never | Self::Broken(_) | Self::Leaf(_) => 1,
        }
    }

    /// Tells every reference where its rule stands; `None` where there is no such rule.
    pub(super) fn resolve(&mut self, place: &dyn Fn(&str) -> Option<usize>) {
        match self {
            Self::Not(check) => check.resolve(place),
            Self::All(checks) | Self::Any(checks) => checks.iter_mut().for_each(|check| check.resolve(place)),
            Self::Leaf(Leaf { kind: Kind::Rule(name, at), .. }) => *at = place(name),
            _ => {}
        }
    }

    /// What is wrong with it, a line for each fault.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        self.gather(&mut problems);
        problems
    }

    fn gather(&self, problems: &mut Vec<String>) {
        match self {
            Self::Broken(broken) => problems.push(format!("{:?} permits nobody: {}", broken.0, broken.1)),
            Self::Not(check) => check.gather(problems),
            Self::All(checks) | Self::Any(checks) => checks.iter().for_each(|check| check.gather(problems)),
            Self::Leaf(leaf) => {
                problems
                    .extend(leaf.problem().map(|why| format!("{:?} permits nobody: {why}", leaf.written)));
            }
            Self::Always | Self::Never => {}
        }
    }
}

/// Whether each of the checks gives that answer.
fn all(checks: &[Check], scene: &Scene<'_>, answer: bool) -> Result<bool, Fault> {
    for check in checks {
        if check.holds(scene)? != answer {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Leaf {
    /// The check of that kind for that value: what stands before the first colon, and behind it.
    pub(super) fn new(kind: &str, value: &str) -> Self {
        let written = format!("{kind}:{value}");
        let kind = match kind {
            "rule" => Kind::Rule(value.to_owned(), None),
            "role" => Kind::Role(Template::new(value)),
            "http" | "https" => Kind::Remote,
            _ => Kind::General(Left::new(kind), Template::new(value)),
        };
        Self { written, kind }
    }

    /// The rule that it refers to, and where that stands.
    pub(super) fn reference(&self) -> Option<(&str, Option<usize>)> {
        match &self.kind {
            Kind::Rule(name, at) => Some((name, *at)),
            _ => None,
        }
    }

    /// Whether it would ask another server.
    pub(super) fn is_remote(&self) -> bool {
        self.kind == Kind::Remote
    }

    fn problem(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::General(Left::Unreadable, _) => Some("its left side is neither a literal nor a name"),
            Kind::General(_, template) | Kind::Role(template) => template.problem(),
            Kind::Rule(..) | Kind::Remote => None,
        }
    }

    fn holds(&self, scene: &Scene<'_>) -> Result<bool, Fault> {
        let (Kind::Role(template) | Kind::General(_, template)) = &self.kind else {
            return self.other_rule(scene);
        };
        let wanted = match template.fill(scene.target) {
            Filled::Text(text) => text,
            Filled::Missing => return Ok(false),
            Filled::Fault => return Err(Fault),
        };
        match &self.kind {
            Kind::General(Left::Literal(literal), _) => Ok(*literal == wanted),
            Kind::General(Left::Path(path), _) => find(scene.credentials, path, &wanted),
            Kind::Role(_) => has_role(scene.credentials, &wanted),
            _ => Err(Fault),
        }
    }

    /// The answer of the rule that it refers to. One that does not exist permits nobody.
    fn other_rule(&self, scene: &Scene<'_>) -> Result<bool, Fault> {
        let Kind::Rule(_, at) = &self.kind else { return Err(Fault) };
        at.and_then(|at| scene.rules.get(at)).map_or(Ok(false), |rule| rule.holds(scene))
    }
}

/// Whether the caller has that role, in letters of either case.
fn has_role(credentials: &dyn Facts, wanted: &str) -> Result<bool, Fault> {
    match credentials.fact("roles") {
        None => Ok(false),
        Some(Fact::Texts(roles)) => Ok(roles.iter().any(|role| same_letters(role, wanted))),
        // Python takes each of them in small letters before it looks at any.
        Some(Fact::Value(Value::List(roles))) if roles.iter().all(|role| matches!(role, Value::Text(_))) => {
            Ok(roles.iter().any(|role| same_letters(&role.text(), wanted)))
        }
        Some(_) => Err(Fault),
    }
}

/// Whether the texts are the same in small letters.
fn same_letters(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    one.to_lowercase() == other.to_lowercase()
}

/// Whether the value at the end of that path is the text; of a list, any of its items.
fn find(credentials: &dyn Facts, path: &[String], wanted: &str) -> Result<bool, Fault> {
    let Some((first, rest)) = path.split_first() else { return Err(Fault) };
    match credentials.fact(first) {
        None | Some(Fact::Texts([])) => Ok(false),
        Some(Fact::Texts(texts)) if rest.is_empty() => Ok(texts.iter().any(|text| text == wanted)),
        Some(Fact::Value(value)) => find_in(value, rest, wanted),
        Some(fact) if rest.is_empty() => Ok(fact.text() == wanted),
        Some(_) => Err(Fault),
    }
}

/// The same below a value of any shape. Python fails where a path goes on below what is no object.
fn find_in(value: &Value, path: &[String], wanted: &str) -> Result<bool, Fault> {
    if let Value::List(items) = value {
        for item in items {
            if item_holds(item, path, wanted)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    item_holds(value, path, wanted)
}

/// The same for an item of a list, which is not looked into if it is a list itself.
fn item_holds(value: &Value, path: &[String], wanted: &str) -> Result<bool, Fault> {
    match (path.split_first(), value) {
        (None, value) => Ok(value.text() == wanted),
        (Some((key, rest)), Value::Object(values)) => {
            values.get(key).map_or(Ok(false), |value| find_in(value, rest, wanted))
        }
        (Some(_), _) => Err(Fault),
    }
}

impl fmt::Display for Check {
    /// As oslo.policy writes it, so that equal checks have equal texts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |f: &mut fmt::Formatter<'_>, checks: &[Self], word: &str| {
            let checks: Vec<_> = checks.iter().map(Self::to_string).collect();
            write!(f, "({})", checks.join(word))
        };
        match self {
            Self::Always => f.write_str("@"),
            Self::Never | Self::Broken(_) => f.write_str("!"),
            Self::Not(check) => write!(f, "not {check}"),
            Self::All(checks) => join(f, checks, " and "),
            Self::Any(checks) => join(f, checks, " or "),
            Self::Leaf(leaf) => f.write_str(&leaf.written),
        }
    }
}
