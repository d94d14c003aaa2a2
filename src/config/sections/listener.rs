//! `[listener]`, `[ssl]`, `[sweeper]`: how connections are served, and the work beside them.

use crate::config::section::section;

section! {
    /// How connections are served.
    pub struct Listener {
        /// Seconds within which the header of a request must arrive.
        header_timeout: u64 = "10" [effective, min(1), max(3600)],
        /// Seconds without a byte after which the body of a request is given up.
        body_timeout: u64 = "60" [effective, min(1), max(3600)],
        /// Seconds without a request after which a connection is closed.
        keepalive_timeout: u64 = "75" [effective, min(1), max(86400)],
        /// The greatest size of the header of a request, in bytes.
        max_header_size: u32 = "65536" [effective, min(8192), max(1_048_576)],
        /// The most connections; 0 for as many as files may be open.
        max_connections: u32 = "0" [effective],
        /// The most connections from one address; 0 for no limit. Behind a load balancer all come from one.
        max_connections_per_address: u32 = "0" [effective],
        /// Seconds that running requests have to finish when the service stops.
        drain_timeout: u64 = "30" [effective, max(3600)],
        /// Seconds between the signal to stop and the moment when no more connections are accepted, in which
        /// the health check fails and load balancers turn away.
        drain_delay: u64 = "0" [effective, max(3600)],
        /// File that makes the health check fail as long as it exists.
        healthcheck_disable_file: Option<String> = "" [effective],
        /// Path in front of every route, such as /messaging, where a proxy passes it on. It never stands in
        /// links; the routes answer without it too.
        mount_prefix: Option<String> = "" [effective],
        /// Compress large answers for clients that ask for it, and accept compressed bodies.
        gzip: bool = "true" [effective],
    }

    /// TLS. With a certificate and a key the listener speaks it, without them it does not.
    pub struct Ssl {
        /// File of the certificate and those that signed it, in PEM.
        cert_file: Option<String> = "" [effective],
        /// File of the private key, in PEM.
        key_file: Option<String> = "" [effective],
        /// File of the authorities that clients' certificates must come from. Not built in: setting it stops the
        /// start.
        ca_file: Option<String> = "" [effective],
        /// Version of the protocol; 1.2 and 1.3 are always offered.
        version: Option<String> = "",
        /// Ciphers; those of the TLS library are always offered.
        ciphers: Option<String> = "",
    }

    /// The task that frees the space of expired messages and claims.
    pub struct Sweeper {
        /// Seconds between two sweeps; 0 for none, where zaqar-gc does the work.
        interval: u64 = "10" [effective, max(86400)],
        /// Seconds between two comparisons of the stores, which drop the data of queues whose deletion was
        /// interrupted; 0 for none.
        reconcile_interval: u64 = "600" [effective, max(604_800)],
    }
}
