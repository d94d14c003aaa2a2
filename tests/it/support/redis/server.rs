//! One `redis-server`, which can be killed, stopped for a while and started again on the same port and data.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{ConnectionLike as _, Value};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a server may take to start, on a machine that builds beside it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The line of a server that takes connections, and that of a Sentinel.
const READY: [&str; 2] = ["Ready to accept connections", "+monitor master"];

/// How a server is to be started.
#[derive(Clone, Default)]
pub(crate) struct Setup {
    lines: Vec<String>,
    password: Option<String>,
    bus: bool,
    sentinel: bool,
}

impl Setup {
    /// More lines of its configuration, such as `appendonly yes`.
    pub(crate) fn with(mut self, lines: &[&str]) -> Self {
        self.lines.extend(lines.iter().map(|line| (*line).to_owned()));
        self
    }

    /// An append-only file, synced at that time: `always`, `everysec` or `no`.
    pub(crate) fn durable(self, sync: &str) -> Self {
        self.with(&["appendonly yes", &format!("appendfsync {sync}")])
    }

    /// A password of the default user.
    pub(crate) fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        let password = quoted(password);
        let lines = [format!("requirepass {password}"), format!("masterauth {password}")];
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        // A Sentinel does not know the second.
        let count = if self.sentinel { 1 } else { 2 };
        self.with(&lines[..count])
    }

    /// A node of a Cluster, whose second port is 10,000 above the first.
    pub(crate) fn cluster(mut self) -> Self {
        self.bus = true;
        self.with(&["cluster-enabled yes", "cluster-node-timeout 1000"])
    }

    /// A Sentinel instead of a server of data.
    pub(crate) fn sentinel(mut self) -> Self {
        self.sentinel = true;
        self
    }
}

/// The text as the configuration of Redis quotes it.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A running server.
pub(crate) struct RedisServer {
    child: Child,
    setup: Setup,
    pub(crate) port: u16,
    directory: TempDir,
}

impl RedisServer {
    /// A server that keeps nothing on disk.
    pub(crate) fn start() -> Self {
        Self::with(Setup::default())
    }

    /// A server so set up, ready for connections.
    pub(crate) fn with(setup: Setup) -> Self {
        Self::try_with(setup).unwrap_or_else(|log| panic!("no Redis server could be started: {log}"))
    }

    /// The same, or the log of the last of several that could not start.
    pub(crate) fn try_with(setup: Setup) -> Result<Self, String> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut log = String::new();
        for _ in 0..5 {
            let port = free_port(setup.bus);
            configure(&setup, directory.path(), port);
            match launch(&setup, directory.path()) {
                Ok(child) => return Ok(Self { child, setup, port, directory }),
                // Somebody else may have taken the port.
                Err(why) => log = why,
            }
        }
        Err(log)
    }

    /// The directory of its data, removed with it.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The password of its default user.
    pub(crate) fn password(&self) -> Option<&str> {
        self.setup.password.as_deref()
    }

    /// Its Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory().join("socket")
    }

    /// Its URI without options.
    pub(crate) fn uri(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `kill -9`, and its end.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("its end");
    }

    /// Starts a killed server again, on the same port and data.
    pub(crate) fn restart(&mut self) {
        // While its old connections linger the port may still count as taken.
        let start = Instant::now();
        loop {
            match launch(&self.setup, self.directory.path()) {
                Ok(child) => return self.child = child,
                Err(log) => {
                    assert!(start.elapsed() < PATIENCE, "the Redis server did not start again: {log}");
                }
            }
        }
    }

    /// Stops it with SIGSTOP: it takes connections and answers nothing.
    pub(crate) fn freeze(&self) {
        kill_process(self.pid(), Signal::STOP).expect("it lives");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        kill_process(self.pid(), Signal::CONT).expect("it lives");
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a command on a connection of its own.
    pub(crate) fn command(&self, words: &[&str]) -> Value {
        self.try_command(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    pub(crate) fn try_command(&self, words: &[&str]) -> redis::RedisResult<Value> {
        let client = redis::Client::open(self.uri())?;
        let mut connection = client.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        if let Some(password) = &self.setup.password {
            redis::cmd("AUTH").arg(password).exec(&mut connection)?;
        }
        let mut command = redis::Cmd::new();
        command.arg(words);
        connection.req_command(&command)?.extract_error()
    }

    /// A field of `INFO`, such as `role`.
    pub(crate) fn info(&self, field: &str) -> Option<String> {
        let info: String = redis::from_redis_value(self.try_command(&["INFO"]).ok()?).ok()?;
        let prefix = format!("{field}:");
        info.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the configuration, which Redis itself may rewrite later.
fn configure(setup: &Setup, directory: &Path, port: u16) {
    let mut text = format!(
        "bind 127.0.0.1\nport {port}\ndir {}\nsave \"\"\nunixsocket {}\nrepl-diskless-sync-delay 0\n",
        directory.display(),
        directory.join("socket").display()
    );
    if setup.sentinel {
        text = format!("bind 127.0.0.1\nport {port}\ndir {}\n", directory.display());
    }
    for line in &setup.lines {
        text.push_str(line);
        text.push('\n');
    }
    std::fs::write(directory.join("conf"), text).expect("a configuration file");
}

/// Starts the process and waits until it is ready; its log where it ends instead.
fn launch(setup: &Setup, directory: &Path) -> Result<Child, String> {
    let log = directory.join("log");
    let output = std::fs::File::create(&log).expect("a log");
    let mut command = Command::new("redis-server");
    command.arg(directory.join("conf")).args(setup.sentinel.then_some("--sentinel"));
    command.stdin(Stdio::null()).stderr(Stdio::null()).stdout(output);
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("redis-server: {error}; Debian has it in the package redis-server"));
    let start = Instant::now();
    loop {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        if READY.iter().any(|line| text.contains(line)) {
            return Ok(child);
        }
        if child.try_wait().expect("its state").is_some() {
            return Err(text);
        }
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return Err(text);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A port that nobody listens on at the moment; with `bus`, the one 10,000 above it is free too.
fn free_port(bus: bool) -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let second = port.checked_add(10_000);
        if !bus || second.is_some_and(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return port;
        }
    }
}
