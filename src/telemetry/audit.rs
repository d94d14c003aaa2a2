//! The audit log: one record for each change of an administrator (decision 29).
//!
//! Its records have a logger name of their own, so that an operator can send them elsewhere or keep them when other
//! records are dropped. The request's id, and the one that its caller gave it, stand on them as on all others.

/// The name of its logger.
pub const AUDIT: &str = "zaqar.audit";

/// Something that an administrator changed, or that went on because of it.
#[derive(Clone, Debug, Default)]
pub struct Audited<'a> {
    /// What was done, such as `pool.update`.
    pub action: &'static str,
    /// To what, by its name.
    pub subject: &'a str,
    /// The project of the caller.
    pub project: &'a str,
    /// The roles of the caller; none where the service itself acts.
    pub roles: &'a [String],
    /// What was there before, without secrets; empty where there was nothing.
    pub before: String,
    /// What is there now, without secrets; empty where there is nothing.
    pub after: String,
}

/// Writes the record.
pub fn audit(audited: &Audited<'_>) {
    let Audited { action, subject, project, roles, before, after } = audited;
    let roles = roles.join(",");
    tracing::info!(
        target: AUDIT,
        {
            project.id = *project,
            audit.action = *action,
            audit.subject = *subject,
            audit.roles = roles,
            audit.before = before,
            audit.after = after,
        },
        "an administrator's change"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::logging::tests::captured;
    use crate::telemetry::request_span;

    #[test]
    fn a_change_is_one_record_under_a_name_of_its_own() {
        let roles = ["admin".to_owned(), "reader".to_owned()];
        let (before, after) = (String::new(), r#"{"weight":1}"#.to_owned());
        let audited =
            Audited { action: "pool.create", subject: "p1", project: "p", roles: &roles, before, after };
        let text = captured(|| request_span("req-1", "PUT").in_scope(|| audit(&audited)));
        let expected = " INFO zaqar.audit [req-1 p] an administrator's change audit.action=pool.create \
                        audit.subject=p1 audit.roles=admin,reader audit.before=\"\" \
                        audit.after=\"{\\\"weight\\\":1}\" http.method=PUT\n";
        assert!(text.ends_with(expected), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
}
