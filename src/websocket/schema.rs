//! The table of actions: what each is called, where it is offered, which rule guards it, and what a request for it must
//! bring (JSON Schema, Draft 4, in the reference).

use crate::api::Mounted;
use crate::model::json::Kind;
use crate::policy::Rule;

use Need::{Optional, Required, Unread};
use Type::{Array, Boolean, Integer, Object, Text};

/// What a member must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    /// Neither a boolean nor a number with a fraction, were it zero.
    Integer,
    Boolean,
    Array,
    Object,
}

impl Type {
    /// Whether a value is of this type.
    pub(super) fn admits(self, kind: Kind) -> bool {
        match self {
            Text => kind == Kind::String,
            Integer => matches!(kind, Kind::Integer(_)),
            Boolean => matches!(kind, Kind::Bool(_)),
            Array => kind == Kind::Array,
            Object => kind == Kind::Object,
        }
    }
}

/// Whether a request for an action has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nobody looks at it.
    Unread,
    /// It may be missing.
    Optional,
    /// It must be there.
    Required,
}

/// A member that a request may or must have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) of: Type,
    pub(super) required: bool,
}

const fn must(name: &'static str, of: Type) -> Member {
    Member { name, of, required: true }
}

const fn may(name: &'static str, of: Type) -> Member {
    Member { name, of, required: false }
}

/// Headers that must be strings wherever they stand.
pub(super) const HEADERS: &[&str] =
    &["User-Agent", "Date", "Accept", "Client-ID", "X-Project-ID", "X-Auth-Token"];

const NO_HEADERS: &[&str] = &[];
const CLIENT: &[&str] = &["Client-ID", "X-Project-ID"];
const TOKEN: &[&str] = &["X-Project-ID", "X-Auth-Token"];

const QUEUE: Member = must("queue_name", Text);
const CLAIM: Member = must("claim_id", Text);
const MESSAGE: Member = must("message_id", Text);
const SUBSCRIPTION: Member = must("subscription_id", Text);
const POOL: Member = must("pool_name", Text);
const FLAVOR: Member = must("flavor_name", Text);
const MARKER: Member = may("marker", Text);
const LIMIT: Member = may("limit", Integer);
const TTL: Member = may("ttl", Integer);
const DETAILED: Member = may("detailed", Boolean);
const WEIGHT: Member = may("weight", Integer);
const URI: Member = may("uri", Text);
const OPTIONS: Member = may("options", Object);
const CAPABILITIES: Member = may("capabilities", Object);

/// One line for each action: variant, name, where it is offered, rule, required headers, its body and the members of
/// that.
macro_rules! actions {
    ($($variant:ident $name:literal $mounted:ident $rule:expr, $headers:ident $body:ident [$($member:expr),*],)*) => {
        /// What a client may ask for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Action {
            /// Every action, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The action of that name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// Its name in frames.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Where it is offered.
            pub(super) const fn mounted(self) -> Mounted {
                match self { $(Self::$variant => Mounted::$mounted,)* }
            }

            /// The rule that guards it; the same as over REST.
            pub const fn rule(self) -> Option<Rule> {
                match self { $(Self::$variant => $rule,)* }
            }

            /// The headers that it needs.
            pub(super) const fn headers(self) -> &'static [&'static str] {
                match self { $(Self::$variant => $headers,)* }
            }

            /// Whether it has a body.
            pub(super) const fn body(self) -> Need {
                match self { $(Self::$variant => $body,)* }
            }

            /// What is demanded of members of its body.
            pub(super) const fn members(self) -> &'static [Member] {
                match self { $(Self::$variant => const { &[$($member),*] },)* }
            }
        }
    };
}

actions! {
    Authenticate "authenticate" Always None, TOKEN Unread [],
    GetHomeDoc "get_home_doc" Always None, NO_HEADERS Unread [],
    CheckNodeHealth "check_node_health" Admin Some(Rule::HealthGet), NO_HEADERS Unread [],
    PingNode "ping_node" Always Some(Rule::PingGet), NO_HEADERS Unread [],
    QueueList "queue_list" Always Some(Rule::QueuesGetAll), CLIENT Optional [MARKER, LIMIT, DETAILED],
    QueueCreate "queue_create" Always Some(Rule::QueuesCreate), CLIENT Required [QUEUE],
    QueueGet "queue_get" Always Some(Rule::QueuesGet), CLIENT Required [QUEUE],
    QueueGetStats "queue_get_stats" Always Some(Rule::QueuesStats), CLIENT Required [QUEUE],
    QueuePurge "queue_purge" Always Some(Rule::QueuesPurge), CLIENT Required
        [QUEUE, may("resource_types", Array)],
    QueueDelete "queue_delete" Always Some(Rule::QueuesDelete), CLIENT Required [QUEUE],
    MessagePost "message_post" Always Some(Rule::MessagesCreate), CLIENT Required
        [QUEUE, must("messages", Array)],
    MessageList "message_list" Always Some(Rule::MessagesGetAll), CLIENT Required
        [QUEUE, MARKER, LIMIT, may("echo", Boolean), may("include_claimed", Boolean)],
    MessageGet "message_get" Always Some(Rule::MessagesGet), CLIENT Required [QUEUE, MESSAGE],
    MessageGetMany "message_get_many" Always Some(Rule::MessagesGetAll), CLIENT Required
        [QUEUE, must("message_ids", Array)],
    MessageDelete "message_delete" Always Some(Rule::MessagesDelete), CLIENT Required
        [QUEUE, MESSAGE, may("claim_id", Text)],
    MessageDeleteMany "message_delete_many" Always Some(Rule::MessagesDeleteAll), CLIENT Required
        [QUEUE, may("message_ids", Array), may("claim_ids", Array), may("pop", Integer)],
    ClaimCreate "claim_create" Always Some(Rule::ClaimsCreate), CLIENT Required
        [QUEUE, LIMIT, TTL, may("grace", Integer)],
    ClaimGet "claim_get" Always Some(Rule::ClaimsGet), CLIENT Required [QUEUE, CLAIM],
    ClaimUpdate "claim_update" Always Some(Rule::ClaimsUpdate), CLIENT Required [QUEUE, CLAIM, TTL],
    ClaimDelete "claim_delete" Always Some(Rule::ClaimsDelete), CLIENT Required [QUEUE, CLAIM],
    SubscriptionCreate "subscription_create" Always Some(Rule::SubscriptionCreate), CLIENT Required
        [QUEUE, may("subscriber", Text), TTL, OPTIONS],
    SubscriptionList "subscription_list" Always Some(Rule::SubscriptionGetAll), CLIENT Required [QUEUE],
    SubscriptionGet "subscription_get" Always Some(Rule::SubscriptionGet), CLIENT Required
        [QUEUE, SUBSCRIPTION],
    SubscriptionDelete "subscription_delete" Always Some(Rule::SubscriptionDelete), CLIENT Required
        [QUEUE, SUBSCRIPTION],
    PoolList "pool_list" Pools Some(Rule::PoolsGetAll), CLIENT Required [POOL, LIMIT, MARKER],
    PoolCreate "pool_create" Pools Some(Rule::PoolsCreate), CLIENT Required [POOL, WEIGHT, URI, OPTIONS],
    PoolGet "pool_get" Pools Some(Rule::PoolsGet), CLIENT Required [POOL, DETAILED],
    PoolUpdate "pool_update" Pools Some(Rule::PoolsUpdate), CLIENT Required [POOL, WEIGHT, URI, OPTIONS],
    PoolDelete "pool_delete" Pools Some(Rule::PoolsDelete), CLIENT Required [POOL],
    FlavorList "flavor_list" Pools Some(Rule::FlavorsGetAll), CLIENT Required [FLAVOR, LIMIT, MARKER],
    FlavorCreate "flavor_create" Pools Some(Rule::FlavorsCreate), CLIENT Required
        [FLAVOR, POOL, CAPABILITIES],
    FlavorGet "flavor_get" Pools Some(Rule::FlavorsGet), CLIENT Required [FLAVOR, DETAILED],
    FlavorUpdate "flavor_update" Pools Some(Rule::FlavorsUpdate), CLIENT Required
        [FLAVOR, may("pool_name", Text), CAPABILITIES],
    FlavorDelete "flavor_delete" Pools Some(Rule::FlavorsDelete), CLIENT Required [FLAVOR],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_documented_with_what_it_demands() {
        let page = include_str!("../../api-ref/websocket.md");
        for action in Action::ALL {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", action.name())));
            let row = row.unwrap_or_else(|| panic!("{} is missing", action.name()));
            assert_eq!(Action::parse(action.name()), Some(*action));
            for member in action.members().iter().filter(|member| member.required) {
                assert!(row.contains(&format!("`{}`", member.name)), "{row} lacks {}", member.name);
            }
        }
    }
}
