//! `[transport]`: what clients may ask for, whichever front door they use.

use secrecy::SecretString;

use crate::config::section::{choice, section};
use crate::config::value::Multi;

choice! {
    /// What a client id must be.
    pub enum ClientIdUuidSafe {
        /// A UUID.
        Strict = "strict",
        /// Any text of a legal length.
        Off = "off",
    }
}

/// The longest TTL, in seconds: some 7,000 years.
const LONGEST: u64 = 220_367_260_800;

section! {
    /// What clients may ask for, whichever front door they use.
    pub struct Transport {
        /// TTL of messages that give none, in seconds.
        default_message_ttl: u64 = "3600" [effective, min(60), max(LONGEST)],
        /// Delay that queues without one of their own report, in seconds.
        default_message_delay: u64 = "0" [effective, max(LONGEST)],
        /// TTL of claims that give none, in seconds.
        default_claim_ttl: u64 = "300" [effective, min(60), max(LONGEST)],
        /// Grace of claims that give none, in seconds.
        default_claim_grace: u64 = "60" [effective, min(60), max(LONGEST)],
        /// TTL of subscriptions that give none, in seconds.
        default_subscription_ttl: u64 = "3600" [effective, min(60), max(LONGEST)],
        /// The greatest TTL of a message, in seconds.
        max_message_ttl: u64 = "1209600" [effective, min(60), max(LONGEST)],
        /// The greatest delay of a message, in seconds.
        max_message_delay: u64 = "900" [effective, max(LONGEST)],
        /// The greatest TTL of a claim, in seconds.
        max_claim_ttl: u64 = "43200" [effective, min(60), max(LONGEST)],
        /// The greatest grace of a claim, in seconds.
        max_claim_grace: u64 = "43200" [effective, min(60), max(LONGEST)],
        /// The greatest size of a queue's metadata, in bytes as received.
        max_queue_metadata: u64 = "65536" [effective, min(1)],
        /// The greatest size of the body of a post, in bytes as received, before compression.
        max_messages_post_size: u64 = "262144" [effective, min(1)],
        /// The most queues of a page.
        max_queues_per_page: u32 = "20" [effective, min(1)],
        /// The most messages of a page, and the most ids of a request.
        max_messages_per_page: u32 = "20" [effective, min(1)],
        /// The most messages of a claim or a pop.
        max_messages_per_claim_or_pop: u32 = "20" [effective, min(1)],
        /// The most subscriptions of a page.
        max_subscriptions_per_page: u32 = "20" [effective, min(1)],
        /// The most pools of a page.
        max_pools_per_page: u32 = "20" [effective, min(1)],
        /// The most flavors of a page.
        max_flavors_per_page: u32 = "20" [effective, min(1)],
        /// Schemes of the addresses that may subscribe.
        subscriber_types: Vec<String> = "http,https,mailto,trust+http,trust+https",
        /// What a client id must be: a UUID (strict) or any text of a legal length (off).
        client_id_uuid_safe: ClientIdUuidSafe = "strict" [effective],
        /// The least length of a client id that need not be a UUID, in characters.
        min_length_client_id: u32 = "10" [effective, min(1)],
        /// The greatest length of a client id that need not be a UUID, in characters.
        max_length_client_id: u32 = "36" [effective, min(1)],
        /// Delete several claimed messages at once only with the claims that hold them.
        message_delete_with_claim_id: bool = "false" [effective],
        /// Cipher of encrypted queues. Whatever is named, new messages are encrypted with AES-256-GCM.
        message_encryption_algorithms: String = "AES256" [one_of(&["AES256", "RSA"])],
        /// Key that encrypts the messages of encrypted queues: any text. Unset, and with the Python service's public
        /// default AES256, queues cannot be made encrypted.
        message_encryption_key: Option<SecretString> = "" [effective],
        /// A former key, which only decrypts. May be given several times.
        message_decryption_key: Multi<SecretString> = "" [effective],
    }
}
