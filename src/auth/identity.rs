//! What is known of a caller.

use std::sync::Arc;

use crate::model::ProjectId;
use crate::telemetry;

/// A user or project as Keystone names it, with its domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// The id of its domain.
    pub domain_id: Option<String>,
    /// The name of its domain.
    pub domain_name: Option<String>,
}

/// Who calls: proved by a token or a signature, or believed where authentication is off.
///
/// The only source of the project that a request is for: a client's own identity headers count only where nothing is
/// proved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The project that the caller acts in.
    pub project: Option<ProjectId>,
    /// The project's name and domain.
    pub project_details: Option<Named>,
    /// The user.
    pub user: Option<Named>,
    /// The domain of a token that is scoped to one.
    pub domain_id: Option<String>,
    /// The name of that domain.
    pub domain_name: Option<String>,
    /// Roles in that project, domain or system.
    pub roles: Vec<String>,
    /// `all` for a token of the whole system.
    pub system_scope: Option<String>,
    /// Whether the project is the one of administrators; true where Keystone has no such project.
    pub is_admin_project: bool,
    /// The service that passed the request on, where it proved itself too (`X-Service-Token`).
    pub service: Option<Arc<Identity>>,
    /// Whether a pre-signed URL stands in the place of a token.
    pub signed: bool,
}

impl Identity {
    /// Whether the caller has that role (letters of either case).
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held.eq_ignore_ascii_case(role))
    }

    /// Puts on every later record of the current request who sends it.
    pub(crate) fn note(&self) {
        let span = tracing::Span::current();
        if let Some(project) = &self.project {
            span.record(telemetry::PROJECT_ID, project.as_str());
        }
        if let Some(user) = &self.user {
            span.record(telemetry::USER_ID, user.id.as_str());
        }
    }
}
