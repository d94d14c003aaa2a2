//! The service's own account at the identity service, and the request that logs it in.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, Serializer};

/// What the service proves itself with, and what for.
#[derive(Clone, Debug)]
pub struct Account {
    /// The proof.
    pub method: Method,
    /// The scope of the token; an application credential has its own.
    pub scope: Option<Scope>,
}

/// How the service proves itself.
#[derive(Clone, Debug)]
pub enum Method {
    /// With a user's password.
    Password {
        /// Who.
        user: Named,
        /// The password.
        password: SecretString,
    },
    /// With an application credential.
    ApplicationCredential {
        /// Which one: by its id, or by its name with the user it belongs to.
        credential: Named,
        /// Whose it is; not needed beside an id.
        user: Option<Named>,
        /// Its secret.
        secret: SecretString,
    },
    /// With another token.
    Token(SecretString),
}

/// Something by its id or by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name; not looked at beside an id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The domain that the name is unique in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
}

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// By its id.
    Id(String),
    /// By its name.
    Name(String),
}

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A project.
    Project(Named),
    /// A domain.
    Domain(Domain),
    /// The whole system.
    System,
    /// What the trust of that id allows.
    Trust(String),
}

impl Account {
    /// The body of the request that logs in. It holds the secrets.
    pub(super) fn login(&self) -> Vec<u8> {
        let identity = match &self.method {
            Method::Password { user, password } => Identity {
                methods: ["password"],
                password: Some(Password { user: User { named: user, password: Some(Secret(password)) } }),
                ..Identity::default()
            },
            Method::ApplicationCredential { credential, user, secret } => {
                let user = user.as_ref().map(|named| User { named, password: None });
                let credential = Credential { named: credential, secret: Secret(secret), user };
                Identity {
                    methods: ["application_credential"],
                    application_credential: Some(credential),
                    ..Identity::default()
                }
            }
            Method::Token(token) => {
                Identity { methods: ["token"], token: Some(Id { id: Secret(token) }), ..Identity::default() }
            }
        };
        let auth = Auth { identity, scope: self.scope.as_ref().map(Scope::document) };
        serde_json::to_vec(&Login { auth }).unwrap_or_default()
    }
}

impl Scope {
    fn document(&self) -> ScopeDocument<'_> {
        match self {
            Self::Project(project) => ScopeDocument::Project(project),
            Self::Domain(domain) => ScopeDocument::Domain(domain),
            Self::System => ScopeDocument::System { all: true },
            Self::Trust(id) => ScopeDocument::Trust { id },
        }
    }
}

#[derive(Serialize)]
struct Login<'a> {
    auth: Auth<'a>,
}

#[derive(Serialize)]
struct Auth<'a> {
    identity: Identity<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<ScopeDocument<'a>>,
}

#[derive(Default, Serialize)]
struct Identity<'a> {
    methods: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<Password<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_credential: Option<Credential<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Id<'a>>,
}

#[derive(Serialize)]
struct Password<'a> {
    user: User<'a>,
}

#[derive(Serialize)]
struct User<'a> {
    #[serde(flatten)]
    named: &'a Named,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<Secret<'a>>,
}

#[derive(Serialize)]
struct Credential<'a> {
    #[serde(flatten)]
    named: &'a Named,
    secret: Secret<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
}

#[derive(Serialize)]
struct Id<'a> {
    id: Secret<'a>,
}

struct Secret<'a>(&'a SecretString);

impl Serialize for Secret<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum ScopeDocument<'a> {
    Project(&'a Named),
    Domain(&'a Domain),
    System {
        all: bool,
    },
    #[serde(rename = "OS-TRUST:trust")]
    Trust {
        id: &'a str,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn named(id: Option<&str>, name: Option<&str>, domain: Option<Domain>) -> Named {
        Named { id: id.map(Into::into), name: name.map(Into::into), domain }
    }

    fn login(method: Method, scope: Option<Scope>) -> Value {
        serde_json::from_slice(&Account { method, scope }.login()).unwrap()
    }

    #[test]
    fn a_password_with_every_scope() {
        let with = |scope| {
            let user = named(None, Some("zaqar"), Some(Domain::Id("default".into())));
            login(Method::Password { user, password: "s".into() }, scope)["auth"].clone()
        };
        let auth = with(None);
        let user = json!({"name": "zaqar", "domain": {"id": "default"}, "password": "s"});
        assert_eq!(auth, json!({"identity": {"methods": ["password"], "password": {"user": user}}}));
        let project = named(None, Some("service"), Some(Domain::Name("Default".into())));
        let scope = with(Some(Scope::Project(project)))["scope"].clone();
        assert_eq!(scope, json!({"project": {"name": "service", "domain": {"name": "Default"}}}));
        assert_eq!(with(Some(Scope::System))["scope"], json!({"system": {"all": true}}));
        assert_eq!(
            with(Some(Scope::Domain(Domain::Id("d".into()))))["scope"],
            json!({"domain": {"id": "d"}})
        );
        assert_eq!(with(Some(Scope::Trust("t".into())))["scope"], json!({"OS-TRUST:trust": {"id": "t"}}));
    }

    #[test]
    fn an_application_credential_and_a_token() {
        let credential = named(Some("c"), None, None);
        let method = Method::ApplicationCredential { credential, user: None, secret: "s".into() };
        let identity = json!({"methods": ["application_credential"],
                              "application_credential": {"id": "c", "secret": "s"}});
        assert_eq!(login(method, None)["auth"], json!({ "identity": identity }));
        let user = Some(named(Some("u"), None, None));
        let credential = named(None, Some("n"), None);
        let method = Method::ApplicationCredential { credential, user, secret: "s".into() };
        let credential = login(method, None)["auth"]["identity"]["application_credential"].clone();
        assert_eq!(credential, json!({"name": "n", "secret": "s", "user": {"id": "u"}}));
        let token = login(Method::Token("t".into()), None);
        assert_eq!(token["auth"]["identity"], json!({"methods": ["token"], "token": {"id": "t"}}));
    }

    #[test]
    fn secrets_do_not_print_themselves() {
        let user = named(Some("u"), None, None);
        let account = Account { method: Method::Password { user, password: "hidden".into() }, scope: None };
        assert!(!format!("{account:?}").contains("hidden"));
    }
}
