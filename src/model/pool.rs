//! Pools, which are stores that queues are spread over, and flavors, which are named sets of pools.

use std::fmt;
use std::sync::Arc;

use super::{Metadata, ProjectId};

/// The name of a pool: any text; the reference does not validate it (rest.md 10.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolName(Arc<str>);

impl PoolName {
    /// The pool of that name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PoolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PoolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A store that queues can lie in, as an administrator registered it (rest.md 10).
#[derive(Clone, PartialEq)]
pub struct Pool {
    /// Its name.
    pub name: PoolName,
    /// Where the store is; may hold credentials.
    pub uri: String,
    /// How often it is chosen, in proportion to the others' weights; 0 = never.
    pub weight: u32,
    /// The flavor that it serves.
    pub flavor: Option<String>,
    /// Options of its driver, over those of the configuration.
    pub options: Metadata,
}

impl fmt::Debug for Pool {
    /// Without the URI and the options, which may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Pool");
        shown.field("name", &self.name).field("weight", &self.weight).field("flavor", &self.flavor);
        shown.finish_non_exhaustive()
    }
}

/// What a queue may ask of its store by naming it (rest.md 11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flavor {
    /// The tenant whose administrator made it.
    pub project: ProjectId,
    /// Its name: any text.
    pub name: String,
    /// What the stores of its pools can do.
    pub capabilities: Vec<Capability>,
}

/// What a store can do (storage-and-operations.md 1); the number is what the reference stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr, strum::FromRepr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
pub enum Capability {
    /// Messages keep their order.
    Fifo = 1,
    /// Messages can be claimed.
    Claims = 2,
    /// What was acknowledged survives a crash.
    Durability = 3,
    /// At least once delivery.
    Aod = 4,
    /// Many messages a second.
    HighThroughput = 5,
}

impl Capability {
    /// The name that the API shows.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The capability of that number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::from_repr(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_have_the_names_and_numbers_of_the_reference() {
        let all: Vec<_> = (0..=6).filter_map(Capability::from_number).collect();
        let names: Vec<_> = all.iter().map(|capability| capability.name()).collect();
        assert_eq!(names, ["FIFO", "CLAIMS", "DURABILITY", "AOD", "HIGH_THROUGHPUT"]);
        assert_eq!(all.iter().map(|capability| *capability as u8).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_pool_does_not_print_its_secrets() {
        let pool = Pool {
            name: PoolName::new("p"),
            uri: "redis://u:s3cret@h".into(),
            weight: 1,
            flavor: None,
            options: Metadata::new(),
        };
        assert!(!format!("{pool:?}").contains("s3cret"));
    }
}
