//! The table of all metrics: name, meaning, kind, unit and labels, each once.

use strum::{EnumCount, EnumMessage, IntoStaticStr, VariantArray};

/// Every metric of the service. The doc comment of a variant is its help text ([`Metric::help`]).
///
/// Names are dotted; labels are the few-valued properties of [`Metric::labels`], in that order. Nothing that a
/// client can choose freely (project, queue) is ever a label; of user agents only so many are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumCount, EnumMessage, IntoStaticStr, VariantArray)]
pub enum Metric {
    /// Requests answered, by method, route and status code.
    #[strum(serialize = "http.requests")]
    HttpRequests,
    /// Time from the end of a request's head to the start of its answer, by method, route and class of status.
    #[strum(serialize = "http.request.seconds")]
    HttpRequestSeconds,
    /// Requests to older versions of the API, by version and by the product that the client says it is.
    #[strum(serialize = "http.deprecated.requests")]
    DeprecatedRequests,
    /// Client connections that are open now.
    #[strum(serialize = "http.connections")]
    HttpConnections,
    /// WebSocket connections that are open now.
    #[strum(serialize = "websocket.connections")]
    WebSocketConnections,
    /// WebSocket requests answered, by action and status.
    #[strum(serialize = "websocket.requests")]
    WebSocketRequests,
    /// Messages pushed to WebSocket connections.
    #[strum(serialize = "websocket.pushes")]
    WebSocketPushes,
    /// Time of one call of a store, by store and operation.
    #[strum(serialize = "storage.call.seconds")]
    StorageCallSeconds,
    /// Store calls that failed, by store, operation and kind of error.
    #[strum(serialize = "storage.errors")]
    StorageErrors,
    /// Queues that exist, of all projects.
    #[strum(serialize = "queues")]
    Queues,
    /// Messages stored by clients.
    #[strum(serialize = "messages.posted")]
    MessagesPosted,
    /// Messages handed out by claims.
    #[strum(serialize = "messages.claimed")]
    MessagesClaimed,
    /// Messages that clients deleted, popped ones among them.
    #[strum(serialize = "messages.deleted")]
    MessagesDeleted,
    /// Expired messages whose space was freed.
    #[strum(serialize = "messages.expired")]
    MessagesExpired,
    /// Messages moved to a dead letter queue.
    #[strum(serialize = "messages.dead_lettered")]
    MessagesDeadLettered,
    /// Claims that ended by time and were removed.
    #[strum(serialize = "claims.expired")]
    ClaimsExpired,
    /// Time of one round of the background sweep.
    #[strum(serialize = "sweep.seconds")]
    SweepSeconds,
    /// Questions to the identity service what a token is worth, by outcome: valid, invalid or unavailable.
    #[strum(serialize = "identity.validations")]
    IdentityValidations,
    /// Time of one such question, with the login of our own account where that was needed.
    #[strum(serialize = "identity.validation.seconds")]
    IdentityValidationSeconds,
    /// Log records that could not be written (disk full, reader stuck, too many at once), by output.
    #[strum(serialize = "log.dropped")]
    LogDropped,
}

/// What a metric's numbers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// The state of now.
    Gauge,
    /// One duration for each event.
    Timing,
}

impl Metric {
    /// Its dotted name, without the exporter's prefix.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it counts or measures.
    pub fn help(self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }

    /// What its numbers mean.
    pub const fn kind(self) -> Kind {
        match self {
            Self::HttpConnections | Self::WebSocketConnections | Self::Queues => Kind::Gauge,
            Self::HttpRequestSeconds
            | Self::StorageCallSeconds
            | Self::SweepSeconds
            | Self::IdentityValidationSeconds => Kind::Timing,
            Self::HttpRequests
            | Self::WebSocketRequests
            | Self::WebSocketPushes
            | Self::DeprecatedRequests
            | Self::StorageErrors
            | Self::MessagesPosted
            | Self::MessagesClaimed
            | Self::MessagesDeleted
            | Self::MessagesExpired
            | Self::MessagesDeadLettered
            | Self::ClaimsExpired
            | Self::IdentityValidations
            | Self::LogDropped => Kind::Counter,
        }
    }

    /// What is counted or measured, in the plural.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::HttpRequests | Self::DeprecatedRequests | Self::WebSocketRequests => "requests",
            Self::HttpConnections | Self::WebSocketConnections => "connections",
            Self::HttpRequestSeconds
            | Self::StorageCallSeconds
            | Self::SweepSeconds
            | Self::IdentityValidationSeconds => "seconds",
            Self::IdentityValidations => "tokens",
            Self::StorageErrors => "calls",
            Self::Queues => "queues",
            Self::MessagesPosted
            | Self::MessagesClaimed
            | Self::MessagesDeleted
            | Self::MessagesExpired
            | Self::WebSocketPushes
            | Self::MessagesDeadLettered => "messages",
            Self::ClaimsExpired => "claims",
            Self::LogDropped => "records",
        }
    }

    /// The names of its labels, in the order in which their values are given.
    pub const fn labels(self) -> &'static [&'static str] {
        match self {
            Self::HttpRequests | Self::HttpRequestSeconds => &["method", "route", "status"],
            Self::WebSocketRequests => &["action", "status"],
            Self::DeprecatedRequests => &["version", "agent"],
            Self::StorageCallSeconds => &["store", "operation"],
            Self::StorageErrors => &["store", "operation", "error"],
            Self::LogDropped => &["output"],
            Self::IdentityValidations => &["outcome"],
            Self::HttpConnections
            | Self::WebSocketConnections
            | Self::WebSocketPushes
            | Self::Queues
            | Self::MessagesPosted
            | Self::MessagesClaimed
            | Self::MessagesDeleted
            | Self::MessagesExpired
            | Self::MessagesDeadLettered
            | Self::ClaimsExpired
            | Self::SweepSeconds
            | Self::IdentityValidationSeconds => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_metric_is_named_and_explained_once() {
        let names: HashSet<_> = Metric::VARIANTS.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::COUNT);
        for metric in Metric::VARIANTS {
            assert!(
                metric.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'_'),
                "{}",
                metric.name()
            );
            assert!(metric.help().ends_with('.') && metric.help().len() > 15, "{}", metric.name());
        }
    }

    #[test]
    fn exactly_the_timings_are_in_seconds_and_say_so() {
        for metric in Metric::VARIANTS {
            let timing = metric.kind() == Kind::Timing;
            assert_eq!(metric.unit() == "seconds", timing, "{}", metric.name());
            assert_eq!(metric.name().ends_with(".seconds"), timing, "{}", metric.name());
        }
    }
}
