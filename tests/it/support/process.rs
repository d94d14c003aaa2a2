//! The real binary in a process of its own, ended by its pid, whatever becomes of the test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Client;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_zaqar");

/// How long a process may take to start or to end, on a machine that builds beside it.
const PATIENCE: Duration = Duration::from_mins(1);

/// The check of a server that wants requests.
const READY: &str = "/healthcheck";

/// That of one that answers at all.
const LIVE: &str = "/healthcheck/live";

/// A running `zaqar server`.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    pub(crate) address: SocketAddr,
    /// The listener of the WebSocket API, where the server was started with a configuration of ours.
    pub(crate) websocket: SocketAddr,
}

impl Process {
    /// Starts a server on a free port, its state in that directory, with more configuration; waits until it is
    /// ready.
    pub(crate) async fn start(state: &Path, ini: &str) -> Self {
        Self::start_under(&[], state, ini).await
    }

    /// The same, by a command that ends in `exec` of the command line that follows it.
    pub(crate) async fn start_under(wrapper: &[&str], state: &Path, ini: &str) -> Self {
        for _ in 0..5 {
            if let Some(process) = Self::try_start(wrapper, state, ini, READY).await {
                return process;
            }
        }
        let log = std::fs::read_to_string(state.join("stderr"));
        panic!("no server could be started: {log:?}");
    }

    /// The same on stores that may be out of reach: waits only until it answers at all.
    pub(crate) async fn start_without_stores(state: &Path, ini: &str) -> Self {
        for _ in 0..5 {
            if let Some(process) = Self::try_start(&[], state, ini, LIVE).await {
                return process;
            }
        }
        let log = std::fs::read_to_string(state.join("stderr"));
        panic!("no server could be started: {log:?}");
    }

    async fn try_start(wrapper: &[&str], state: &Path, ini: &str, check: &str) -> Option<Self> {
        let (address, websocket) = (free_address(), free_address());
        let (file, log) = (state.join("zaqar.conf"), state.join("stderr"));
        let text = format!(
            "[DEFAULT]\nstate_path = {}\n[drivers:transport:wsgi]\nport = {}\n\
             [drivers:transport:websocket]\nport = {}\n{ini}",
            state.display(),
            address.port(),
            websocket.port(),
        );
        std::fs::write(&file, text).expect("a configuration file");
        let line = [BINARY, "server", "--config-file"];
        let line: Vec<_> = wrapper.iter().chain(&line).collect();
        let mut command = Command::new(line[0]);
        command.args(&line[1..]).arg(&file);
        let mut process = Self::spawn_until(check, &mut command, log, address).await?;
        process.websocket = websocket;
        Some(process)
    }

    /// Starts a server by that command, its log in that file, and waits until it is ready there; `None` where it
    /// ended instead (its port was taken).
    pub(crate) async fn spawn(command: &mut Command, log: PathBuf, address: SocketAddr) -> Option<Self> {
        Self::spawn_until(READY, command, log, address).await
    }

    async fn spawn_until(
        check: &str,
        command: &mut Command,
        log: PathBuf,
        address: SocketAddr,
    ) -> Option<Self> {
        let stderr = std::fs::File::create(&log).expect("a log");
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let mut process =
            Self { child: command.spawn().expect("the command"), log, address, websocket: address };
        process.answers(check).await.then_some(process)
    }

    async fn answers(&mut self, check: &str) -> bool {
        let client = Client::new(self.address, "health");
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let answer = client.bare(reqwest::Method::GET, check).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
            if self.child.try_wait().expect("its state").is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the server did not become ready within {PATIENCE:?}: {}", self.log());
    }

    /// A client of that project.
    pub(crate) fn client(&self, project: &str) -> Client {
        Client::new(self.address, project)
    }

    /// The process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The memory that it holds at the moment, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid().as_raw_pid());
        let status = std::fs::read_to_string(path).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// What it wrote on standard error so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).expect("its log")).into_owned()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("its end");
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process lives");
    }

    /// How the process ended, once it has.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the server did not end within {PATIENCE:?}: {}", self.log());
    }

    /// SIGTERM, and how the process ended.
    pub(crate) async fn terminate(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on at the moment.
pub(crate) fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}
