//! The sections of the file, a struct for each; the doc comment of a field is its option's help text.

mod cache;
mod drivers;
mod identity;
mod integration;
mod listener;
mod service;
mod transport;

pub use cache::Cache;
pub use drivers::{
    ApiTransport, Drivers, Mongodb, PoolingCatalog, Redis, SqlAlchemy, Sqlite, Storage, Swift, Websocket,
    Wsgi,
};
pub use identity::{Credentials, KeystoneAuthtoken, OsloPolicy, Session, SignedUrl};
pub use integration::{Cors, Notification, OsloReports, Profiler, Statsd};
pub use listener::{Listener, Ssl, Sweeper};
pub use service::{AuthStrategy, Service};
pub use transport::{ClientIdUuidSafe, Transport};
