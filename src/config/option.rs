//! One option: its entry in the table, and what its text may be.

use super::value::{Kind, OptionValue, is_host};

/// An option as the table knows it. The section macro makes one for each field of a section.
#[expect(clippy::struct_excessive_bools, reason = "each is a plain fact of the table")]
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Its name, in underscores; files may also write it with hyphens.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// The text of its default, as a file would give it.
    pub default: &'static str,
    /// Its help text, in the lines of the doc comment.
    pub help: &'static [&'static str],
    /// Old names of it in the same section, still read.
    pub formerly: &'static [&'static str],
    /// The only values it can have (of a list: the only items), compared without case; empty for any.
    pub choices: &'static [&'static str],
    /// The least value of a number.
    pub min: Option<u64>,
    /// The greatest value of a number.
    pub max: Option<u64>,
    /// Whether it may be left empty.
    pub optional: bool,
    /// Whether its value is hidden in messages.
    pub secret: bool,
    /// Whether each of its repeats is one more value.
    pub multi: bool,
    /// Whether this version acts on it; the others are read, checked and named at start.
    pub effective: bool,
}

impl OptionSpec {
    /// The entry of an option of type `T` without any limit.
    pub(super) const fn of<T: OptionValue>(
        name: &'static str,
        default: &'static str,
        help: &'static [&'static str],
    ) -> Self {
        let (formerly, choices): (&[&str], &[&str]) = (&[], T::CHOICES);
        let (optional, secret, multi) = (T::OPTIONAL, T::SECRET, T::MULTI);
        let (kind, min, max, effective) = (T::KIND, None, None, false);
        Self { name, kind, default, help, formerly, choices, min, max, optional, secret, multi, effective }
    }

    /// This version acts on the option.
    pub(super) const fn effective(mut self) -> Self {
        self.effective = true;
        self
    }

    /// Old names of the option.
    pub(super) const fn formerly(mut self, names: &'static [&'static str]) -> Self {
        self.formerly = names;
        self
    }

    /// The number is at least this.
    pub(super) const fn min(mut self, min: u64) -> Self {
        self.min = Some(min);
        self
    }

    /// The number is at most this.
    pub(super) const fn max(mut self, max: u64) -> Self {
        self.max = Some(max);
        self
    }

    /// The only values.
    pub(super) const fn one_of(mut self, choices: &'static [&'static str]) -> Self {
        self.choices = choices;
        self
    }

    /// The text is an address or the name of a host.
    pub(super) const fn host(mut self) -> Self {
        self.kind = Kind::Host;
        self
    }

    /// Whether this version acts on the option in that section. The trustee's account has the options of the service's
    /// own, and is not used yet.
    pub(super) fn acts_in(&self, group: &str) -> bool {
        self.effective && group != "trustee"
    }

    /// The value that the texts give, or `None` where the option cannot have it. `texts` are all that were given,
    /// in order; where the option is not multi-valued the last counts.
    pub(super) fn read<T: OptionValue>(&self, texts: &[String]) -> Option<T> {
        let last = texts.last().map_or("", String::as_str);
        let empty = self.optional && last.trim().is_empty();
        if !empty && !(self.is_choice(last) && (self.kind != Kind::Host || is_host(last))) {
            return None;
        }
        T::from_texts(texts).filter(|value| value.is_within(self.min, self.max))
    }

    /// What its value must be, in words.
    pub(super) fn expected(&self) -> String {
        if !self.choices.is_empty() {
            let names: Vec<&str> =
                self.choices.iter().map(|c| if c.is_empty() { "nothing" } else { c }).collect();
            let some = if self.kind == Kind::List { "a list of " } else { "one of " };
            return format!("expected {some}{}", names.join(", "));
        }
        let range = match (self.min.or(self.kind.min()), self.max.or(self.kind.max())) {
            (Some(min), Some(max)) => format!(" from {min} to {max}"),
            (Some(min), None) => format!(" of at least {min}"),
            (None, Some(max)) => format!(" of at most {max}"),
            (None, None) => String::new(),
        };
        format!("expected {}{range}", self.kind.words())
    }

    fn is_choice(&self, text: &str) -> bool {
        let known = |item: &str| self.choices.iter().any(|choice| choice.eq_ignore_ascii_case(item.trim()));
        match self.kind {
            _ if self.choices.is_empty() => true,
            Kind::List => text.split(',').all(|item| item.trim().is_empty() || known(item)),
            _ => known(text),
        }
    }
}
