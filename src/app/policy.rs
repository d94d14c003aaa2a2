//! The policy that a configuration describes.

use std::path::PathBuf;

use crate::config::Config;
use crate::policy::{Defaults, Source};

const SECTION: &str = "oslo_policy";

/// Where the rules come from, and which defaults they override.
pub fn policy_source(config: &Config) -> Source {
    let options = &config.oslo_policy;
    Source {
        search_path: config.search_path.clone(),
        file: PathBuf::from(&options.policy_file),
        file_named: config.is_given(SECTION, "policy_file"),
        directories: options.policy_dirs.iter().map(PathBuf::from).collect(),
        fallback: options.policy_default_rule.clone(),
        defaults: defaults(config),
    }
}

/// The new defaults count only where a file asks for them: the option's own default is on, and a service that was
/// upgraded would refuse callers that it served before.
fn defaults(config: &Config) -> Defaults {
    let options = &config.oslo_policy;
    if options.enforce_new_defaults && config.is_in_file(SECTION, "enforce_new_defaults") {
        Defaults::New { scopes: options.enforce_scope }
    } else {
        Defaults::Reference
    }
}

/// What the operator should hear of the options: asked for the new defaults elsewhere than in a file.
pub(super) fn policy_note(config: &Config) -> Option<&'static str> {
    let name = "enforce_new_defaults";
    let elsewhere = config.is_given(SECTION, name) && !config.is_in_file(SECTION, name);
    (config.oslo_policy.enforce_new_defaults && elsewhere)
        .then_some("[oslo_policy] enforce_new_defaults = true counts only in a configuration file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    #[test]
    fn the_new_defaults_must_be_asked_for_in_a_file() {
        let of = |text: &str| defaults(&Config::from_ini(text).unwrap());
        assert_eq!(of(""), Defaults::Reference);
        assert_eq!(of("[oslo_policy]\nenforce_new_defaults = false\n"), Defaults::Reference);
        let on = "[oslo_policy]\nenforce_new_defaults = true\n";
        assert_eq!(of(on), Defaults::New { scopes: true });
        assert_eq!(of(&format!("{on}enforce_scope = false\n")), Defaults::New { scopes: false });
        assert_eq!(policy_note(&Config::from_ini(on).unwrap()), None);
        let elsewhere = Sources::none().with(SECTION, "enforce_new_defaults", "true");
        let config = Config::load(&elsewhere).unwrap();
        assert_eq!(defaults(&config), Defaults::Reference);
        assert!(policy_note(&config).is_some());
    }
}
