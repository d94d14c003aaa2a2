//! Layers of configuration, one over the other, through figment. No other file knows figment.

use std::collections::BTreeMap;

use figment::value::{Dict, Map};
use figment::{Error, Figment, Metadata, Profile, Provider};

use super::layer::Layer;

/// The texts of every option that is given, by section and name: all of them, in order. Of those of an option
/// that has only one value the last counts.
pub(super) type Texts = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// Lays each layer over those before it.
pub(super) fn merge(layers: &[Layer]) -> Texts {
    let merged = layers.iter().fold(Figment::new(), |below, layer| {
        if layer.replaces { below.merge(layer) } else { below.admerge(layer) }
    });
    merged.extract().expect("layers hold nothing but lists of texts, in sections")
}

/// A layer hands out texts only: what they mean is decided by the option, so that a password of digits stays one.
impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named("oslo.config layer")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut sections = Dict::new();
        let mut groups: BTreeMap<&str, Dict> = BTreeMap::new();
        for ((group, name), given) in &self.given {
            groups.entry(group).or_default().insert((*name).to_owned(), given.texts.clone().into());
        }
        sections.extend(groups.into_iter().map(|(group, options)| (group.to_owned(), options.into())));
        Ok(Profile::Default.collect(sections))
    }
}
