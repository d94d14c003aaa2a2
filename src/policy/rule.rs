//! The rules: what the service asks its policy, one for each operation (rest.md 12).

/// One line for each rule: variant, name, default, what it guards.
macro_rules! rules {
    ($($variant:ident $name:literal $default:literal $help:literal,)*) => {
        /// A question to the policy. The topics' rules stand here too, so that a policy file of the reference names
        /// nothing unknown.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Rule {
            $(#[doc = $help] $variant,)*
        }

        impl Rule {
            /// Every rule, in the order of the sample.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in policy files.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The check that counts where no file says another.
            pub const fn default_check(self) -> &'static str {
                match self { $(Self::$variant => $default,)* }
            }

            /// What it guards, in a sentence.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

rules! {
    ClaimsCreate "claims:create" "" "Claim messages of a queue.",
    ClaimsGet "claims:get" "" "Read a claim and its messages.",
    ClaimsUpdate "claims:update" "" "Renew a claim.",
    ClaimsDelete "claims:delete" "" "Release a claim.",
    FlavorsGetAll "flavors:get_all" "" "List flavors.",
    FlavorsCreate "flavors:create" "role:admin" "Create a flavor.",
    FlavorsGet "flavors:get" "" "Read a flavor.",
    FlavorsUpdate "flavors:update" "role:admin" "Change a flavor.",
    FlavorsDelete "flavors:delete" "role:admin" "Delete a flavor.",
    PingGet "ping:get" "" "Ask whether the service answers.",
    HealthGet "health:get" "role:admin" "Try every operation and read the numbers of the stores.",
    MessagesGetAll "messages:get_all" "" "List messages of a queue, or read several.",
    MessagesCreate "messages:create" "" "Post messages.",
    MessagesGet "messages:get" "" "Read a message.",
    MessagesDelete "messages:delete" "" "Delete a message.",
    MessagesDeleteAll "messages:delete_all" "" "Delete several messages, or pop them.",
    PoolsGetAll "pools:get_all" "role:admin" "List pools, and the queues on their way between them.",
    PoolsCreate "pools:create" "role:admin" "Register a pool.",
    PoolsGet "pools:get" "role:admin" "Read a pool.",
    PoolsDelete "pools:delete" "role:admin" "Delete a pool.",
    PoolsUpdate "pools:update" "role:admin" "Change a pool.",
    QueuesGetAll "queues:get_all" "" "List the project's queues.",
    QueuesCreate "queues:create" "" "Create a queue.",
    QueuesGet "queues:get" "" "Read the metadata of a queue.",
    QueuesDelete "queues:delete" "" "Delete a queue.",
    QueuesUpdate "queues:update" "" "Change the metadata of a queue.",
    QueuesStats "queues:stats" "" "Read the numbers of a queue.",
    QueuesShare "queues:share" "" "Make a pre-signed URL for a queue.",
    QueuesPurge "queues:purge" "" "Empty a queue.",
    SubscriptionGetAll "subscription:get_all" "" "List the subscriptions of a queue.",
    SubscriptionCreate "subscription:create" "" "Subscribe to a queue.",
    SubscriptionGet "subscription:get" "" "Read a subscription.",
    SubscriptionDelete "subscription:delete" "" "Delete a subscription.",
    SubscriptionUpdate "subscription:update" "" "Change a subscription.",
    SubscriptionConfirm "subscription:confirm" "" "Confirm a subscription.",
    TopicsGetAll "topics:get_all" "" "List the project's topics.",
    TopicsCreate "topics:create" "" "Create a topic.",
    TopicsGet "topics:get" "" "Read the metadata of a topic.",
    TopicsDelete "topics:delete" "" "Delete a topic.",
    TopicsUpdate "topics:update" "" "Change the metadata of a topic.",
    TopicsStats "topics:stats" "" "Read the numbers of a topic.",
    TopicsPurge "topics:purge" "" "Empty a topic.",
}
