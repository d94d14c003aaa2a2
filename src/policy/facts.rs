//! What checks look at: the credentials of a caller and the target of an operation, by their keys.

use std::borrow::Cow;

use super::Target;
use super::value::Value;
use crate::auth::Identity;
use crate::model::ProjectId;

/// Values by key. A key without a value differs from one whose value is nothing.
pub trait Facts {
    /// The value of that key, if there is such a key.
    fn fact(&self, key: &str) -> Option<Fact<'_>>;
}

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fact<'a> {
    /// Python's `None`.
    Nothing,
    /// Yes or no.
    Flag(bool),
    /// A text.
    Text(&'a str),
    /// A list of texts.
    Texts(&'a [String]),
    /// Anything, from a document.
    Value(&'a Value),
}

impl<'a> Fact<'a> {
    /// A text, or nothing where there is none.
    fn of(text: Option<&'a str>) -> Self {
        text.map_or(Self::Nothing, Self::Text)
    }

    /// As Python's `str` writes it: that is what checks compare.
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Nothing => "None".into(),
            Self::Flag(true) => "True".into(),
            Self::Flag(false) => "False".into(),
            Self::Text(text) => text.into(),
            Self::Texts(texts) => {
                Value::List(texts.iter().cloned().map(Value::Text).collect()).text().into_owned().into()
            }
            Self::Value(value) => value.text(),
        }
    }
}

/// Credentials under the names that policy files use: those of oslo.context's `to_dict`, which the Python service
/// hands to its policy, and those of its `to_policy_values`, which other services do.
///
/// Left out are the token and the ids of requests: they say nothing of what somebody may do.
pub struct Credentials<'a>(pub &'a Identity);

impl Facts for Credentials<'_> {
    fn fact(&self, key: &str) -> Option<Fact<'_>> {
        let identity = self.0;
        let user = identity.user.as_ref();
        let project = identity.project_details.as_ref();
        let service = identity.service.as_deref();
        let service_user = service.and_then(|service| service.user.as_ref());
        Some(match key {
            "roles" => Fact::Texts(&identity.roles),
            "project_id" | "project" => Fact::of(identity.project.as_ref().map(ProjectId::as_str)),
            "user_id" | "user" => Fact::of(user.map(|user| user.id.as_str())),
            "domain_id" | "domain" => Fact::of(identity.domain_id.as_deref()),
            "user_domain_id" | "user_domain" => Fact::of(user.and_then(|user| user.domain_id.as_deref())),
            "project_domain_id" | "project_domain" => {
                Fact::of(project.and_then(|project| project.domain_id.as_deref()))
            }
            "system_scope" => Fact::of(identity.system_scope.as_deref()),
            // oslo.policy adds this one where there is a scope.
            "system" => Fact::Text(identity.system_scope.as_deref().filter(|scope| !scope.is_empty())?),
            "is_admin_project" => Fact::Flag(identity.is_admin_project),
            "service_roles" => Fact::Texts(service.map_or(&[], |service| &service.roles)),
            "service_user_id" => Fact::of(service_user.map(|user| user.id.as_str())),
            "service_user_domain_id" => Fact::of(service_user.and_then(|user| user.domain_id.as_deref())),
            "service_project_id" => {
                Fact::of(service.and_then(|service| service.project.as_ref()).map(ProjectId::as_str))
            }
            "service_project_domain_id" => {
                let project = service.and_then(|service| service.project_details.as_ref());
                Fact::of(project.and_then(|project| project.domain_id.as_deref()))
            }
            // Ours: whoever shows a pre-signed URL has a project, and no roles.
            "signed_url" => Fact::Flag(identity.signed),
            // Nothing in the Python service ever sets these.
            "is_admin" | "read_only" | "show_deleted" => Fact::Flag(false),
            _ => return None,
        })
    }
}

impl Facts for Target<'_> {
    fn fact(&self, key: &str) -> Option<Fact<'_>> {
        match key {
            "project_id" => self.project.map(|project| Fact::Text(project.as_str())),
            "queue_name" => self.queue.map(|queue| Fact::Text(queue.as_str())),
            _ => None,
        }
    }
}
