//! Configuration as oslo.config reads it: INI files on a search path, the environment, the command line.
//!
//! ```text
//! Sources → ini (texts of a file) → layer (true names of options, notes) → merge (figment) → values (`$name`)
//!         → sections (typed fields) → check (what options have to do with each other) → Config
//! ```
//!
//! Each section is a struct in [`sections`]; its fields are the options, their doc comments the help text, and
//! [`sample`] prints all of it. A value that cannot be used is a [`ConfigError`]: one line with file, section,
//! option, value and what was expected. What cannot be used but does no harm is in [`Config::notes`].

mod account;
mod check;
mod error;
pub mod ini;
mod interpolate;
mod layer;
mod merge;
mod option;
pub(crate) mod sample;
mod section;
pub mod sections;
mod sources;
mod value;
mod values;

use layer::{Findings, Layer};
use section::sections;

pub use error::{BadValue, ConfigError, Place};
pub use option::OptionSpec;
pub use sample::sample;
pub use section::Group;
pub use sections::{ApiTransport, AuthStrategy, ClientIdUuidSafe};
pub use sources::Sources;
pub use value::{Kind, Multi};

sections! {
    default: sections::Service = "DEFAULT",
    drivers: sections::Drivers = "drivers",
    wsgi: sections::Wsgi = "drivers:transport:wsgi",
    websocket: sections::Websocket = "drivers:transport:websocket",
    sqlite_messages: sections::Sqlite = "drivers:message_store:sqlite",
    redis_messages: sections::Redis = "drivers:message_store:redis",
    mongodb_messages: sections::Mongodb = "drivers:message_store:mongodb",
    swift_messages: sections::Swift = "drivers:message_store:swift",
    sqlalchemy: sections::SqlAlchemy = "drivers:management_store:sqlalchemy",
    redis_management: sections::Redis = "drivers:management_store:redis",
    mongodb_management: sections::Mongodb = "drivers:management_store:mongodb",
    transport: sections::Transport = "transport",
    listener: sections::Listener = "listener",
    ssl: sections::Ssl = "ssl",
    sweeper: sections::Sweeper = "sweeper",
    statsd: sections::Statsd = "statsd",
    cors: sections::Cors = "cors",
    keystone_authtoken: sections::KeystoneAuthtoken = "keystone_authtoken",
    keystone_credentials: sections::Credentials = "keystone_authtoken",
    trustee: sections::Credentials = "trustee",
    trustee_session: sections::Session = "trustee",
    signed_url: sections::SignedUrl = "signed_url",
    oslo_policy: sections::OsloPolicy = "oslo_policy",
    notification: sections::Notification = "notification",
    storage: sections::Storage = "storage",
    pooling_catalog: sections::PoolingCatalog = "pooling:catalog",
    cache: sections::Cache = "cache",
    profiler: sections::Profiler = "profiler",
    oslo_reports: sections::OsloReports = "oslo_reports",
}

impl Config {
    /// Reads and checks the configuration of a process.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let read = |path: std::path::PathBuf| Ok((path.display().to_string(), sources::read(&path)?));
        let files: Result<Vec<(String, String)>, ConfigError> =
            sources.files()?.into_iter().map(read).collect();
        let mut config = Self::from_texts(&files?, sources)?;
        config.search_path = sources.search_path();
        Ok(config)
    }

    /// The configuration that one file with this text gives, and nothing else.
    pub fn from_ini(text: &str) -> Result<Self, ConfigError> {
        Self::from_texts(&[("zaqar.conf".to_owned(), text.to_owned())], &Sources::none())
    }

    /// The configuration of files, given by name and text, and of the rest of the sources.
    fn from_texts(files: &[(String, String)], sources: &Sources) -> Result<Self, ConfigError> {
        let (mut values, mut notes) = layered(TABLE, files, sources)?;
        let mut config = Self::read(&mut values)?;
        if let Some(section) = config.keystone_credentials.auth_section.clone() {
            let (table, group) = account::table_with(TABLE, &section);
            (values, notes) = layered(table, files, sources)?;
            let account = sections::Credentials::read(group, &mut values)?;
            config.keystone_credentials =
                sections::Credentials { auth_section: Some(group.to_owned()), ..account };
            config.places = values.places;
        }
        config.notes = notes;
        config.files = files.iter().map(|(name, _)| name.clone()).collect();
        config.check()?;
        Ok(config)
    }

    /// The refusal of an option's value for a reason that only the caller knows. `value` is shown: a secret must
    /// be masked.
    pub fn refuse(&self, group: &str, option: &str, value: &str, problem: impl Into<String>) -> ConfigError {
        let place = self.places.get(&(group, option)).cloned().unwrap_or(Place::Default);
        let (group, option, value) = (group.to_owned(), option.to_owned(), error::shown(value));
        ConfigError::Value(Box::new(BadValue { place, group, option, value, problem: problem.into() }))
    }

    /// Whether somebody gave that option a value, wherever.
    pub fn is_given(&self, group: &str, option: &str) -> bool {
        self.places.contains_key(&(group, option))
    }

    /// Whether the value of that option stands in a file.
    pub fn is_in_file(&self, group: &str, option: &str) -> bool {
        matches!(self.places.get(&(group, option)), Some(Place::File(..)))
    }

    /// Refuses a store that is not among those built in, with their names.
    pub fn check_stores(&self, message: &[&str], management: &[&str]) -> Result<(), ConfigError> {
        let drivers = [
            ("message_store", &self.drivers.message_store, message),
            ("management_store", &self.drivers.management_store, management),
        ];
        match drivers.iter().find(|(_, name, built_in)| !built_in.contains(&name.as_str())) {
            None => Ok(()),
            Some((option, name, built_in)) => {
                let problem = format!("no such store is built in; those that are: {}", built_in.join(", "));
                Err(self.refuse("drivers", option, name, problem))
            }
        }
    }

    /// Every section with its options, in the order of the sample; two entries may have one name.
    pub fn table() -> &'static [Group] {
        TABLE
    }
}

/// What the files and the rest of the sources give, by a table of options, and what is to be noted of them.
fn layered(
    table: &'static [Group],
    files: &[(String, String)],
    sources: &Sources,
) -> Result<(values::Values, Vec<String>), ConfigError> {
    let mut findings = Findings::default();
    let mut layers = Vec::with_capacity(files.len() + 2);
    for (name, text) in files {
        layers.push(Layer::of_file(table, name, text, &mut findings)?);
    }
    layers.push(Layer::of_environment(table, &sources.environment, &mut findings));
    layers.push(Layer::of_command_line(table, &sources.settings, &mut findings));
    Ok((values::Values::new(table, &layers), findings.into_notes()))
}

impl Default for Config {
    /// The configuration without any source.
    fn default() -> Self {
        Self::from_texts(&[], &Sources::none()).expect("the defaults are legal, as a test shows")
    }
}

#[cfg(test)]
mod tests;
