//! The policy language of oslo.policy: from a text or a list of lists to a tree of checks.
//!
//! The tokens and the order in which they are joined are those of oslo.policy's parser (release 6.0.1), so that a
//! text means here what it means there; `tests/conformance/policy` compares the two. What cannot be understood
//! never permits anything.

use super::check::{Check, Leaf};

/// How deep checks may be nested by `not` and parentheses; a text beyond it is not understood.
pub(super) const DEEPEST: usize = 100;

/// What a policy file says of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// A text in the policy language.
    Text(String),
    /// The old form: alternatives, each of checks that must all hold.
    Lists(Vec<Vec<String>>),
}

impl Written {
    /// The tree of checks.
    pub(super) fn parse(&self) -> Check {
        match self {
            Self::Text(text) => parse_text(text),
            Self::Lists(lists) => parse_lists(lists),
        }
    }
}

/// The tree of a text. The empty text permits everybody.
fn parse_text(text: &str) -> Check {
    if text.is_empty() {
        return Check::Always;
    }
    let mut stack = Stack::default();
    for word in text.split(is_blank).filter(|word| !word.is_empty()) {
        stack.shift_word(word);
    }
    stack.result().unwrap_or_else(|problem| Check::broken(text, problem))
}

/// The tree of lists. No list at all permits everybody; only empty ones nobody.
fn parse_lists(lists: &[Vec<String>]) -> Check {
    if lists.is_empty() {
        return Check::Always;
    }
    let inner = lists.iter().filter(|list| !list.is_empty());
    let joined = inner.map(|list| single_or(list.iter().map(|text| leaf(text)).collect(), Check::All));
    let alternatives: Vec<Check> = joined.collect();
    if alternatives.is_empty() { Check::Never } else { single_or(alternatives, Check::Any) }
}

/// The only check, or all of them joined.
fn single_or(mut checks: Vec<Check>, join: fn(Vec<Check>) -> Check) -> Check {
    match checks.pop() {
        Some(only) if checks.is_empty() => only,
        last => {
            checks.extend(last);
            join(checks)
        }
    }
}

/// A check without any word around it.
fn leaf(text: &str) -> Check {
    match text {
        "!" => Check::Never,
        "@" => Check::Always,
        _ => match text.split_once(':') {
            Some((kind, wanted)) => Check::Leaf(Leaf::new(kind, wanted)),
            None => Check::broken(text, "a check is a kind and a value with a colon between them"),
        },
    }
}

/// What Python's `str.isspace` holds for blank: Unicode's white space, and four separators of ASCII.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// What lies on the stack.
enum Item {
    Open,
    Close,
    And,
    Or,
    Not,
    /// A text in quotes. The language has no place for one.
    Quoted,
    /// A check, and how deep it is nested.
    Check(Check, usize),
    /// Checks joined by `and`, which may still grow.
    All(Vec<Check>, usize),
    /// Checks joined by `or`, which may still grow.
    Any(Vec<Check>, usize),
}

/// What the last items of the stack allow.
enum Step {
    Parentheses,
    Join,
    Negate,
}

/// The parser: items are put on it one by one, and joined as soon as they can be.
#[derive(Default)]
struct Stack {
    items: Vec<Item>,
    too_deep: bool,
}

impl Stack {
    /// Takes a word with the parentheses around it.
    fn shift_word(&mut self, word: &str) {
        let inner = word.trim_start_matches('(');
        for _ in inner.len()..word.len() {
            self.shift(Item::Open);
        }
        let bare = inner.trim_end_matches(')');
        if !bare.is_empty() {
            self.shift(item(inner, bare));
        }
        for _ in bare.len()..inner.len() {
            self.shift(Item::Close);
        }
    }

    fn shift(&mut self, item: Item) {
        self.items.push(item);
        while !self.too_deep
            && let Some(step) = self.step()
        {
            self.reduce(&step);
        }
    }

    /// What can be joined now. Three items go before two.
    fn step(&self) -> Option<Step> {
        match self.items.as_slice() {
            [.., Item::Open, Item::Check(..) | Item::All(..) | Item::Any(..), Item::Close] => {
                Some(Step::Parentheses)
            }
            [.., Item::Check(..) | Item::All(..) | Item::Any(..), Item::And | Item::Or, Item::Check(..)] => {
                Some(Step::Join)
            }
            [.., Item::Not, Item::Check(..)] => Some(Step::Negate),
            _ => None,
        }
    }

    fn reduce(&mut self, step: &Step) {
        let joined = match (step, self.items.pop()) {
            (Step::Parentheses, _) => self.items.pop().and_then(Item::closed),
            (Step::Join, Some(Item::Check(check, depth))) => {
                let word = self.items.pop();
                self.items.pop().map(|left| left.joined(matches!(word, Some(Item::And)), check, depth))
            }
            (Step::Negate, Some(Item::Check(check, depth))) => {
                Some(Item::Check(Check::Not(Box::new(check)), depth + 1))
            }
            _ => None,
        };
        if matches!(step, Step::Parentheses | Step::Negate) {
            self.items.pop();
        }
        self.too_deep |= joined.as_ref().is_some_and(|item| item.depth() > DEEPEST);
        self.items.extend(joined);
    }

    /// The one check that is left, or why there is none.
    fn result(mut self) -> Result<Check, &'static str> {
        if self.too_deep {
            return Err("nested too deep");
        }
        let quoted = self.items.iter().any(|item| matches!(item, Item::Quoted));
        match (self.items.len(), self.items.pop().and_then(Item::closed)) {
            (1, Some(Item::Check(check, _))) => Ok(check),
            _ if quoted => Err("a text in quotes is no check"),
            _ => Err("checks, and, or, not and parentheses do not fit together"),
        }
    }
}

/// The item of a word: `inner` still has its closing parentheses, `bare` has none.
fn item(inner: &str, bare: &str) -> Item {
    let words = [("and", Item::And), ("or", Item::Or), ("not", Item::Not)];
    let quoted = |quote: char| inner.len() >= 2 && inner.starts_with(quote) && inner.ends_with(quote);
    match words.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(bare)) {
        Some((_, item)) => item,
        None if quoted('"') || quoted('\'') => Item::Quoted,
        None => Item::Check(leaf(bare), 1),
    }
}

impl Item {
    /// The checks as one that does not grow any more.
    fn closed(self) -> Option<Self> {
        match self {
            Self::Check(check, depth) => Some(Self::Check(check, depth)),
            Self::All(checks, depth) => Some(Self::Check(Check::All(checks), depth)),
            Self::Any(checks, depth) => Some(Self::Check(Check::Any(checks), depth)),
            _ => None,
        }
    }

    /// The check at its right joined to it. After an `or`, an `and` takes the last of the alternatives.
    fn joined(self, and: bool, check: Check, deep: usize) -> Self {
        match (self, and) {
            (Self::Check(left, depth), true) => Self::All(vec![left, check], depth.max(deep) + 1),
            (Self::Check(left, depth), false) => Self::Any(vec![left, check], depth.max(deep) + 1),
            (Self::All(mut checks, depth), true) => {
                checks.push(check);
                Self::All(checks, depth.max(deep + 1))
            }
            (Self::All(checks, depth), false) => {
                Self::Any(vec![Check::All(checks), check], depth.max(deep) + 1)
            }
            (Self::Any(mut checks, depth), true) => {
                let last = match checks.pop() {
                    Some(Check::All(mut all)) => {
                        all.push(check);
                        Check::All(all)
                    }
                    Some(other) => Check::All(vec![other, check]),
                    None => check,
                };
                checks.push(last);
                Self::Any(checks, depth.max(deep) + 1)
            }
            (Self::Any(mut checks, depth), false) => {
                checks.push(check);
                Self::Any(checks, depth.max(deep + 1))
            }
            (other, _) => other,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Check(_, depth) | Self::All(_, depth) | Self::Any(_, depth) => *depth,
            _ => 0,
        }
    }
}
