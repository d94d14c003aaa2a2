//! The operations on a queue, each one atomic function in Lua.
//!
//! Redis 7 and Valkey keep them as a function library, replicated and persisted. Older servers (and those that
//! forbid `FUNCTION`) get the same text as one script. Library and functions bear a hash of their text, so that
//! releases side by side each call their own. A server that lacks the library answers so before it does anything: it is
//! given it, and the call is sent again.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::{Cmd, Value};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::connection::{CallError, Connection, Node, ServerError};
use crate::storage::{Error, Result};

/// The text, in an order in which everything is said before it is used.
const PARTS: [&str; 11] = [
    include_str!("lua/base.lua"),
    include_str!("lua/message.lua"),
    include_str!("lua/time.lua"),
    include_str!("lua/write.lua"),
    include_str!("lua/subscription.lua"),
    include_str!("lua/outgoing.lua"),
    include_str!("lua/read.lua"),
    include_str!("lua/remove.lua"),
    include_str!("lua/claim.lua"),
    include_str!("lua/sweep.lua"),
    include_str!("lua/move.lua"),
];

/// What an operation does to the data of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Nothing.
    Reads,
    /// Nothing but what time asks for, or what is soon done again: nobody relies on it, so that it is not confirmed by replicas.
    Tidies,
    /// Writes that a full server must take, or it could never be emptied.
    Frees,
    /// Adds messages: refused by a full server.
    Adds,
}

macro_rules! operations {
    ($($name:ident $text:literal $effect:ident),* $(,)?) => {
        /// An operation on a queue; what it is called with stands above its function in Lua.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub(super) enum Operation { $($name),* }

        const OPERATIONS: &[(&str, Effect)] = &[$(($text, Effect::$effect)),*];
    };
}

operations! {
    Open "open" Adds,
    Drop "drop" Frees,
    Post "post" Adds,
    List "list" Tidies,
    Locate "locate" Tidies,
    Tail "tail" Tidies,
    Get "get" Reads,
    Delete "delete" Frees,
    DeleteMany "delete_many" Frees,
    Pop "pop" Frees,
    Purge "purge" Frees,
    Stats "stats" Tidies,
    Claim "claim" Frees,
    Claimed "claimed" Reads,
    Renew "renew" Frees,
    Release "release" Frees,
    Subscribe "subscribe" Adds,
    Subscriptions "subscriptions" Tidies,
    Subscription "subscription" Reads,
    Subscribed "subscribed" Reads,
    Unsubscribe "unsubscribe" Frees,
    Extend "extend" Tidies,
    PurgeSubscriptions "purge_subscriptions" Frees,
    Outgoing "outgoing" Reads,
    Import "import" Adds,
    Forget "forget" Frees,
    Sweep "sweep" Tidies,
    Seal "seal" Frees,
    Adopt "adopt" Adds,
    SendOff "send_off" Frees,
}

impl Operation {
    fn name(self) -> &'static str {
        OPERATIONS[self as usize].0
    }

    fn effect(self) -> Effect {
        OPERATIONS[self as usize].1
    }
}

/// The text of the library and what is made of it.
struct Text {
    /// `FUNCTION LOAD` takes this.
    library: String,
    /// The functions' names, as in [`OPERATIONS`].
    names: Vec<String>,
    /// `SCRIPT LOAD` takes this.
    script: String,
}

impl Text {
    /// The text for one server or its replicas, or for a Cluster. Functions on a Cluster publish to the shard of the
    /// queue: what they publish to all, its servers would each have to be sent with two kilobytes around it.
    fn of(cluster: bool) -> &'static Self {
        static TEXTS: [OnceLock<Text>; 2] = [OnceLock::new(), OnceLock::new()];
        TEXTS[usize::from(cluster)].get_or_init(|| {
            let code = PARTS.concat();
            Self::make(&if cluster { code.replace("'PUBLISH'", "'SPUBLISH'") } else { code })
        })
    }

    fn make(code: &str) -> Self {
        let hash = Sha256::digest(format!("{code}{OPERATIONS:?}"));
        let hash = hash[..6].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let names: Vec<_> = OPERATIONS.iter().map(|(name, _)| format!("zaqar_{hash}_{name}")).collect();
        let mut library = format!("#!lua name=zaqar_{hash}\n{code}");
        for ((operation, effect), name) in OPERATIONS.iter().zip(&names) {
            let flags = match effect {
                Effect::Reads => "'no-writes'",
                Effect::Tidies | Effect::Frees => "'allow-oom'",
                Effect::Adds => "",
            };
            // Writing to a string cannot fail.
            let _ = writeln!(
                library,
                "redis.register_function{{ function_name = '{name}', flags = {{ {flags} }}, callback = \
                 function(keys, args) begin() return operations.{operation}(keys[1], args) end }}"
            );
        }
        // Servers that know no functions know no shards' channels either.
        let code = code.replace("'SPUBLISH'", "'PUBLISH'");
        let script = format!("{code}begin() return operations[table.remove(ARGV)](KEYS[1], ARGV)\n");
        Self { library, names, script }
    }
}

/// How the operations are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Mode {
    Unknown = 0,
    Functions = 1,
    Scripts = 2,
}

/// The library on the servers of a deployment.
pub(super) struct Library {
    connection: Connection,
    text: &'static Text,
    /// The longest that a call may take, loading included.
    deadline: Duration,
    mode: AtomicU8,
    scripts_only: bool,
    /// The script's name on the servers, once it is known.
    digest: OnceLock<String>,
    /// How often the library was loaded.
    loads: AtomicU64,
    loading: Mutex<()>,
}

/// A call in the making: its arguments are added to [`Call::command`].
pub(super) struct Call {
    operation: Operation,
    mode: Mode,
    since: Instant,
    pub(super) command: Cmd,
}

impl Library {
    pub(super) fn new(connection: Connection, deadline: Duration, scripts_only: bool) -> Self {
        Self {
            text: Text::of(connection.is_cluster()),
            connection,
            deadline,
            mode: AtomicU8::new(Mode::Unknown as u8),
            scripts_only,
            digest: OnceLock::new(),
            loads: AtomicU64::new(0),
            loading: Mutex::new(()),
        }
    }

    /// Begins a call of `operation` on the queue with that base of keys; `size` is about that of its arguments.
    pub(super) async fn begin(&self, operation: Operation, base: &str, size: usize) -> Result<Call> {
        let since = Instant::now();
        let mut mode = self.mode();
        if mode == Mode::Unknown {
            self.within(since, self.load(0)).await?;
            mode = self.mode();
        }
        let mut command = Cmd::with_capacity(64, size + 256);
        match mode {
            Mode::Scripts => {
                let digest = self.digest.get().map_or("", String::as_str);
                command.arg("EVALSHA").arg(digest);
            }
            Mode::Functions | Mode::Unknown => {
                command.arg("FCALL").arg(&self.text.names[operation as usize]);
            }
        }
        // Two keys, of which the first never exists: while a slot moves from one server of a Cluster to another, both
        // so refuse the call (`TRYAGAIN`) before it does anything. With one key the new server would take a queue
        // whose keys are still on their way for one that was never opened.
        command.arg(2).arg(base).arg([base, super::keys::QUEUE].concat());
        Ok(Call { operation, mode, since, command })
    }

    /// Makes the call; [`Error::Gone`] where the function says so.
    pub(super) async fn finish(&self, base: &str, call: Call) -> Result<Value> {
        let Call { operation, mode, since, mut command } = call;
        if mode == Mode::Scripts {
            command.arg(operation.name());
        }
        let loads = self.loads.load(Ordering::Acquire);
        let answer = match self.send(operation, base, &command).await {
            Err(CallError::Server(error)) if is_missing(&error) => {
                let again = async {
                    self.load(loads).await?;
                    Ok(self.send(operation, base, &command).await)
                };
                self.within(since, again).await?
            }
            answer => answer,
        };
        match answer {
            Ok(Value::SimpleString(text)) if text == "GONE" => Err(Error::Gone),
            Ok(value) => Ok(value),
            Err(CallError::Server(error)) if is_unreadable(&error) => {
                Err(Error::Corrupt(format!("{} failed in Redis: {error}", operation.name())))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What `work` comes to in what is left of the call's time.
    async fn within<T>(&self, since: Instant, work: impl Future<Output = Result<T>>) -> Result<T> {
        let end = tokio::time::Instant::from_std(since + self.deadline);
        tokio::time::timeout_at(end, work).await.unwrap_or(Err(Error::Timeout(self.deadline)))
    }

    async fn send(
        &self,
        operation: Operation,
        base: &str,
        command: &Cmd,
    ) -> std::result::Result<Value, CallError> {
        match operation.effect() {
            Effect::Reads | Effect::Tidies => self.connection.call(base.as_bytes(), command).await,
            Effect::Frees | Effect::Adds => self.connection.call_confirmed(base.as_bytes(), command).await,
        }
    }

    fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Acquire) {
            1 => Mode::Functions,
            2 => Mode::Scripts,
            _ => Mode::Unknown,
        }
    }

    /// Loads the library on every server, unless somebody did since it was loaded `seen` times.
    async fn load(&self, seen: u64) -> Result<()> {
        let _one_at_a_time = self.loading.lock().await;
        if self.loads.load(Ordering::Acquire) != seen {
            return Ok(());
        }
        let mut loaded = None;
        for node in self.connection.masters().await? {
            // A server that is down gets it when it is missed there.
            match self.load_on(&node).await {
                Ok(mode) => loaded = Some(Ok(mode)),
                Err(error) if loaded.is_none() => loaded = Some(Err(error)),
                Err(_) => {}
            }
        }
        let mode = loaded.unwrap_or_else(|| Err(Error::unavailable("Redis has no servers")))?;
        self.mode.store(mode as u8, Ordering::Release);
        self.loads.fetch_add(1, Ordering::AcqRel);
        tracing::debug!(redis.mode = ?mode, "loaded the operations on queues into Redis");
        Ok(())
    }

    async fn load_on(&self, node: &Node) -> Result<Mode> {
        if !self.scripts_only && self.mode() != Mode::Scripts {
            let mut load = Cmd::new();
            load.arg("FUNCTION").arg("LOAD").arg("REPLACE").arg(&self.text.library);
            match node.call(&load).await {
                Ok(_) => return Ok(Mode::Functions),
                Err(CallError::Server(error)) if is_unsupported(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut load = Cmd::new();
        load.arg("SCRIPT").arg("LOAD").arg(&self.text.script);
        let digest = super::codec::text(node.call(&load).await?)?;
        if self.digest.get_or_init(|| digest.clone()) != &digest {
            return Err(Error::Corrupt("servers of one Redis disagree about a script's digest".to_owned()));
        }
        Ok(Mode::Scripts)
    }
}

/// The server lacks the library or script; nothing was done.
fn is_missing(error: &ServerError) -> bool {
    error.code == "NOSCRIPT" || (error.code == "ERR" && error.text.starts_with("Function not found"))
}

/// The function found what it cannot work with.
fn is_unreadable(error: &ServerError) -> bool {
    let in_lua = ["user_function:", "user_script:"].iter().any(|place| error.text.contains(place));
    error.code == "WRONGTYPE" || (error.code == "ERR" && in_lua)
}

/// The server has no function libraries, or we may not load one.
fn is_unsupported(error: &ServerError) -> bool {
    error.code == "NOPERM" || (error.code == "ERR" && error.text.to_ascii_lowercase().contains("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_is_one_function_in_lua() {
        let code = PARTS.concat();
        for (name, _) in OPERATIONS {
            let functions = code.matches(&format!("operations.{name} =")).count();
            assert_eq!(functions, 1, "{name}");
        }
        assert_eq!(code.matches("\noperations.").count(), OPERATIONS.len());
        assert_eq!(Operation::Sweep.name(), "sweep");
    }

    #[test]
    fn only_functions_on_a_cluster_publish_to_shards() {
        let (alone, cluster) = (Text::of(false), Text::of(true));
        assert!(cluster.library.contains("try('SPUBLISH'") && alone.library.contains("try('PUBLISH'"));
        assert_eq!(alone.script, cluster.script);
        assert!(alone.script.contains("try('PUBLISH'"));
        assert_ne!(alone.names, cluster.names);
    }

    #[test]
    fn bounds_are_those_of_the_traits() {
        use crate::storage::{EXAMINED, STEP};
        let bounds = format!("STEP, EXAMINED, CHUNK, NEVER = {STEP}, {EXAMINED}, ");
        assert!(PARTS[0].contains(&bounds), "{bounds}");
    }

    #[test]
    fn only_what_was_surely_not_done_is_repeated() {
        let error = |code: &str, text: &str| ServerError { code: code.to_owned(), text: text.to_owned() };
        assert!(is_missing(&error("NOSCRIPT", "No matching script. Please use EVAL.")));
        assert!(is_missing(&error("ERR", "Function not found")));
        for (code, text) in [("ERR", "Error running script"), ("OOM", ""), ("GONE", ""), ("ERR", "")] {
            assert!(!is_missing(&error(code, text)), "{code} {text}");
        }
        assert!(is_unsupported(&error("ERR", "unknown command `FUNCTION`, with args beginning with: ")));
        assert!(is_unsupported(&error("NOPERM", "this user has no permissions")));
        assert!(!is_unsupported(&error("ERR", "Error compiling function")));
    }
}
