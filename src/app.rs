//! The composition root: the only place that knows which part is made of which.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use axum::Router;
use strum::VariantArray as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{self, Api, Cors, Readiness, Version};
use crate::auth::{Presigned, SigningKey};
use crate::clock::Clock;
use crate::config::{ApiTransport, AuthStrategy, ClientIdUuidSafe, Config, ConfigError};
use crate::model::limits::{Defaults, Limits};
use crate::policy::Policy;
use crate::server::{self, ConnectionCounts, Drained, ListenerSettings, Tls};
use crate::service::vault::Vault;
use crate::service::{Feed, Pooling, Service, Settings, Sweeper};
use crate::telemetry::{self, Metric};
use crate::websocket::{Hub, Offer, Origins, WebSocketSettings};

mod identity;
mod listeners;
mod policy;
mod pools;
mod state;
mod stores;

pub use self::listeners::{Listeners, bind};
pub use self::policy::policy_source;
pub use self::pools::shared_pools;
pub use self::state::state_directory;
pub use self::stores::{DATA_DRIVERS, MANAGEMENT_DRIVERS, management_uri, shared_store};

/// A service, ready to serve.
pub struct App {
    service: Service,
    api: Api,
    hub: Arc<Hub>,
    listener: ListenerSettings,
    lameduck: Duration,
    sweeper: Sweeper,
    policy: Policy,
}

impl App {
    /// Makes the service that a configuration describes; opens its stores.
    pub async fn from_config(config: &Config, clock: Clock) -> anyhow::Result<Self> {
        let tasks = TaskTracker::new();
        let gate = identity::gate(config, &clock, tasks.clone())?;
        let vault = vault(config);
        // Before anything is opened: whoever may do what must be known.
        let policy = Policy::load(policy_source(config))?;
        if let Some(note) = policy::policy_note(config) {
            tracing::warn!("{note}");
        }
        let stores = stores::open(config).await?;
        let (settings, opener) = (settings(config, policy.clone()), pools::opener(config));
        let presigned = Presigned::new(settings.signing_key.clone(), clock.clone());
        let service = Service::with_pools(settings, stores, opener, clock, vault, tasks);
        let disable_file = config.listener.healthcheck_disable_file.as_ref().map(PathBuf::from);
        let offer = Offer { admin_mode: config.default.admin_mode, pooling: config.default.pooling };
        let gate = gate.with_presigned(presigned);
        let hub = Arc::new(Hub::new(service.clone(), offer, gate.clone(), websocket_settings(config)));
        let beside = listeners::serves(config, ApiTransport::Websocket);
        let api = Api {
            websocket: beside.then(|| hub.clone()),
            service: service.clone(),
            deprecated: deprecated_versions(config),
            sunset: sunset(config)?,
            admin_mode: config.default.admin_mode,
            pooling: config.default.pooling,
            gate,
            cors: Arc::new(cors(config)),
            readiness: Arc::new(Readiness::new(disable_file)),
            compress: config.listener.gzip,
            mount_prefix: config.listener.mount_prefix.clone().unwrap_or_default(),
        };
        let (interval, reconcile) = (config.sweeper.interval, config.sweeper.reconcile_interval);
        let sweeper =
            Sweeper::new(service.clone(), Duration::from_secs(interval), Duration::from_secs(reconcile));
        let lameduck = Duration::from_secs(config.listener.drain_delay);
        Ok(Self { service, api, hub, listener: listener_settings(config)?, lameduck, sweeper, policy })
    }

    /// The operations, for callers inside the process.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The router of the HTTP face.
    pub fn router(&self) -> Router {
        api::router(&self.api)
    }

    /// The certificate, where the service has one.
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.listener.tls.clone()
    }

    /// The policy in force.
    pub fn policy(&self) -> Policy {
        self.policy.clone()
    }

    /// Serves on these listeners until `stop`; then refuses readiness for the configured time, drains and closes the
    /// stores.
    pub async fn serve(self, listeners: Listeners, stop: CancellationToken) -> Drained {
        let (shutdown, sweeping) = (CancellationToken::new(), CancellationToken::new());
        let counts = self.listener.counts.clone();
        let rest = serve_door(listeners.rest, self.router(), self.listener.clone(), shutdown.clone());
        let everywhere = api::websocket_router(&self.api, self.hub.clone());
        let websocket = serve_door(listeners.websocket, everywhere, self.listener.clone(), shutdown.clone());
        let connections = async {
            shutdown.cancelled().await;
            self.hub.drain(self.listener.drain_timeout).await
        };
        let served = async {
            let (rest, websocket, cut) = tokio::join!(rest, websocket, connections);
            Drained { cut: rest.cut + websocket.cut + cut }
        };
        let swept = self.sweeper.run(sweeping.clone());
        let fed = Feed::new(self.service.clone()).run(sweeping.clone());
        let judged = self.policy.watch(sweeping.clone());
        let stopping = async {
            stop.cancelled().await;
            self.api.readiness.stop();
            tokio::time::sleep(self.lameduck).await;
            shutdown.cancel();
            self.service.end_waits();
        };
        let drained = async {
            let (drained, ()) = tokio::join!(served, stopping);
            sweeping.cancel();
            drained
        };
        let watched = sweeping.run_until_cancelled(watch_connections(counts));
        let (drained, (), (), (), _) = tokio::join!(drained, swept, fed, judged, watched);
        self.service.close().await;
        drained
    }
}

/// Serves a front door until `shutdown`, where it has a listener.
async fn serve_door(
    listener: Option<TcpListener>,
    router: Router,
    settings: ListenerSettings,
    shutdown: CancellationToken,
) -> Drained {
    match listener {
        Some(listener) => server::serve(listener, router, settings, shutdown).await,
        None => Drained { cut: 0 },
    }
}

/// Keeps the gauge of open connections, once a second.
async fn watch_connections(counts: Arc<ConnectionCounts>) {
    loop {
        telemetry::gauge(Metric::HttpConnections, &[], counts.open());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The versions to serve beside the current one; the configuration lets no other ids through.
fn deprecated_versions(config: &Config) -> Vec<Version> {
    let enabled = &config.default.enable_deprecated_api_versions;
    let named = |version: &Version| enabled.iter().any(|id| id.trim() == version.id());
    Version::VARIANTS.iter().copied().filter(named).collect()
}

/// The day from which on they may be gone, as HTTP writes it.
fn sunset(config: &Config) -> Result<Option<String>, ConfigError> {
    let Some(text) = config.default.deprecated_api_sunset.as_deref() else { return Ok(None) };
    let refuse = |why| config.refuse("DEFAULT", "deprecated_api_sunset", text, why);
    let date: jiff::civil::Date = text.trim().parse().map_err(|_| refuse("not a day such as 2027-06-30"))?;
    let start =
        date.to_zoned(jiff::tz::TimeZone::UTC).map_or(i64::MIN, |start| start.timestamp().as_second());
    // RFC 9745: nothing ends before it is deprecated.
    if Version::VARIANTS.iter().filter_map(|version| version.deprecated_since()).any(|since| start < since) {
        return Err(refuse("before the old versions were deprecated"));
    }
    Ok(Some(date.strftime("%a, %d %b %Y 00:00:00 GMT").to_string()))
}

/// The warning of a service without authentication; `None` where it has one.
pub fn open_door(config: &Config) -> Option<&'static str> {
    (config.default.auth_strategy != AuthStrategy::Keystone).then_some(
        "authentication is OFF: every caller is believed to be who it says; set auth_strategy to change that",
    )
}

/// What holds for WebSocket connections.
fn websocket_settings(config: &Config) -> WebSocketSettings {
    let websocket = &config.websocket;
    let positive = |number: u32| (number > 0).then_some(number);
    let mut settings = WebSocketSettings {
        external_port: websocket.external_port,
        origins: Origins::only(&websocket.allowed_origins),
        max_connections: positive(websocket.max_connections).map_or(usize::MAX, |most| most as usize),
        in_flight: websocket.max_requests_in_flight as usize,
        rate: positive(websocket.max_requests_per_second),
        ping: Duration::from_secs(websocket.ping_interval),
        ..WebSocketSettings::default()
    };
    settings.fit_values(config.transport.max_messages_post_size.max(config.transport.max_queue_metadata));
    settings
}

fn settings(config: &Config, policy: Policy) -> Settings {
    let transport = &config.transport;
    Settings {
        limits: Limits {
            max_queues_per_page: transport.max_queues_per_page as usize,
            max_messages_per_page: transport.max_messages_per_page as usize,
            max_subscriptions_per_page: transport.max_subscriptions_per_page as usize,
            max_pools_per_page: transport.max_pools_per_page as usize,
            max_flavors_per_page: transport.max_flavors_per_page as usize,
            max_messages_per_claim_or_pop: transport.max_messages_per_claim_or_pop as usize,
            max_queue_metadata: transport.max_queue_metadata,
            max_messages_post_size: transport.max_messages_post_size,
            max_message_ttl: transport.max_message_ttl,
            max_message_delay: transport.max_message_delay,
            max_claim_ttl: transport.max_claim_ttl,
            max_claim_grace: transport.max_claim_grace,
            min_length_client_id: transport.min_length_client_id as usize,
            max_length_client_id: transport.max_length_client_id as usize,
            defaults: Defaults {
                message_ttl: transport.default_message_ttl,
                message_delay: transport.default_message_delay,
                claim_ttl: transport.default_claim_ttl,
                claim_grace: transport.default_claim_grace,
                subscription_ttl: transport.default_subscription_ttl,
            },
        },
        free_client_ids: transport.client_id_uuid_safe == ClientIdUuidSafe::Off,
        checksums: config.default.enable_checksum,
        delete_needs_claims: transport.message_delete_with_claim_id,
        policy,
        signing_key: SigningKey::new(config.signed_url.secret_key.as_ref()),
        pooling: config.default.pooling.then_some(Pooling {
            virtual_pool: config.pooling_catalog.enable_virtual_pool,
            protect_used: config.pooling_catalog.protect_used_pools,
        }),
    }
}

fn vault(config: &Config) -> Vault {
    let transport = &config.transport;
    Vault::new(
        transport.message_encryption_key.as_ref(),
        &transport.message_decryption_key,
        &transport.message_encryption_algorithms,
    )
}

fn cors(config: &Config) -> Cors {
    let cors = &config.cors;
    Cors {
        allowed_origin: cors.allowed_origin.clone().unwrap_or_default(),
        allow_credentials: cors.allow_credentials,
        expose_headers: cors.expose_headers.clone(),
        max_age: Some(cors.max_age),
        allow_methods: cors.allow_methods.clone(),
        allow_headers: cors.allow_headers.clone(),
    }
}

fn listener_settings(config: &Config) -> anyhow::Result<ListenerSettings> {
    let (listener, seconds) = (&config.listener, Duration::from_secs);
    let tls = match (&config.ssl.cert_file, &config.ssl.key_file) {
        (Some(cert), Some(key)) => Some(Arc::new(Tls::load(cert, key)?)),
        (None, None) => None,
        _ => bail!("[ssl] cert_file and key_file belong together; only one of them is set"),
    };
    let defaults = ListenerSettings::default();
    let positive = |number: u32| (number > 0).then_some(number as usize);
    let mut settings = ListenerSettings {
        header_read: seconds(listener.header_timeout),
        body_idle: seconds(listener.body_timeout),
        keep_alive_idle: seconds(listener.keepalive_timeout),
        drain_timeout: seconds(listener.drain_timeout),
        header_block: listener.max_header_size as usize,
        max_connections: positive(listener.max_connections).unwrap_or(usize::MAX),
        max_connections_per_address: positive(listener.max_connections_per_address),
        tls,
        ..defaults
    };
    settings.fit_open_files(server::raise_open_file_limit()?);
    Ok(settings)
}
