//! `[statsd]`, `[cors]`, `[notification]`, `[profiler]`, `[oslo_reports]`: what the service tells others.

use std::collections::BTreeMap;

use secrecy::SecretString;

use crate::config::section::section;

section! {
    /// Metrics.
    pub struct Statsd {
        /// Host that takes metrics over UDP. Unset: none are sent.
        host: Option<String> = "" [effective, host],
        /// Its port.
        port: u16 = "8125" [effective, min(1)],
        /// What the names of metrics begin with.
        prefix: String = "zaqar" [effective],
        /// Send labels as tags, which `DogStatsD` understands; they are part of the names otherwise.
        tags: bool = "false" [effective],
    }

    /// Requests from pages of other sites.
    pub struct Cors {
        /// Origins whose pages may use the service, such as `https://dashboard.example.org`; * for all. Unset: none.
        allowed_origin: Option<Vec<String>> = "" [effective],
        /// Let those pages send credentials.
        allow_credentials: bool = "true" [effective],
        /// Headers of answers that those pages may read.
        expose_headers: Vec<String> =
            "X-Auth-Token,X-Subject-Token,X-Service-Token,X-OpenStack-Request-ID" [effective],
        /// Seconds for which browsers remember what is allowed.
        max_age: u64 = "3600" [effective],
        /// Methods that those pages may use.
        allow_methods: Vec<String> = "GET,PUT,POST,DELETE,PATCH,HEAD" [effective],
        /// Headers that those pages may send.
        allow_headers: Vec<String> =
            "X-Auth-Token,X-Identity-Status,X-Roles,X-Service-Catalog,X-User-Id,X-Tenant-Id,\
            X-OpenStack-Request-ID,X-Trace-Info,X-Trace-HMAC,Client-id,X-Project-ID,URL-Signature,URL-Methods,\
            URL-Paths,URL-Expires,Last-Event-ID" [effective],
    }

    /// Notifications to subscribers.
    pub struct Notification {
        /// How mail is sent: with a command (`third_part`) or to an SMTP server (`self_local`).
        smtp_mode: String = "third_part" [one_of(&["third_part", "self_local"])],
        /// Host of the SMTP server.
        smtp_host: Option<String> = "" [host],
        /// Port of the SMTP server.
        smtp_port: Option<u16> = "",
        /// User at the SMTP server.
        smtp_user_name: Option<String> = "",
        /// Password of that user.
        smtp_user_password: Option<SecretString> = "",
        /// Command that takes a mail on its standard input.
        smtp_command: String = "/usr/sbin/sendmail -t -oi",
        /// The most messages whose notifications are under way at once.
        max_notifier_workers: u32 = "10" [min(1)],
        /// Send notifications only to subscribers who confirmed.
        require_confirmation: bool = "false",
        /// Page that mails ask subscribers to open in order to confirm.
        external_confirmation_url: Option<String> = "",
        /// Mail that asks to confirm; {0} is the queue, {1} the project, {2} the link.
        subscription_confirmation_email_template: BTreeMap<String, String> =
            "topic:Zaqar Notification - Subscription Confirmation,\
            body:You have chosen to subscribe to the queue: {0}. This queue belongs to project: {1}. To confirm \
            this subscription, click or visit this link below: {2},\
            sender:Zaqar Notifications <no-reply@openstack.org>",
        /// Mail that confirms the end of a subscription; {0} is the queue, {1} the project, {2} the link.
        unsubscribe_confirmation_email_template: BTreeMap<String, String> =
            "topic:Zaqar Notification - Unsubscribe Confirmation,\
            body:You have unsubscribed successfully to the queue: {0}. This queue belongs to project: {1}. To \
            resubscribe this subscription, click or visit this link below: {2},\
            sender:Zaqar Notifications <no-reply@openstack.org>",
    }

    /// Traces of requests for osprofiler.
    pub struct Profiler {
        /// Trace requests that ask for it.
        enabled: bool = "false" [formerly(&["profiler_enabled"])],
        /// Trace SQL statements.
        trace_sqlalchemy: bool = "false",
        /// Trace requests to other services.
        trace_requests: bool = "false",
        /// Keys that sign the headers of traced requests, with commas between them.
        hmac_keys: SecretString = "SECRET_KEY",
        /// Where traces are sent.
        connection_string: String = "messaging://",
        /// Type of the documents in Elasticsearch.
        es_doc_type: String = "notification",
        /// How long a search in Elasticsearch is kept open.
        es_scroll_time: String = "2m",
        /// Documents of one step of such a search.
        es_scroll_size: u32 = "10000",
        /// Seconds that Redis or a Sentinel has to answer.
        socket_timeout: f64 = "0.1" [min(0)],
        /// Name of the master that Sentinels watch.
        sentinel_service_name: String = "mymaster",
        /// Leave the traces of errors out.
        filter_error_trace: bool = "false",
        /// Trace requests at the REST API.
        trace_wsgi_transport: bool = "false",
        /// Trace calls of the message store.
        trace_message_store: bool = "false",
        /// Trace calls of the management store.
        trace_management_store: bool = "false",
    }

    /// Reports of the state of the process.
    pub struct OsloReports {
        /// Directory of the reports. Unset: they are written to standard error.
        log_dir: Option<String> = "",
        /// File whose change asks for a report, in place of a signal.
        file_event_handler: Option<String> = "",
        /// Seconds between two looks at that file.
        file_event_handler_interval: u32 = "1",
    }
}
