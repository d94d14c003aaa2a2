//! The limits of the service.

/// Seconds that a message lives at least.
pub const MIN_MESSAGE_TTL: u64 = 60;

/// Seconds that a claim lives at least.
pub const MIN_CLAIM_TTL: u64 = 60;

/// Seconds that a claimed message outlives its claim at least.
pub const MIN_CLAIM_GRACE: u64 = 60;

/// Seconds that a subscription lives at least.
pub const MIN_SUBSCRIPTION_TTL: u64 = 60;

/// How many items a page or a claim has where the client names no limit.
pub const DEFAULT_PAGE: usize = 10;

/// What an operator may set in `[transport]` (rest.md 2.1); the names are those of the options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Queues on a page.
    pub max_queues_per_page: usize,
    /// Messages on a page; also ids in a bulk get or delete.
    pub max_messages_per_page: usize,
    /// Subscriptions on a page.
    pub max_subscriptions_per_page: usize,
    /// Pools on a page.
    pub max_pools_per_page: usize,
    /// Flavors on a page.
    pub max_flavors_per_page: usize,
    /// Messages that one claim or pop takes.
    pub max_messages_per_claim_or_pop: usize,
    /// Bytes of a body that sets or patches metadata.
    pub max_queue_metadata: u64,
    /// Bytes of a body that posts messages.
    pub max_messages_post_size: u64,
    /// Seconds that a message lives.
    pub max_message_ttl: u64,
    /// Seconds until a message becomes available.
    pub max_message_delay: u64,
    /// Seconds that a claim lives.
    pub max_claim_ttl: u64,
    /// Seconds that a claimed message outlives its claim.
    pub max_claim_grace: u64,
    /// Characters of a client id at least, where it need not be a UUID.
    pub min_length_client_id: usize,
    /// Characters of a client id at most, where it need not be a UUID.
    pub max_length_client_id: usize,
    /// What counts where a client says nothing.
    pub defaults: Defaults,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_queues_per_page: 20,
            max_messages_per_page: 20,
            max_subscriptions_per_page: 20,
            max_pools_per_page: 20,
            max_flavors_per_page: 20,
            max_messages_per_claim_or_pop: 20,
            max_queue_metadata: 65_536,
            max_messages_post_size: 262_144,
            max_message_ttl: 1_209_600,
            max_message_delay: 900,
            max_claim_ttl: 43_200,
            max_claim_grace: 43_200,
            min_length_client_id: 10,
            max_length_client_id: 36,
            defaults: Defaults::default(),
        }
    }
}

/// What counts where a client, and for messages its queue, says nothing. All in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The life of a message.
    pub message_ttl: u64,
    /// The delay that is shown for a queue without one of its own; it delays nothing.
    pub message_delay: u64,
    /// The life of a claim.
    pub claim_ttl: u64,
    /// How much longer the messages of a claim live.
    pub claim_grace: u64,
    /// The life of a subscription.
    pub subscription_ttl: u64,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            message_ttl: 3_600,
            message_delay: 0,
            claim_ttl: 300,
            claim_grace: 60,
            subscription_ttl: 3_600,
        }
    }
}
