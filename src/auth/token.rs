//! What the identity service says of a token: the document of its answer, and the few facts of it that are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Identity, Named};
use crate::clock::Timestamp;
use crate::model::ProjectId;

/// A token as the identity service described it. Small: of a catalogue nothing is kept but what access rules need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose it is, and what for.
    pub identity: Arc<Identity>,
    /// From here on it is no longer valid.
    pub expires_at: Timestamp,
    /// What an application credential restricts it to; `None` for no restriction.
    pub access: Option<Arc<Access>>,
    /// The kinds of proof that it is bound to, such as `kerberos`.
    pub bind: Box<[Box<str>]>,
}

/// The restriction of an application credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// What is allowed. Empty: nothing.
    pub rules: Box<[AccessRule]>,
    /// The types of the services in the token's catalogue.
    pub service_types: Box<[Box<str>]>,
}

/// One kind of request that an application credential allows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct AccessRule {
    /// The type of the service.
    pub service: Box<str>,
    /// The method.
    pub method: Box<str>,
    /// The pattern of the path.
    pub path: Box<str>,
}

/// A document that describes no token.
#[derive(Debug, thiserror::Error)]
#[error("not the description of a token: {0}")]
pub struct Malformed(Box<str>);

impl Token {
    /// Reads a document `{"token": {…}}` of the identity API version 3.
    pub fn parse(document: &[u8]) -> Result<Self, Malformed> {
        // The message of the parser names fields and positions, never a value.
        let Document { token } =
            serde_json::from_slice(document).map_err(|error| Malformed(category(&error).into()))?;
        let expires_at = time(&token.expires_at).ok_or_else(|| Malformed("expires_at is no time".into()))?;
        let access =
            token.application_credential.as_ref().and_then(|credential| credential.access_rules.clone());
        let access = access.map(|rules| {
            let types = token.catalog.iter().flatten().map(|service| service.kind.clone());
            Arc::new(Access { rules: rules.into(), service_types: types.collect() })
        });
        let bind = token.bind.as_ref().map(|bind| bind.keys().cloned().collect());
        Ok(Self {
            expires_at,
            access,
            bind: bind.unwrap_or_default(),
            identity: Arc::new(token.into_identity()?),
        })
    }

    /// Whether its time has passed.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }
}

/// A time as the identity service writes it.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_micros(time.as_microsecond()))
}

/// What is wrong with it, without a word of its content.
fn category(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Data => "a field is missing or of another type",
        serde_json::error::Category::Eof => "cut off",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "no JSON",
    };
    format!("{kind} (line {}, column {})", error.line(), error.column())
}

#[derive(Deserialize)]
struct Document {
    token: Description,
}

#[derive(Deserialize)]
struct Description {
    expires_at: String,
    user: Scope,
    project: Option<Scope>,
    domain: Option<DomainScope>,
    system: Option<SystemScope>,
    #[serde(default)]
    roles: Vec<Role>,
    is_admin_project: Option<bool>,
    catalog: Option<Vec<Service>>,
    application_credential: Option<Credential>,
    bind: Option<BTreeMap<Box<str>, Box<RawValue>>>,
}

/// A user or project, with its domain.
#[derive(Deserialize)]
struct Scope {
    id: String,
    name: Option<String>,
    domain: Option<DomainScope>,
}

#[derive(Deserialize)]
struct DomainScope {
    id: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct SystemScope {
    #[serde(default)]
    all: bool,
}

#[derive(Deserialize)]
struct Role {
    name: String,
}

#[derive(Deserialize)]
struct Service {
    #[serde(rename = "type")]
    kind: Box<str>,
}

#[derive(Deserialize)]
struct Credential {
    access_rules: Option<Vec<AccessRule>>,
}

impl Description {
    fn into_identity(self) -> Result<Identity, Malformed> {
        let project = self.project.as_ref().map(|project| project.id.as_str());
        if self.user.id.is_empty() || project.is_some_and(str::is_empty) {
            return Err(Malformed("an id is empty".into()));
        }
        let (domain_id, domain_name) = self.domain.map_or((None, None), |domain| (domain.id, domain.name));
        Ok(Identity {
            project: project.map(ProjectId::new),
            project_details: self.project.map(Named::from),
            user: Some(self.user.into()),
            domain_id,
            domain_name,
            // Without room for more: it is kept as long as the token.
            roles: self.roles.into_iter().map(|role| role.name).collect::<Box<[_]>>().into_vec(),
            system_scope: self.system.filter(|system| system.all).map(|_| "all".to_owned()),
            // Where the identity service has no such project, every token is as good (keystoneauth).
            is_admin_project: self.is_admin_project.unwrap_or(true),
            service: None,
            signed: false,
        })
    }
}

impl From<Scope> for Named {
    fn from(scope: Scope) -> Self {
        let (domain_id, domain_name) = scope.domain.map_or((None, None), |domain| (domain.id, domain.name));
        Self { id: scope.id, name: scope.name, domain_id, domain_name }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(token: &serde_json::Value) -> Result<Token, Malformed> {
        Token::parse(json!({ "token": token }).to_string().as_bytes())
    }

    #[test]
    fn a_token_of_a_project() {
        let token = parse(&json!({
            "methods": ["password"], "audit_ids": ["x"], "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2026-01-01T01:00:00.000000Z",
            "user": {"id": "u", "name": "alice", "domain": {"id": "default", "name": "Default"},
                     "password_expires_at": null},
            "project": {"id": "p", "name": "alpha", "domain": {"id": "d2", "name": "Two"}},
            "roles": [{"id": "1", "name": "member"}, {"id": "2", "name": "reader"}],
            "is_domain": false,
            "catalog": [{"type": "messaging", "id": "m", "name": "zaqar", "endpoints": []}],
        }))
        .unwrap();
        assert_eq!(token.expires_at.seconds(), 1_767_229_200);
        assert!(!token.is_expired(Timestamp::from_micros(1_767_229_199_999_999)));
        assert!(token.is_expired(Timestamp::from_micros(1_767_229_200_000_000)));
        assert!(token.access.is_none() && token.bind.is_empty());
        let identity = &token.identity;
        assert_eq!(identity.project.as_ref().map(ProjectId::as_str), Some("p"));
        assert_eq!(identity.roles, ["member", "reader"]);
        assert!(identity.is_admin_project && identity.system_scope.is_none() && identity.domain_id.is_none());
        let user = identity.user.as_ref().unwrap();
        assert_eq!((user.id.as_str(), user.name.as_deref()), ("u", Some("alice")));
        assert_eq!(user.domain_name.as_deref(), Some("Default"));
        let project = identity.project_details.as_ref().unwrap();
        assert_eq!((project.domain_id.as_deref(), project.name.as_deref()), (Some("d2"), Some("alpha")));
    }

    #[test]
    fn other_scopes_have_no_project() {
        let with = |key: &str, value: serde_json::Value| {
            let mut token = json!({"expires_at": "2026-01-01T01:00:00Z", "user": {"id": "u"}});
            token[key] = value;
            parse(&token).unwrap().identity
        };
        assert_eq!(with("system", json!({"all": true})).system_scope.as_deref(), Some("all"));
        assert_eq!(with("system", json!({"all": false})).system_scope, None);
        let domain = with("domain", json!({"id": "d", "name": "D"}));
        assert_eq!((domain.domain_id.as_deref(), domain.domain_name.as_deref()), (Some("d"), Some("D")));
        assert_eq!(domain.project, None);
        assert!(!with("is_admin_project", json!(false)).is_admin_project);
    }

    #[test]
    fn what_a_credential_restricts_and_a_token_is_bound_to() {
        let token = parse(&json!({
            "expires_at": "2026-01-01T01:00:00Z", "user": {"id": "u"}, "project": {"id": "p"},
            "catalog": [{"type": "identity"}, {"type": "messaging"}], "bind": {"kerberos": "alice@REALM"},
            "application_credential": {"id": "a", "name": "n", "restricted": true, "access_rules": [
                {"id": "r", "service": "messaging", "method": "GET", "path": "/v2/queues"}]},
        }))
        .unwrap();
        let access = token.access.unwrap();
        let rule =
            AccessRule { service: "messaging".into(), method: "GET".into(), path: "/v2/queues".into() };
        assert_eq!(*access.rules, [rule]);
        assert_eq!(*access.service_types, ["identity", "messaging"].map(Box::<str>::from));
        assert_eq!(*token.bind, ["kerberos"].map(Box::<str>::from));
    }

    #[test]
    fn a_credential_without_rules_restricts_nothing_and_an_empty_list_everything() {
        let with = |rules: serde_json::Value| {
            let credential = json!({"id": "a", "access_rules": rules});
            let token = json!({"expires_at": "2026-01-01T01:00:00Z", "user": {"id": "u"},
                               "application_credential": credential});
            parse(&token).unwrap().access
        };
        assert_eq!(with(serde_json::Value::Null), None);
        assert!(with(json!([])).unwrap().rules.is_empty());
    }

    #[test]
    fn what_is_no_token_is_refused_without_its_content() {
        for text in ["", "null", "[]", "{}", r#"{"token": null}"#, r#"{"token": {}}"#, "<html>secret"] {
            assert!(Token::parse(text.as_bytes()).is_err(), "{text}");
        }
        let user = json!({"id": "u"});
        assert!(parse(&json!({"expires_at": "secret", "user": user})).is_err());
        assert!(parse(&json!({"expires_at": "2026-01-01T01:00:00Z", "user": {"id": ""}})).is_err());
        let empty = json!({"expires_at": "2026-01-01T01:00:00Z", "user": user, "project": {"id": ""}});
        assert!(parse(&empty).is_err());
        let wrong = json!({"expires_at": "2026-01-01T01:00:00Z", "user": "secret"});
        let said = parse(&wrong).unwrap_err().to_string();
        assert!(!said.contains("secret"), "{said}");
    }
}
