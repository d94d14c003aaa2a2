//! What the database servers of the tests share: a process that ends with the tests, whatever becomes of them, and
//! the way to new databases in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to start or to end, on a machine that builds beside it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs the command behind the first two arguments until nobody holds the other end of its standard input: also
/// where the tests were killed. Then ends it by that signal and removes that directory, if one is named.
const SUPERVISOR: &str = r#"
trap "" INT TERM HUP
signal=$1 directory=$2
shift 2
"$@" </dev/null &
server=$!
read -r _
kill -s "$signal" $server
wait $server
if [ -n "$directory" ]; then rm -rf "$directory"; fi
"#;

/// A server process under a supervisor.
pub(crate) struct Supervised {
    supervisor: Child,
}

impl Supervised {
    /// Starts the command, its output in that log. `signal` ends it; `remove` is removed afterwards.
    pub(crate) fn start<S: AsRef<OsStr>>(
        line: &[S],
        signal: &str,
        remove: Option<&Path>,
        log: &Path,
    ) -> Self {
        let log = std::fs::File::create(log).expect("a log");
        let mut command = Command::new("sh");
        command.args(["-c", SUPERVISOR, "supervisor", signal]);
        command.arg(remove.map_or(OsStr::new(""), Path::as_os_str)).args(line);
        let again = log.try_clone().expect("the same log");
        let command = command.stdin(Stdio::piped()).stdout(log).stderr(again);
        Self { supervisor: command.spawn().expect("sh") }
    }

    /// Ends the server and waits for its end.
    pub(crate) fn stop(mut self) {
        drop(self.supervisor.stdin.take());
        self.supervisor.wait().expect("its end");
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// Asks `ready` until it says yes; fails with the server's log after a minute.
pub(crate) async fn wait_until_ready(what: &str, log: &Path, mut ready: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !ready().await {
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        assert!(start.elapsed() < PATIENCE, "{what} did not start within {PATIENCE:?}: {}", said());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Runs a tool to its end; fails with what it said.
pub(crate) fn run<S: AsRef<OsStr>>(line: &[S]) {
    let (program, arguments) = line.split_first().expect("a program");
    let done = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let done = done.unwrap_or_else(|error| panic!("{}: {error}", program.as_ref().display()));
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{}: {}", program.as_ref().display(), String::from_utf8_lossy(&said));
}

/// The program of that name, in the path or one of these folders; fails with the Debian package that has it.
pub(crate) fn program(name: &str, folders: &[PathBuf], package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::split_paths(&path).collect::<Vec<_>>();
    let mut found = folders.iter().chain(&path).map(|folder| folder.join(name)).filter(|file| file.exists());
    found.next().unwrap_or_else(|| panic!("{name} is missing: install the Debian package {package}"))
}

/// True where the tests run as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
