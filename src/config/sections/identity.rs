//! `[keystone_authtoken]`, `[trustee]`, `[signed_url]`, `[oslo_policy]`: who callers are and what they may do.

use secrecy::SecretString;

use crate::config::section::section;
use crate::config::value::Multi;

section! {
    /// How tokens are checked.
    pub struct KeystoneAuthtoken {
        /// Public URL of the identity service, sent to callers without a valid token. Unset: the public endpoint in the
        /// catalogue.
        www_authenticate_uri: Option<String> = "" [effective, formerly(&["auth_uri"])],
        /// Version of the identity API.
        auth_version: Option<String> = "",
        /// Interface of the endpoint in the catalogue at which tokens are checked: public, internal or admin.
        interface: String = "internal" [effective],
        /// Region of that endpoint. Unset: the first one in the catalogue.
        region_name: Option<String> = "" [effective],
        /// Let callers without a valid token pass, as nobody: without a project, user or role.
        delay_auth_decision: bool = "false" [effective],
        /// Seconds that one request to the identity service may take. A check of a token ends after 2 s in any case.
        http_connect_timeout: Option<u64> = "" [effective, min(1)],
        /// Times that a request to the identity service is repeated when no answer came, within those 2 s.
        http_request_max_retries: u32 = "3" [effective],
        /// Name of a cache in the environment of the request.
        cache: Option<String> = "",
        /// File of the certificate that the service shows to the identity service; its key may stand there too.
        certfile: Option<String> = "" [effective],
        /// File of the service's private key.
        keyfile: Option<String> = "" [effective],
        /// File of the authorities that are trusted. Unset: those of the system.
        cafile: Option<String> = "" [effective],
        /// Accept any certificate of the identity service. Whoever can redirect its traffic is then believed.
        insecure: bool = "false" [effective],
        /// Servers of memcached on which services share what they know of tokens, as host, host:port (an IPv6 address in
        /// brackets) or unix:path, in the same order on all services. Unset: each process remembers for itself.
        memcached_servers: Option<Vec<String>> = "" [effective, formerly(&["memcache_servers"])],
        /// Seconds for which a checked token is remembered, and may outlive its revocation; 0 or -1 for not at all.
        token_cache_time: i64 = "300" [effective],
        /// What is done to tokens on those servers: None, MAC (signed) or ENCRYPT (encrypted too). With None whoever can
        /// write to a server can make himself anybody.
        memcache_security_strategy: String = "None" [effective, one_of(&["None", "MAC", "ENCRYPT"])],
        /// Key of that protection, the same on all services.
        memcache_secret_key: Option<SecretString> = "" [effective],
        /// Speak TLS to those servers. Every token then lies on all of them, as the Python services have it.
        memcache_tls_enabled: bool = "false" [effective],
        /// File of the authorities that are trusted there. Needed with TLS.
        memcache_tls_cafile: Option<String> = "" [effective],
        /// File of the service's certificate there.
        memcache_tls_certfile: Option<String> = "" [effective],
        /// File of the service's private key there.
        memcache_tls_keyfile: Option<String> = "" [effective],
        /// Ciphers that are allowed there. Must be unset: those that are considered safe are.
        memcache_tls_allowed_ciphers: Option<String> = "" [effective],
        /// Seconds for which a server that failed is not tried again.
        memcache_pool_dead_retry: u64 = "300" [effective],
        /// The most connections to each server; 0 for no limit.
        memcache_pool_maxsize: u32 = "10" [effective],
        /// Seconds that a server has to answer; never more than one.
        memcache_pool_socket_timeout: u64 = "3" [effective],
        /// Seconds after which an unused connection is closed.
        memcache_pool_unused_timeout: u64 = "60" [effective],
        /// Seconds to wait for a free connection; never more than one.
        memcache_pool_conn_get_timeout: u64 = "10" [effective],
        /// Mind the five options above. Off: a server that failed is tried again after 30 s, and there is no limit to
        /// connections.
        memcache_use_advanced_pool: bool = "true" [effective],
        /// Log in at those servers (SASL). Every token then lies on all of them, as the Python services have it.
        memcache_sasl_enabled: bool = "false" [effective],
        /// User there.
        memcache_username: Option<String> = "" [effective],
        /// Password there.
        memcache_password: Option<SecretString> = "" [effective],
        /// Directory of the public keys (*.pem, ES256) with which the identity service's signed tokens (JWS) are checked
        /// before it is asked, read again when it changes. Unset: signed tokens are asked for like any other.
        jws_public_key_repository: Option<String> = "" [effective],
        /// Ask for the catalogue with each token. Without it, application credentials with access rules are refused.
        include_service_catalog: bool = "true" [effective],
        /// What becomes of tokens that are bound to another proof, which this service cannot check: disabled accepts
        /// them, permissive refuses only Kerberos, strict refuses them all, required and the name of a method refuse
        /// every token.
        enforce_token_bind: String = "permissive" [effective],
        /// Roles that make a token that of a service, which may pass on tokens whose time has passed; one is enough.
        service_token_roles: Vec<String> = "service" [effective],
        /// Accept service tokens only with one of those roles.
        service_token_roles_required: bool = "true" [effective],
        /// Type of this service in the catalogue, such as messaging. Application credentials with access rules are
        /// refused without it.
        service_type: Option<String> = "" [effective],
    }

    /// The service's own account at the identity service; as trustee the one that acts for users who ask for it.
    pub struct Credentials {
        /// Kind of credentials: password, v3password, v3applicationcredential, token or v3token.
        auth_type: Option<String> = "" [effective, formerly(&["auth_plugin"])],
        /// Section that holds these options in place of this one.
        auth_section: Option<String> = "" [effective],
        /// URL of the identity service, with or without the version at its end.
        auth_url: Option<String> = "" [effective],
        /// Name of the user.
        username: Option<String> = "" [effective, formerly(&["user_name"])],
        /// Id of the user.
        user_id: Option<String> = "" [effective],
        /// Password of the user.
        password: Option<SecretString> = "" [effective],
        /// Name of the user's domain.
        user_domain_name: Option<String> = "" [effective],
        /// Id of the user's domain.
        user_domain_id: Option<String> = "" [effective],
        /// Name of the project.
        project_name: Option<String> = "" [effective, formerly(&["tenant_name"])],
        /// Id of the project.
        project_id: Option<String> = "" [effective, formerly(&["tenant_id"])],
        /// Name of the project's domain.
        project_domain_name: Option<String> = "" [effective],
        /// Id of the project's domain.
        project_domain_id: Option<String> = "" [effective],
        /// Name of the domain, for a token of a domain.
        domain_name: Option<String> = "" [effective],
        /// Id of the domain, for a token of a domain.
        domain_id: Option<String> = "" [effective],
        /// Name of the domain where none is given for the user or the project.
        default_domain_name: Option<String> = "" [effective],
        /// Id of the domain where none is given for the user or the project.
        default_domain_id: Option<String> = "" [effective],
        /// Scope of a token of the whole system: all.
        system_scope: Option<String> = "" [effective],
        /// Id of the trust.
        trust_id: Option<String> = "" [effective],
        /// Id of the application credential.
        application_credential_id: Option<String> = "" [effective],
        /// Name of the application credential.
        application_credential_name: Option<String> = "" [effective],
        /// Secret of the application credential.
        application_credential_secret: Option<SecretString> = "" [effective],
        /// A token.
        token: Option<SecretString> = "" [effective],
    }

    /// How another service is reached.
    pub struct Session {
        /// File of the authorities that are trusted.
        cafile: Option<String> = "",
        /// File of the service's certificate.
        certfile: Option<String> = "",
        /// File of the service's private key.
        keyfile: Option<String> = "",
        /// Accept any certificate.
        insecure: bool = "false",
        /// Seconds that a request may take.
        timeout: Option<f64> = "" [min(0)],
        /// Collect the times of requests.
        collect_timing: bool = "false",
        /// Log requests in several loggers.
        split_loggers: bool = "false",
    }

    /// Pre-signed URLs.
    pub struct SignedUrl {
        /// Key that signs URLs and confirmations. Unset: none can be made.
        secret_key: Option<SecretString> = "" [effective],
    }

    /// Policy: who may do what. The rules and their defaults are in policy.yaml.sample.
    pub struct OsloPolicy {
        /// File of the rules that differ from the defaults; a relative name lies in the directory of the
        /// configuration. It is read again when it changes.
        policy_file: String = "policy.yaml" [effective],
        /// Directories of further rules, read after the file, in the order of the files' names. May be given several
        /// times.
        policy_dirs: Multi<String> = "policy.d" [effective],
        /// Rule that counts where a check refers to one that does not exist.
        policy_default_rule: String = "default" [effective],
        /// Apply the new defaults of rules, with the roles reader, member, manager, admin and service. They apply
        /// only where true is set in a configuration file; otherwise the defaults are those of the Python service.
        enforce_new_defaults: bool = "true" [effective],
        /// Check the scope of tokens (system or project) too, where the new defaults apply.
        enforce_scope: bool = "true" [effective],
        /// Form in which remote checks are asked.
        remote_content_type: String =
            "application/x-www-form-urlencoded" [one_of(&["application/x-www-form-urlencoded", "application/json"])],
        /// Check the certificates of remote checks.
        remote_ssl_verify_server_crt: bool = "false",
        /// File of the authorities that are trusted there.
        remote_ssl_ca_crt_file: Option<String> = "",
        /// File of the service's certificate there.
        remote_ssl_client_crt_file: Option<String> = "",
        /// File of the service's private key there.
        remote_ssl_client_key_file: Option<String> = "",
        /// Seconds that a remote check may take.
        remote_timeout: f64 = "60" [min(0)],
    }
}
