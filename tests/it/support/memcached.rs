//! A real memcached on a free port of 127.0.0.1, killed with the test; plain, over TLS, or with a login.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;

use super::process::free_address;

/// How long a server may take to start, on a machine that builds beside it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Name and password of those who log in.
pub(crate) const USER: [&str; 2] = ["zaqar", "pass word"];

/// How connections are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Access {
    #[default]
    Plain,
    /// With the certificate in [`MemcachedServer::certificate`].
    Tls,
    /// By [`USER`].
    Login,
}

/// A running server.
pub(crate) struct MemcachedServer {
    child: Child,
    access: Access,
    pub(crate) port: u16,
    directory: TempDir,
}

impl MemcachedServer {
    /// A server for everybody.
    pub(crate) fn start() -> Self {
        Self::with(Access::Plain)
    }

    pub(crate) fn with(access: Access) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        prepare(access, directory.path());
        for _ in 0..5 {
            let port = free_address().port();
            // Somebody else may have taken the port.
            if let Some(child) = launch(access, directory.path(), port) {
                return Self { child, access, port, directory };
            }
        }
        panic!("no memcached could be started");
    }

    /// As it stands in `memcached_servers`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The file of its certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }

    /// `kill -9`, and its end.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("its end");
    }

    /// Starts a killed server again, empty, on the same port.
    pub(crate) fn restart(&mut self) {
        let start = Instant::now();
        loop {
            if let Some(child) = launch(self.access, self.directory.path(), self.port) {
                return self.child = child;
            }
            assert!(start.elapsed() < PATIENCE, "memcached did not start again");
        }
    }

    /// Stops it with SIGSTOP: it takes connections and answers nothing.
    pub(crate) fn freeze(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).expect("it lives");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).expect("it lives");
    }

    /// A number of its statistics, such as `curr_items`. Costs it a connection.
    pub(crate) fn number(&self, name: &str) -> u64 {
        let head = format!("STAT {name} ");
        let lines = self.lines("stats\r\n");
        let found = lines.iter().find_map(|line| line.strip_prefix(&head));
        found.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {name} in {lines:?}"))
    }

    /// How many connections it had so far, this look included: the threads that count are not those that answer.
    pub(crate) fn connections(&self) -> u64 {
        loop {
            let (first, second) = (self.number("total_connections"), self.number("total_connections"));
            if second == first + 1 {
                return second;
            }
        }
    }

    /// The names of its entries.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut lines = self.lines("lru_crawler metadump all\r\n");
        // It looks through its entries by itself, too, one walk at a time.
        while lines.first().is_some_and(|line| line.starts_with(BUSY)) {
            lines = self.lines("lru_crawler metadump all\r\n");
        }
        let names = lines.iter().filter_map(|line| line.strip_prefix("key=")?.split(' ').next());
        let decoded =
            names.map(|name| percent_encoding::percent_decode_str(name).decode_utf8().expect("a name"));
        decoded.map(std::borrow::Cow::into_owned).collect()
    }

    /// The value of that entry.
    pub(crate) fn value(&self, name: &str) -> Vec<u8> {
        self.entry(name).1
    }

    /// The flags of that entry.
    pub(crate) fn flags(&self, name: &str) -> u32 {
        self.entry(name).0
    }

    fn entry(&self, name: &str) -> (u32, Vec<u8>) {
        let mut stream = self.connect();
        write!(stream, "get {name}\r\n").expect("a command");
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        stream.read_line(&mut head).expect("an answer");
        let numbers =
            head.trim().strip_prefix(&format!("VALUE {name} ")).and_then(|rest| rest.split_once(' '));
        let (flags, length) = numbers.unwrap_or_else(|| panic!("no value of {name}: {head}"));
        let mut value = vec![0; length.parse().expect("a length")];
        stream.read_exact(&mut value).expect("the value");
        (flags.parse().expect("flags"), value)
    }

    /// Stores an entry.
    pub(crate) fn store(&self, name: &str, flags: u32, value: &[u8]) {
        let mut stream = self.connect();
        write!(stream, "set {name} {flags} 0 {}\r\n", value.len()).expect("a command");
        stream.write_all(&[value, b"\r\n"].concat()).expect("a value");
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).expect("an answer");
        assert_eq!(answer, "STORED\r\n");
    }

    /// What it says until `END`, or that it is busy.
    fn lines(&self, command: &str) -> Vec<String> {
        let mut stream = self.connect();
        stream.write_all(command.as_bytes()).expect("a command");
        let mut said = Vec::new();
        for line in BufReader::new(stream).lines() {
            let line = line.expect("a line");
            if line == "END" {
                break;
            }
            let busy = line.starts_with(BUSY);
            said.push(line);
            if busy {
                break;
            }
        }
        said
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream
    }
}

/// How it begins to say that it does not do a thing just now. Nothing follows then.
const BUSY: &str = "BUSY";

impl Drop for MemcachedServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The files that it needs.
fn prepare(access: Access, directory: &Path) {
    match access {
        Access::Plain => {}
        Access::Tls => {
            let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
            std::fs::write(directory.join("cert.pem"), made.cert.pem()).expect("a file");
            std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).expect("a file");
        }
        Access::Login => {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/sasl_user.py");
            let mut command = Command::new("python3");
            let command = command.arg("-B").arg(script).arg(directory).args(USER);
            assert!(command.status().expect("python3").success(), "no user could be made");
        }
    }
}

/// Starts the process and waits until it takes connections; `None` where it ends instead.
fn launch(access: Access, directory: &Path, port: u16) -> Option<Child> {
    let mut command = Command::new("memcached");
    command.args(["-l", "127.0.0.1", "-U", "0", "-t", "2", "-p"]).arg(port.to_string());
    // It will not run as root without being told to; an ordinary user cannot choose.
    if getuid().is_root() {
        command.args(["-u", "root"]);
    }
    if access == Access::Tls {
        let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
        let files = format!("ssl_chain_cert={},ssl_key={}", certificate.display(), key.display());
        command.args(["-Z", "-o", &files]);
    }
    if access == Access::Login {
        command.arg("-S").env("SASL_CONF_PATH", directory);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn();
    let mut child =
        child.unwrap_or_else(|error| panic!("memcached: {error}; Debian has it in the package memcached"));
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if child.try_wait().expect("its state").is_some() {
            return None;
        }
        assert!(start.elapsed() < PATIENCE, "memcached is not ready");
        std::thread::sleep(Duration::from_millis(2));
    }
    // Whoever took the connection may be somebody else's server.
    child.try_wait().expect("its state").is_none().then_some(child)
}
