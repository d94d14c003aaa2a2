//! A Python service on the same memcached: keystonemiddleware, by `tests/python/token_cache.py`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A running process; it ends with this.
pub(crate) struct Neighbour {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Neighbour {
    /// One with these options of `[keystone_authtoken]`.
    pub(crate) fn start(options: &Value) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/token_cache.py");
        let mut command = Command::new("python3");
        command.arg("-B").arg(script).arg(options.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
        let requests = child.stdin.take().expect("its input");
        let answers = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, requests, answers }
    }

    /// What becomes of a request with that token, while the identity service is down.
    pub(crate) fn request(&mut self, token: &str) -> Value {
        self.ask(&json!({ "token": token }))
    }

    /// The same, while the identity service describes the token so.
    pub(crate) fn validate(&mut self, token: &str, document: &str) -> Value {
        self.ask(&json!({ "token": token, "document": document }))
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").expect("it reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        serde_json::from_str(&answer).expect("an answer; what went wrong stands on standard error")
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
