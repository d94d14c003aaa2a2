//! The service's own account out of its options. What is missing is named.

use secrecy::SecretString;

use super::SECTION;
use crate::auth::{Account, Domain, Method, NamedAccount as Named, Scope};
use crate::config::sections::Credentials;
use crate::config::{Config, ConfigError};

/// The kinds of credentials that are built in, as keystoneauth names them.
const KINDS: &str = "password, v3password, v3applicationcredential, token, v3token";

/// The account, or the option that is missing or cannot be used.
pub(super) fn account(config: &Config) -> Result<Account, ConfigError> {
    let options = Options { config, given: &config.keystone_credentials };
    match options.given.auth_type.as_deref().unwrap_or_default() {
        "password" | "v3password" => {
            let user = options.user()?.ok_or_else(|| options.missing("username", "(or user_id)"))?;
            let password = options.secret("password", options.given.password.as_ref())?;
            Ok(Account { method: Method::Password { user, password }, scope: options.scope()? })
        }
        "v3applicationcredential" => options.application_credential(),
        "token" | "v3token" => {
            let token = options.secret("token", options.given.token.as_ref())?;
            Ok(Account { method: Method::Token(token), scope: options.scope()? })
        }
        other => Err(options.refuse("auth_type", other, format!("expected one of {KINDS}"))),
    }
}

/// Where the account logs in.
pub(super) fn auth_url(config: &Config) -> Result<String, ConfigError> {
    let options = Options { config, given: &config.keystone_credentials };
    let url = options.given.auth_url.clone().ok_or_else(|| options.missing("auth_url", ""))?;
    let address = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    if address.is_none_or(|address| address.is_empty() || address.contains(['?', '#', '@'])) {
        let problem = "expected http:// or https://, a host and a path, without a password";
        return Err(options.refuse("auth_url", "****", problem.to_owned()));
    }
    Ok(url)
}

/// The options of the account, and where they stand.
struct Options<'a> {
    config: &'a Config,
    given: &'a Credentials,
}

impl Options<'_> {
    fn refuse(&self, option: &str, value: &str, problem: String) -> ConfigError {
        self.config.refuse(self.given.auth_section.as_deref().unwrap_or(SECTION), option, value, problem)
    }

    fn missing(&self, option: &str, or: &str) -> ConfigError {
        let kind = self.given.auth_type.as_deref().unwrap_or("keystone");
        self.refuse(option, "", format!("{kind} needs it {or}").trim_end().to_owned())
    }

    fn secret(&self, option: &str, value: Option<&SecretString>) -> Result<SecretString, ConfigError> {
        value.cloned().ok_or_else(|| self.missing(option, ""))
    }

    fn user(&self) -> Result<Option<Named>, ConfigError> {
        let given = self.given;
        let domain = domain(given.user_domain_id.as_ref(), given.user_domain_name.as_ref());
        self.named("user_domain_id", given.user_id.as_ref(), given.username.as_ref(), domain)
    }

    fn project(&self) -> Result<Option<Named>, ConfigError> {
        let given = self.given;
        let domain = domain(given.project_domain_id.as_ref(), given.project_domain_name.as_ref());
        self.named("project_domain_id", given.project_id.as_ref(), given.project_name.as_ref(), domain)
    }

    /// Something by its id, or by its name in a domain: its own or the default one.
    fn named(
        &self,
        domain_option: &str,
        id: Option<&String>,
        name: Option<&String>,
        own: Option<Domain>,
    ) -> Result<Option<Named>, ConfigError> {
        let default =
            || domain(self.given.default_domain_id.as_ref(), self.given.default_domain_name.as_ref());
        match (id, name) {
            (Some(id), _) => Ok(Some(Named { id: Some(id.clone()), name: None, domain: None })),
            (None, Some(name)) => {
                let domain = own.or_else(default);
                let domain = domain.ok_or_else(|| self.missing(domain_option, "beside the name"))?;
                Ok(Some(Named { id: None, name: Some(name.clone()), domain: Some(domain) }))
            }
            (None, None) => Ok(None),
        }
    }

    fn application_credential(&self) -> Result<Account, ConfigError> {
        let given = self.given;
        let (id, name) = (&given.application_credential_id, &given.application_credential_name);
        let credential = Named { id: id.clone(), name: name.clone().filter(|_| id.is_none()), domain: None };
        let user = match (id, name) {
            (Some(_), _) => None,
            (None, Some(_)) => {
                let or = "(or user_id) beside application_credential_name";
                Some(self.user()?.ok_or_else(|| self.missing("username", or))?)
            }
            (None, None) => return Err(self.missing("application_credential_id", "")),
        };
        let secret = given.application_credential_secret.as_ref();
        let secret = self.secret("application_credential_secret", secret)?;
        // Such a credential is made for one project and cannot be given another scope.
        Ok(Account { method: Method::ApplicationCredential { credential, user, secret }, scope: None })
    }

    /// What the token is for. `None`: what the identity service has as the user's default.
    fn scope(&self) -> Result<Option<Scope>, ConfigError> {
        let given = self.given;
        let system = match given.system_scope.as_deref() {
            Some("all") => Some(Scope::System),
            Some(other) => return Err(self.refuse("system_scope", other, "expected all".to_owned())),
            None => None,
        };
        let scopes = [
            ("project_name", self.project()?.map(Scope::Project)),
            ("domain_id", domain(given.domain_id.as_ref(), given.domain_name.as_ref()).map(Scope::Domain)),
            ("system_scope", system),
            ("trust_id", given.trust_id.clone().map(Scope::Trust)),
        ];
        let mut scopes = scopes.into_iter().filter_map(|(option, scope)| scope.map(|scope| (option, scope)));
        let first = scopes.next();
        if let (Some((one, _)), Some((other, _))) = (&first, scopes.next()) {
            let problem = format!("a token has one scope; expected either this or {one}");
            return Err(self.refuse(other, "…", problem));
        }
        Ok(first.map(|(_, scope)| scope))
    }
}

fn domain(id: Option<&String>, name: Option<&String>) -> Option<Domain> {
    id.cloned().map(Domain::Id).or_else(|| name.cloned().map(Domain::Name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &str) -> Result<Account, String> {
        let config = Config::from_ini(&format!("[keystone_authtoken]\n{options}")).unwrap();
        account(&config).map_err(|error| error.to_string())
    }

    fn named(name: &str, domain: Domain) -> Named {
        Named { id: None, name: Some(name.into()), domain: Some(domain) }
    }

    #[test]
    fn a_user_and_a_project_by_name() {
        let text = "auth_type = password\nusername = zaqar\npassword = s\nuser_domain_name = Default\n\
                    project_name = service\nproject_domain_id = default\n";
        let account = read(text).unwrap();
        let Method::Password { user, .. } = account.method else { panic!("a password") };
        assert_eq!(user, named("zaqar", Domain::Name("Default".into())));
        let project = named("service", Domain::Id("default".into()));
        assert_eq!(account.scope, Some(Scope::Project(project)));
    }

    #[test]
    fn the_default_domain_counts_where_no_other_is_given() {
        let text = "auth_type = v3password\nusername = zaqar\npassword = s\nproject_name = service\n\
                    default_domain_id = d\nproject_domain_name = P\n";
        let account = read(text).unwrap();
        let Method::Password { user, .. } = account.method else { panic!("a password") };
        assert_eq!(user, named("zaqar", Domain::Id("d".into())));
        assert_eq!(account.scope, Some(Scope::Project(named("service", Domain::Name("P".into())))));
    }

    #[test]
    fn other_scopes() {
        let with = |scope: &str| {
            read(&format!("auth_type = password\nuser_id = u\npassword = s\n{scope}"))
                .map(|account| account.scope)
        };
        assert_eq!(with(""), Ok(None));
        assert_eq!(with("system_scope = all"), Ok(Some(Scope::System)));
        assert_eq!(with("domain_name = D"), Ok(Some(Scope::Domain(Domain::Name("D".into())))));
        assert_eq!(with("trust_id = t"), Ok(Some(Scope::Trust("t".into()))));
        assert!(with("system_scope = some").unwrap_err().contains("system_scope = some: expected all"));
        assert!(
            with("project_id = p\ntrust_id = t").unwrap_err().contains("trust_id = …: a token has one scope")
        );
    }

    #[test]
    fn an_application_credential() {
        let text = "auth_type = v3applicationcredential\napplication_credential_secret = s\n";
        let account = read(&format!("{text}application_credential_id = c\nproject_id = ignored\n")).unwrap();
        assert_eq!(account.scope, None);
        let by_name = format!("{text}application_credential_name = n\n");
        assert!(read(&by_name).unwrap_err().contains("username = : v3applicationcredential needs it"));
        let Method::ApplicationCredential { user, .. } =
            read(&format!("{by_name}user_id = u\n")).unwrap().method
        else {
            panic!("an application credential")
        };
        assert_eq!(user.unwrap().id.as_deref(), Some("u"));
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        let password = "auth_type = password\n";
        for (text, problem) in [
            ("", "auth_type = : expected one of password, v3password"),
            (
                "auth_type = v2password\n",
                "zaqar.conf:2: [keystone_authtoken] auth_type = v2password: expected one of",
            ),
            (password, "username = : password needs it (or user_id)"),
            (&format!("{password}user_id = u"), "password = : password needs it"),
            (&format!("{password}username = u"), "user_domain_id = : password needs it beside the name"),
            (
                &format!("{password}user_id = u\npassword = s\nproject_name = p"),
                "project_domain_id = : password needs it beside the name",
            ),
            (
                "auth_type = v3applicationcredential\n",
                "application_credential_id = : v3applicationcredential needs",
            ),
            (
                "auth_type = v3applicationcredential\napplication_credential_id = c",
                "application_credential_secret = : v3app",
            ),
            ("auth_type = token\n", "token = : token needs it"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(problem), "{text}: {refused}");
        }
        let elsewhere = "auth_section = mine\n[mine]\nauth_type = kerberos\n";
        assert!(read(elsewhere).unwrap_err().contains("[mine] auth_type = kerberos"));
    }

    #[test]
    fn the_url_is_one() {
        let read = |text: &str| {
            let config = Config::from_ini(&format!("[keystone_authtoken]\n{text}")).unwrap();
            auth_url(&config).map_err(|error| error.to_string())
        };
        assert_eq!(read("auth_url = https://k/identity").unwrap(), "https://k/identity");
        assert!(read("").unwrap_err().contains("auth_url = : keystone needs it"));
        for url in ["k:5000", "http://", "ftp://k", "http://u:secret@k", "http://k?x"] {
            let refused = read(&format!("auth_url = {url}")).unwrap_err();
            assert!(refused.contains("auth_url = ****: expected http"), "{refused}");
        }
    }
}
