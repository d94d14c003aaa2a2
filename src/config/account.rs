//! The section that `auth_section` names: it has any name, and the options of an account.

use super::section::Group;
use super::sections::Credentials;

/// The table with the options of an account in that section too, and the section's name in it.
///
/// The new table stays in memory: it is made once in a process, where the option is used.
pub(super) fn table_with(table: &'static [Group], section: &str) -> (&'static [Group], &'static str) {
    let section = section.trim();
    let known = table.iter().find(|group| group.name.eq_ignore_ascii_case(section));
    let name = known.map_or_else(|| &*Box::leak(section.to_owned().into_boxed_str()), |group| group.name);
    let account = Group { name, help: Credentials::ABOUT, options: &Credentials::OPTIONS };
    let mut groups = table.to_vec();
    if !groups.iter().any(|group| group.name == name && group.options.len() == account.options.len()) {
        groups.push(account);
    }
    (groups.leak(), name)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use crate::config::{Config, Sources};

    #[test]
    fn an_account_in_a_section_of_its_own() {
        let text = "[keystone_authtoken]\nauth_section = Service Auth\nusername = not me\ncafile = /ca\n\
                    [service auth]\nauth_type = password\nusername = zaqar\npassword = $user_id!\nuser_id = u\n";
        let config = Config::from_ini(text).unwrap();
        let account = &config.keystone_credentials;
        assert_eq!(account.auth_type.as_deref(), Some("password"));
        assert_eq!(
            (account.username.as_deref(), account.auth_section.as_deref()),
            (Some("zaqar"), Some("Service Auth"))
        );
        assert_eq!(account.password.as_ref().map(ExposeSecret::expose_secret), Some("u!"));
        assert_eq!(config.keystone_authtoken.cafile.as_deref(), Some("/ca"));
        assert_eq!(config.notes, Vec::<String>::new());
        let refusal = config.refuse("Service Auth", "username", "zaqar", "x").to_string();
        assert_eq!(refusal, "zaqar.conf:7: [Service Auth] username = zaqar: x");
    }

    #[test]
    fn an_account_in_a_section_that_has_other_options_too() {
        let text = "[keystone_authtoken]\nauth_section = keystone_authtoken\nusername = a\n";
        assert_eq!(Config::from_ini(text).unwrap().keystone_credentials.username.as_deref(), Some("a"));
        let text =
            "[keystone_authtoken]\nauth_section = cors\n[cors]\nusername = a\nallowed_origin = http://o\n";
        let config = Config::from_ini(text).unwrap();
        assert_eq!(config.keystone_credentials.username.as_deref(), Some("a"));
        assert!(config.cors.allowed_origin.is_some());
        let missing = Config::from_ini("[keystone_authtoken]\nauth_section = none\nusername = a\n").unwrap();
        assert_eq!(missing.keystone_credentials.username, None);
    }

    #[test]
    fn the_environment_reaches_that_section_too() {
        let environment = [("OS_MINE__USERNAME", "e"), ("OS_KEYSTONE_AUTHTOKEN__AUTH_SECTION", "mine")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let sources = Sources { environment, ..Sources::none() };
        let config = Config::from_texts(&[], &sources).unwrap();
        assert_eq!(config.keystone_credentials.username.as_deref(), Some("e"));
    }
}
