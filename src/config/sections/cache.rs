//! `[cache]`: the shared cache of the Python service.

use secrecy::SecretString;

use crate::config::section::section;
use crate::config::value::Multi;

section! {
    /// The shared cache of the Python service. Here caches are in the process.
    pub struct Cache {
        /// Use a cache.
        enabled: bool = "false",
        /// Module of the cache.
        backend: String = "dogpile.cache.null",
        /// What keys begin with.
        config_prefix: String = "cache.oslo",
        /// Seconds for which entries are kept.
        expiration_time: u64 = "600" [min(1)],
        /// Seconds for which the server keeps entries.
        backend_expiration_time: Option<u64> = "" [min(1)],
        /// Argument of the module, as name:value. May be given several times.
        backend_argument: Multi<SecretString> = "",
        /// Modules that change how the cache is used.
        proxies: Vec<String> = "",
        /// Log every use of the cache.
        debug_cache_backend: bool = "false",
        /// Servers of memcached.
        memcache_servers: Vec<String> = "localhost:11211",
        /// Seconds for which a dead server is not tried again.
        memcache_dead_retry: u64 = "300",
        /// The most connections to each server.
        memcache_pool_maxsize: i64 = "10",
        /// Seconds after which an unused connection is closed.
        memcache_pool_unused_timeout: u64 = "60",
        /// Seconds to wait for a free connection.
        memcache_pool_connection_get_timeout: u64 = "10",
        /// Empty the cache when a server comes back.
        memcache_pool_flush_on_reconnect: bool = "false",
        /// Log in at memcached.
        memcache_sasl_enabled: bool = "false",
        /// Server of Redis.
        redis_server: String = "localhost:6379",
        /// Number of its database.
        redis_db: u32 = "0",
        /// Sentinels of Redis.
        redis_sentinels: Vec<String> = "localhost:26379",
        /// Name of the master that they watch.
        redis_sentinel_service_name: String = "mymaster",
        /// User at the server.
        username: Option<String> = "" [formerly(&["memcache_username", "redis_username"])],
        /// Password at the server.
        password: Option<SecretString> = "" [formerly(&["memcache_password", "redis_password"])],
        /// Seconds that the server has to answer.
        socket_timeout: f64 = "1.0" [min(0), formerly(&["memcache_socket_timeout", "redis_socket_timeout"])],
        /// Speak TLS to the server.
        tls_enabled: bool = "false",
        /// File of the authorities that are trusted.
        tls_cafile: Option<String> = "",
        /// File of the service's certificate.
        tls_certfile: Option<String> = "",
        /// File of the service's private key.
        tls_keyfile: Option<String> = "",
        /// Ciphers that are allowed.
        tls_allowed_ciphers: Option<String> = "",
        /// Keep connections alive.
        enable_socket_keepalive: bool = "false",
        /// Seconds before the first sign of life.
        socket_keepalive_idle: u64 = "1",
        /// Seconds between two signs of life.
        socket_keepalive_interval: u64 = "1",
        /// Lost signs of life after which a connection is dead.
        socket_keepalive_count: u64 = "1",
        /// Repeat failed calls.
        enable_retry_client: bool = "false",
        /// Times that a call is made.
        retry_attempts: u32 = "2" [min(1)],
        /// Seconds between two of them.
        retry_delay: f64 = "0" [min(0)],
        /// Calls that fail before a server counts as dead.
        hashclient_retry_attempts: u32 = "2" [min(1)],
        /// Seconds between two of them.
        hashclient_retry_timeout: f64 = "1" [min(0), formerly(&["hashclient_retry_delay"])],
        /// Seconds before a dead server is tried again.
        hashclient_dead_timeout: f64 = "60" [min(0), formerly(&["dead_timeout"])],
    }
}
