//! The merged texts, from which each section reads its fields.

use std::collections::BTreeMap;

use super::OptionSpec;
use super::error::{BadValue, ConfigError, Place, shown};
use super::interpolate::expand;
use super::layer::{Key, Layer};
use super::merge::{Texts, merge};
use super::section::Group;
use super::value::OptionValue;

/// Where each given option stands.
pub(super) type Places = BTreeMap<Key, Place>;

/// What all layers together give.
pub(super) struct Values {
    table: &'static [Group],
    texts: Texts,
    /// Where each given option got its last value.
    pub(super) places: Places,
    /// Values whose references are filled in; each is worked out once.
    expanded: BTreeMap<Key, Result<Vec<String>, String>>,
}

impl Values {
    /// The values of the layers, later ones over earlier ones.
    pub(super) fn new(table: &'static [Group], layers: &[Layer]) -> Self {
        let places = layers.iter().flat_map(|layer| &layer.given);
        let places = places.map(|(key, given)| (*key, given.place.clone())).collect();
        Self { table, texts: merge(layers), places, expanded: BTreeMap::new() }
    }

    /// The value of an option, or the error that names it.
    pub(super) fn read<T: OptionValue>(
        &mut self,
        group: &'static str,
        spec: &'static OptionSpec,
    ) -> Result<T, ConfigError> {
        let texts = self.expanded(group, spec, 0);
        let value = texts.and_then(|texts| spec.read(&texts).ok_or_else(|| spec.expected()));
        value.map_err(|problem| {
            let place = self.places.get(&(group, spec.name)).cloned().unwrap_or(Place::Default);
            let written = self.written(group, spec);
            let value = if spec.secret { "****".to_owned() } else { shown(&written.join(", ")) };
            let (group, option) = (group.to_owned(), spec.name.to_owned());
            ConfigError::Value(Box::new(BadValue { place, group, option, value, problem }))
        })
    }

    /// The texts of the option as they were written, or its default.
    fn written(&self, group: &str, spec: &OptionSpec) -> Vec<String> {
        let given = self.texts.get(group).and_then(|options| options.get(spec.name));
        given.cloned().unwrap_or_else(|| vec![spec.default.to_owned()])
    }

    /// The texts of the option with their references filled in.
    fn expanded(
        &mut self,
        group: &'static str,
        spec: &'static OptionSpec,
        depth: usize,
    ) -> Result<Vec<String>, String> {
        if depth > DEEPEST {
            return Err(format!("expected references at most {DEEPEST} deep, and none to itself"));
        }
        let key = (group, spec.name);
        if let Some(known) = self.expanded.get(&key) {
            return known.clone();
        }
        let written = self.written(group, spec);
        let expanded: Result<Vec<String>, String> = written
            .iter()
            .map(|text| expand(text, |name| self.referred(group, name, spec.secret, depth)))
            .collect();
        self.expanded.insert(key, expanded.clone());
        expanded
    }

    /// The value of the option that a reference in section `group` names.
    fn referred(
        &mut self,
        group: &'static str,
        name: &str,
        secret: bool,
        depth: usize,
    ) -> Result<String, String> {
        let inner = name.split_once('.').and_then(|(group, name)| self.option(group, name));
        let found = inner.or_else(|| self.option(group, name)).or_else(|| self.option("DEFAULT", name));
        let Some((group, spec)) = found else {
            let name = if secret { "…" } else { name };
            return Err(format!("${name} names no option (a plain dollar sign is written $$)"));
        };
        let texts = self.expanded(group, spec, depth + 1)?;
        Ok(if spec.multi { texts.join(",") } else { texts.last().cloned().unwrap_or_default() })
    }

    /// The option of that name in the table.
    fn option(&self, group: &str, name: &str) -> Option<(&'static str, &'static OptionSpec)> {
        let groups = self.table.iter().filter(|known| known.name.eq_ignore_ascii_case(group));
        let mut options = groups.flat_map(|known| known.options.iter().map(|spec| (known.name, spec)));
        options.find(|(_, spec)| spec.name == name)
    }
}

/// The most references that may lead from one value to another.
const DEEPEST: usize = 16;
