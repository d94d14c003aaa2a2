//! `[drivers…]`, `[storage]`, `[pooling:catalog]`: which front doors and stores serve, and where they are.

use secrecy::SecretString;

use crate::config::section::{choice, section};

choice! {
    /// A front door of the service.
    pub enum ApiTransport {
        /// The REST API.
        Wsgi = "wsgi",
        /// The WebSocket API.
        Websocket = "websocket",
    }
}

section! {
    /// Which front doors and stores serve.
    pub struct Drivers {
        /// The only front door to serve: wsgi (the REST API) or websocket. Unset: both, and WebSocket on the port of
        /// the REST API too, at /v2/ws.
        transport: Option<ApiTransport> = "" [effective],
        /// The store of messages: redis, sqlite (embedded, durable) or memory (lost at the end of the process).
        message_store: String = "sqlite" [effective, formerly(&["storage"])],
        /// The store of queues and their metadata.
        management_store: String = "sqlalchemy" [effective],
    }

    /// The listener of the REST API.
    pub struct Wsgi {
        /// Address to listen on.
        bind: String = "127.0.0.1" [effective, host],
        /// Port to listen on; 0 takes a free one.
        port: u16 = "8888" [effective],
    }

    /// The WebSocket API: its own listener, and what holds for every connection of it.
    pub struct Websocket {
        /// Address to listen on.
        bind: String = "127.0.0.1" [effective, host],
        /// Port to listen on; 0 takes a free one.
        port: u16 = "9000" [effective],
        /// Port under which clients reach the listener where a proxy stands before it. A client that names another
        /// one in its Host header is refused.
        external_port: Option<u16> = "" [effective],
        /// Origins of the web pages that may connect, such as `https://dashboard.example.org`. Unset: all. A client
        /// that sends no origin is no browser and may always connect; some libraries send that of the address they
        /// connect to, which then must be listed too.
        allowed_origins: Vec<String> = "" [effective],
        /// The most connections; 0 for as many as the listener takes.
        max_connections: u32 = "0" [effective],
        /// The most requests of a connection that are carried out or wait at the same time.
        max_requests_in_flight: u32 = "16" [effective, min(1), max(1024)],
        /// The most requests of a connection within a second; those beyond are answered 429. 0 for no limit.
        max_requests_per_second: u32 = "0" [effective],
        /// Seconds between two pings to a client. One that leaves a ping without an answer until the next is gone.
        ping_interval: u64 = "120" [effective, min(1), max(3600)],
        /// Address on which the Python service takes notifications from other nodes.
        notification_bind: Option<String> = "" [host],
        /// Port on which the Python service takes notifications from other nodes; 0 takes a free one.
        notification_port: u16 = "0",
    }

    /// The embedded message store.
    pub struct Sqlite {
        /// Its file, such as `sqlite:////var/lib/zaqar/messages.db`. Unset: messages.db in the state directory.
        uri: Option<String> = "" [effective],
        /// Directory of the files of pools: the pool `sqlite://a` is a.db in it, the pool `sqlite://a/b` is a/b.db.
        /// Unset: pools in the state directory.
        pool_directory: Option<String> = "" [effective],
    }

    /// Management storage in an SQL database.
    pub struct SqlAlchemy {
        /// The database: `sqlite:////var/lib/zaqar/management.db`, `mysql+pymysql://user:password@host/zaqar` or
        /// `postgresql+psycopg2://user:password@host/zaqar`, with the parameters of those drivers. On a server run
        /// `zaqar db upgrade` first. Unset: management.db in the state directory.
        uri: Option<SecretString> = "" [effective],
    }

    /// A store in Redis or Valkey.
    pub struct Redis {
        /// The server: `redis://[user:password@]host[:port][?options]`, `rediss://` for TLS, several hosts with
        /// `master=<name>` (Sentinels) or `cluster=true`, or `redis:///path/to/socket`.
        uri: SecretString = "redis://127.0.0.1:6379" [effective],
        /// Attempts to connect that one call makes, within its deadline.
        max_reconnect_attempts: u32 = "10" [effective],
        /// Seconds between two attempts; more than one counts as one.
        reconnect_sleep: f64 = "1.0" [min(0), effective],
    }

    /// A store in `MongoDB`.
    pub struct Mongodb {
        /// The server or replica set.
        uri: Option<SecretString> = "",
        /// Name of the database.
        database: String = "zaqar",
        /// File of the client's private key.
        ssl_keyfile: Option<String> = "",
        /// File of the client's certificate.
        ssl_certfile: Option<String> = "",
        /// Whether the server must have a valid certificate.
        ssl_cert_reqs: String = "CERT_REQUIRED" [one_of(&["CERT_NONE", "CERT_OPTIONAL", "CERT_REQUIRED"])],
        /// File of the authorities that are trusted.
        ssl_ca_certs: Option<String> = "",
        /// Attempts to post when writers collide.
        max_attempts: u32 = "1000",
        /// The longest wait between two attempts, in seconds.
        max_retry_sleep: f64 = "0.1" [min(0)],
        /// The longest random part of that wait, in seconds.
        max_retry_jitter: f64 = "0.005" [min(0)],
        /// Attempts to connect again before a call fails.
        max_reconnect_attempts: u32 = "10",
        /// Seconds before the second attempt; doubled with each one after it.
        reconnect_sleep: f64 = "0.020" [min(0)],
        /// Databases over which messages are spread. It must never change; only message stores have it.
        partitions: u32 = "2" [min(1)],
    }

    /// The message store in Swift.
    pub struct Swift {
        /// URL of the identity service.
        auth_url: String = "http://127.0.0.1:5000/v3/",
        /// The account: `swift://user:password@/project`.
        uri: SecretString = "swift://demo:nomoresecrete@/demo",
        /// Accept any certificate.
        insecure: bool = "false",
        /// Id of the project's domain.
        project_domain_id: Option<String> = "",
        /// Name of the project's domain.
        project_domain_name: String = "Default",
        /// Id of the user's domain.
        user_domain_id: Option<String> = "",
        /// Name of the user's domain.
        user_domain_name: String = "Default",
        /// Region of the service.
        region_name: Option<String> = "",
        /// Interface of the service in the catalogue.
        interface: String = "public",
    }

    /// Stages that calls pass on their way to a store.
    pub struct Storage {
        /// Stages of calls on queues.
        queue_pipeline: Vec<String> = "",
        /// Stages of calls on messages; zaqar.notification.notifier sends notifications.
        message_pipeline: Vec<String> = "",
        /// Stages of calls on claims.
        claim_pipeline: Vec<String> = "",
        /// Stages of calls on subscriptions.
        subscription_pipeline: Vec<String> = "",
        /// Stages of calls on topics.
        topic_pipeline: Vec<String> = "",
    }

    /// The catalogue of queues and their pools.
    pub struct PoolingCatalog {
        /// Keep queues in the message store of the drivers section as long as no pool is registered.
        enable_virtual_pool: bool = "false" [effective],
        /// Refuse to delete a pool while queues are in it. Without this option, as in the Python service, such a
        /// pool is deleted and the messages of its queues are out of reach; true is recommended.
        protect_used_pools: bool = "false" [effective],
    }
}
