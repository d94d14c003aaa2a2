//! The start of the binary: with nothing, under other names, and with what it must refuse.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use zaqar::app::{App, Listeners};
use zaqar::clock::{Clock, Timestamp};
use zaqar::config::Config;

use crate::support::process::{BINARY, free_address};
use crate::support::{Client, Process};

/// Long enough for any machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn it_starts_with_nothing_and_says_that_everyone_may_enter() {
    let home = tempfile::tempdir().unwrap();
    let address = free_address();
    let mut command = Command::new(BINARY);
    command.arg("server").current_dir(home.path()).env_clear().env("HOME", home.path());
    // The port, because the usual one may be taken; the directory, because root would write to /var/lib.
    command.env("OS_DRIVERS_TRANSPORT_WSGI__PORT", address.port().to_string());
    command.env("OS_DRIVERS_TRANSPORT_WEBSOCKET__PORT", "0");
    command.env("STATE_DIRECTORY", home.path().join("state"));
    let server = Process::spawn(&mut command, home.path().join("stderr"), address).await.expect("a server");
    let client = server.client("p");
    let id = &client.post_bodies("q", &[json!("hello")]).await[0];
    assert_eq!(client.get(&format!("/v2/queues/q/messages/{id}")).await.expect(200).json()["body"], "hello");
    let warnings = server.log().lines().filter(|line| line.contains("authentication is OFF")).count();
    assert_eq!(warnings, 1, "{}", server.log());
    assert_eq!(server.terminate().await.code(), Some(0));
    assert!(home.path().join("state/messages.db").exists());
}

#[tokio::test]
async fn its_other_names_are_its_tools() {
    let home = tempfile::tempdir().unwrap();
    let link = |name: &str| {
        let path = home.path().join(name);
        std::os::unix::fs::symlink(BINARY, &path).unwrap();
        path
    };
    let address = free_address();
    let file = configuration(&home, &format!("[drivers:transport:wsgi]\nport = {}\n", address.port()));
    let mut command = Command::new(link("zaqar-server"));
    command.arg("--config-file").arg(&file);
    let server = Process::spawn(&mut command, home.path().join("stderr"), address).await.expect("a server");
    server.client("p").post_bodies("q", &[json!(1)]).await;
    let swept = run(Command::new(link("zaqar-gc")).arg("--config-file").arg(&file)).await;
    assert_eq!((swept.code, swept.out.as_str()), (0, "freed 0 expired messages and 0 expired claims\n"));
    assert_eq!(server.terminate().await.code(), Some(0));
    let unknown = run(&mut Command::new(link("zaqar-nothing"))).await;
    assert_eq!(unknown.code, 1);
    assert!(unknown.err.contains("zaqar-server") && unknown.err.contains("zaqar-gc"), "{}", unknown.err);
}

#[tokio::test]
async fn gc_sweeps_beside_a_running_server() {
    let state = tempfile::tempdir().unwrap();
    let text = format!("[DEFAULT]\nstate_path = {}\n", state.path().display());
    // The server's time stands still long ago, so that its own sweep finds nothing.
    let clock = Clock::manual(Timestamp::from_micros(1_500_000_000_000_000));
    let app = App::from_config(&Config::from_ini(&text).unwrap(), clock).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(listener.local_addr().unwrap(), "p");
    let listeners = Listeners { rest: Some(listener), websocket: None };
    let stop = CancellationToken::new();
    let mut served = tokio::task::JoinSet::new();
    served.spawn(app.serve(listeners, stop.clone()));
    client.post_bodies("q", &[json!(1), json!(2), json!(3)]).await;
    client.post("/v2/queues/q/claims?limit=1", &json!({ "ttl": 60, "grace": 60 })).await.expect(201);
    let file = configuration(&state, "");
    let swept = run(Command::new(BINARY).args(["gc", "--config-file"]).arg(&file)).await;
    assert_eq!(swept.code, 0, "{}", swept.err);
    assert!(swept.out.starts_with("freed 3 expired messages"), "{}", swept.out);
    assert!(client.get("/v2/queues/q/messages?echo=true").await.expect(200).ids().is_empty());
    client.post_bodies("q", &[json!(4)]).await;
    stop.cancel();
    assert!(served.join_next().await.unwrap().unwrap().is_clean());
}

#[tokio::test]
async fn a_state_directory_has_one_server() {
    let home = tempfile::tempdir().unwrap();
    let first = Process::start(home.path(), "").await;
    let file = configuration(&home, &format!("[drivers:transport:wsgi]\nport = {}\n", free_address().port()));
    let second = run(Command::new(BINARY).args(["server", "--config-file"]).arg(&file)).await;
    let path = home.path().display().to_string();
    assert_eq!(second.code, 1);
    assert!(second.err.contains(&path), "{}", second.err);
    assert!(second.err.contains(&first.pid().as_raw_pid().to_string()), "{}", second.err);
    first.client("p").post_bodies("q", &[json!(1)]).await;
}

#[tokio::test]
async fn an_open_door_to_the_network_must_be_asked_for() {
    let ini = |bind: &str, more: &str| {
        format!("{more}[drivers:transport:wsgi]\nbind = {bind}\nport = {}\n", free_address().port())
    };
    for bind in ["0.0.0.0", "::", "192.0.2.1"] {
        let refused = refuse(&ini(bind, "")).await;
        assert!(refused.contains("authentication is off") && refused.contains(bind), "{refused}");
    }
    let home = tempfile::tempdir().unwrap();
    let port = free_address().port();
    let asked = "[DEFAULT]\nallow_unauthenticated_remote_access = true\n";
    let file =
        configuration(&home, &format!("{asked}[drivers:transport:wsgi]\nbind = 0.0.0.0\nport = {port}\n"));
    let mut command = Command::new(BINARY);
    command.args(["server", "--config-file"]).arg(&file);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let server = Process::spawn(&mut command, home.path().join("stderr"), address).await.expect("a server");
    assert!(server.log().contains("authentication is OFF"));
}

#[tokio::test]
async fn authentication_without_an_account_of_our_own_is_never_served_open() {
    let keystone = "[DEFAULT]\nauth_strategy = keystone\n[keystone_authtoken]\n";
    let account = "auth_type = password\nuser_id = u\npassword = s3cret\nauth_url = http://127.0.0.1:1\n";
    for (options, problem) in [
        (String::new(), "[keystone_authtoken] auth_type = : expected one of password"),
        ("auth_type = v3oidcpassword\n".to_owned(), "auth_type = v3oidcpassword: expected one of password"),
        (
            "auth_type = password\nuser_id = u\n".to_owned(),
            "[keystone_authtoken] password = : password needs it",
        ),
        (account.replace("http://127.0.0.1:1", "").clone(), "auth_url = : password needs it"),
        (format!("{account}cafile = /nowhere\n"), "cafile = /nowhere: the authorities cannot be used"),
        (format!("{account}keyfile = /k\n"), "keyfile = /k: expected certfile beside it"),
        (
            format!("{account}certfile = /nowhere\n"),
            "certfile = /nowhere: the certificate or its key cannot be used",
        ),
    ] {
        let refused = refuse(&format!("{keystone}{options}")).await;
        assert!(refused.contains(problem) && !refused.contains("s3cret"), "{options}: {refused}");
    }
}

#[tokio::test]
async fn a_bad_value_is_told_in_one_line() {
    for (option, line, expectation) in [
        (
            "[drivers:transport:wsgi]\nport = many\n",
            "[drivers:transport:wsgi] port = many",
            "expected a port number",
        ),
        ("[DEFAULT]\ndebug = perhaps\n", "[DEFAULT] debug = perhaps", "expected"),
        ("[transport]\nmax_messages_per_page = 0\n", "[transport] max_messages_per_page = 0", "expected"),
        ("[listener]\nheader_timeout = -1\n", "[listener] header_timeout = -1", "expected a whole number"),
    ] {
        let refused = refuse(option).await;
        let (place, rest) = refused.split_once(line).unwrap_or_else(|| panic!("{refused}"));
        assert!(place.contains("zaqar.conf:"), "no file and line: {refused}");
        assert!(rest.contains(expectation), "no expectation: {refused}");
    }
}

#[tokio::test]
async fn stores_that_are_not_built_in_are_refused_by_name() {
    for (option, name, built_in) in [
        ("message_store", "mongodb", ["sqlite", "redis", "memory"].as_slice()),
        ("management_store", "mongodb", &["sqlalchemy", "memory"]),
        ("management_store", "redis", &["sqlalchemy", "memory"]),
    ] {
        let refused = refuse(&format!("[drivers]\n{option} = {name}\n")).await;
        for word in [option, name].iter().chain(built_in) {
            assert!(refused.contains(word), "{word}: {refused}");
        }
    }
}

#[tokio::test]
async fn unknown_options_are_named_once() {
    let state = tempfile::tempdir().unwrap();
    let ini = "[transport]\nmax_messages_per_pgae = 5\nmax_messages_per_pgae = 6\n[no_such_section]\nx = 1\ny = 2\n";
    let server = Process::start(state.path(), ini).await;
    let log = server.log();
    for name in ["max_messages_per_pgae", "no_such_section"] {
        assert_eq!(log.lines().filter(|line| line.contains(name)).count(), 1, "{name}: {log}");
    }
}

/// What a server says that will not start with that configuration: one line.
async fn refuse(ini: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let file = configuration(&home, ini);
    let refused = run(Command::new(BINARY).args(["server", "--config-file"]).arg(&file)).await;
    assert_eq!(refused.code, 1, "{}", refused.err);
    let said: Vec<_> = refused.err.lines().filter(|line| line.starts_with("zaqar: ")).collect();
    assert_eq!(said.len(), 1, "{}", refused.err);
    said[0].to_owned()
}

/// A configuration file in that directory, which is also the state directory.
fn configuration(home: &TempDir, ini: &str) -> std::path::PathBuf {
    let file = home.path().join("zaqar.conf");
    let state: &Path = home.path();
    // The usual port of the WebSocket API may be taken.
    let websocket = "[drivers:transport:websocket]\nport = 0\n";
    let text = format!("[DEFAULT]\nstate_path = {}\n{websocket}{ini}", state.display());
    std::fs::write(&file, text).unwrap();
    file
}

/// How a command ended.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

/// Runs a command that ends by itself.
async fn run(command: &mut Command) -> Ended {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    // Few lines are written, so that neither pipe fills up.
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if start.elapsed() > PATIENCE => {
                child.kill().unwrap();
                break child.wait().unwrap();
            }
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    Ended { code: status.code().unwrap_or(-1), out, err }
}
