//! The rules: what the service asks its policy, one for each operation (rest.md 12).

use super::facts::{Fact, Facts};

/// One line for each rule: variant, name, default, new default, the scopes of the new default, what it guards.
macro_rules! rules {
    ($($variant:ident $name:literal $default:literal $new:literal $scopes:ident $help:literal,)*) => {
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

            /// The same under `enforce_new_defaults`.
            pub const fn new_default_check(self) -> &'static str {
                match self { $(Self::$variant => $new,)* }
            }

            /// The scopes of tokens that it is for, under `enforce_new_defaults`.
            pub const fn scopes(self) -> &'static [Scope] {
                match self { $(Self::$variant => $scopes,)* }
            }

            /// What it guards, in a sentence.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

const PROJECT: &[Scope] = &[Scope::Project];
const SYSTEM: &[Scope] = &[Scope::System];
const BOTH: &[Scope] = &[Scope::System, Scope::Project];
const ANY: &[Scope] = &[Scope::System, Scope::Domain, Scope::Project];

rules! {
    ClaimsCreate "claims:create" "" "rule:project_member" PROJECT "Claim messages of a queue.",
    ClaimsGet "claims:get" "" "rule:project_reader" PROJECT "Read a claim and its messages.",
    ClaimsUpdate "claims:update" "" "rule:project_member" PROJECT "Renew a claim.",
    ClaimsDelete "claims:delete" "" "rule:project_member" PROJECT "Release a claim.",
    FlavorsGetAll "flavors:get_all" "" "rule:project_reader or rule:system_reader" BOTH "List flavors.",
    FlavorsCreate "flavors:create" "role:admin" "role:admin" BOTH "Create a flavor.",
    FlavorsGet "flavors:get" "" "rule:project_reader or rule:system_reader" BOTH "Read a flavor.",
    FlavorsUpdate "flavors:update" "role:admin" "role:admin" BOTH "Change a flavor.",
    FlavorsDelete "flavors:delete" "role:admin" "role:admin" BOTH "Delete a flavor.",
    PingGet "ping:get" "" "" ANY "Ask whether the service answers.",
    HealthGet "health:get" "role:admin" "rule:system_reader" SYSTEM "Try every operation and read the numbers of the stores.",
    MessagesGetAll "messages:get_all" "" "rule:project_reader" PROJECT "List messages of a queue, or read several.",
    MessagesCreate "messages:create" "" "rule:project_member" PROJECT "Post messages.",
    MessagesGet "messages:get" "" "rule:project_reader" PROJECT "Read a message.",
    MessagesDelete "messages:delete" "" "rule:project_member" PROJECT "Delete a message.",
    MessagesDeleteAll "messages:delete_all" "" "rule:project_member" PROJECT "Delete several messages, or pop them.",
    PoolsGetAll "pools:get_all" "role:admin" "rule:system_reader" SYSTEM "List pools, and the queues on their way between them.",
    PoolsCreate "pools:create" "role:admin" "role:admin" SYSTEM "Register a pool.",
    PoolsGet "pools:get" "role:admin" "rule:system_reader" SYSTEM "Read a pool.",
    PoolsDelete "pools:delete" "role:admin" "role:admin" SYSTEM "Delete a pool.",
    PoolsUpdate "pools:update" "role:admin" "role:admin" SYSTEM "Change a pool.",
    QueuesGetAll "queues:get_all" "" "rule:project_reader" PROJECT "List the project's queues.",
    QueuesCreate "queues:create" "" "rule:project_member" PROJECT "Create a queue.",
    QueuesGet "queues:get" "" "rule:project_reader" PROJECT "Read the metadata of a queue.",
    QueuesDelete "queues:delete" "" "rule:project_member" PROJECT "Delete a queue.",
    QueuesUpdate "queues:update" "" "rule:project_member" PROJECT "Change the metadata of a queue.",
    QueuesStats "queues:stats" "" "rule:project_reader" PROJECT "Read the numbers of a queue.",
    QueuesShare "queues:share" "" "rule:project_manager" PROJECT "Make a pre-signed URL for a queue.",
    QueuesPurge "queues:purge" "" "rule:project_member" PROJECT "Empty a queue.",
    SubscriptionGetAll "subscription:get_all" "" "rule:project_reader" PROJECT "List the subscriptions of a queue.",
    SubscriptionCreate "subscription:create" "" "rule:project_member" PROJECT "Subscribe to a queue.",
    SubscriptionGet "subscription:get" "" "rule:project_reader" PROJECT "Read a subscription.",
    SubscriptionDelete "subscription:delete" "" "rule:project_member" PROJECT "Delete a subscription.",
    SubscriptionUpdate "subscription:update" "" "rule:project_member" PROJECT "Change a subscription.",
    SubscriptionConfirm "subscription:confirm" "" "rule:project_member" PROJECT "Confirm a subscription.",
    TopicsGetAll "topics:get_all" "" "rule:project_reader" PROJECT "List the project's topics.",
    TopicsCreate "topics:create" "" "rule:project_member" PROJECT "Create a topic.",
    TopicsGet "topics:get" "" "rule:project_reader" PROJECT "Read the metadata of a topic.",
    TopicsDelete "topics:delete" "" "rule:project_member" PROJECT "Delete a topic.",
    TopicsUpdate "topics:update" "" "rule:project_member" PROJECT "Change the metadata of a topic.",
    TopicsStats "topics:stats" "" "rule:project_reader" PROJECT "Read the numbers of a topic.",
    TopicsPurge "topics:purge" "" "rule:project_member" PROJECT "Empty a topic.",
}

/// A rule that others are made of, and that no operation asks for.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Its name.
    pub name: &'static str,
    /// Its check.
    pub check: &'static str,
    /// Whether it is only there under `enforce_new_defaults`.
    pub new: bool,
    /// Whom it describes.
    pub help: &'static str,
}

/// The building blocks: those of the reference, and the roles that the new defaults are made of. A role implies
/// those before it: reader, member, manager, admin. Services act for users. A pre-signed URL, which somebody with the
/// right to share made for certain paths and methods, is worth a member there.
pub const BLOCKS: &[Block] = &[
    Block { name: "context_is_admin", check: "role:admin", new: false, help: "An administrator." },
    Block {
        name: "admin_or_owner",
        check: "is_admin:True or project_id:%(project_id)s",
        new: false,
        help: "Whoever acts in the project that the request is for.",
    },
    Block {
        name: "project_reader",
        check: "(role:reader or role:member or role:manager or role:admin or role:service or signed_url:True) and project_id:%(project_id)s",
        new: true,
        help: "Whoever may read in the project.",
    },
    Block {
        name: "project_member",
        check: "(role:member or role:manager or role:admin or role:service or signed_url:True) and project_id:%(project_id)s",
        new: true,
        help: "Whoever may work in the project.",
    },
    Block {
        name: "project_manager",
        check: "(role:manager or role:admin or role:service) and project_id:%(project_id)s",
        new: true,
        help: "Whoever may let others into the project's queues.",
    },
    Block {
        name: "system_reader",
        check: "role:admin or (role:reader or role:member or role:manager) and system_scope:all",
        new: true,
        help: "Whoever may look at the whole deployment.",
    },
];

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole deployment.
    System,
    /// A domain.
    Domain,
    /// A project. Everything else counts as this one, as in oslo.policy.
    Project,
}

impl Scope {
    /// The scope of the caller's token.
    pub(super) fn of(credentials: &dyn Facts) -> Self {
        let set =
            |key| credentials.fact(key).is_some_and(|fact| fact != Fact::Nothing && !fact.text().is_empty());
        match (set("system_scope") || set("system"), set("domain_id")) {
            (true, _) => Self::System,
            (false, true) => Self::Domain,
            (false, false) => Self::Project,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Domain => "domain",
            Self::Project => "project",
        }
    }
}

/// Which defaults count where no file says something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Defaults {
    /// Those of the reference.
    #[default]
    Reference,
    /// The new ones, with the roles reader, member, manager, admin and service.
    New {
        /// Whether the scope of a token counts too.
        scopes: bool,
    },
}

impl Defaults {
    /// Every default, by name.
    pub(super) fn all(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let new = self != Self::Reference;
        let check = move |rule: &Rule| {
            (rule.name(), if new { rule.new_default_check() } else { rule.default_check() })
        };
        let blocks = BLOCKS.iter().filter(move |block| new || !block.new);
        blocks.map(|block| (block.name, block.check)).chain(Rule::ALL.iter().map(check))
    }

    /// The scopes that a rule is for; `None` for any.
    pub(super) fn scopes(self, rule: Rule) -> Option<&'static [Scope]> {
        (self == Self::New { scopes: true }).then(|| rule.scopes())
    }
}
