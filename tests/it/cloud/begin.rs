//! The start on stores that are not ready, not there or not named rightly; and `zaqar gc` beside a server.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use zaqar::clock::Timestamp;
use zaqar::storage::sql::SqlTables;

use super::until;
use crate::sql::common::Kind;
use crate::support::process::{BINARY, free_address};
use crate::support::redis::{RedisServer, Setup};
use crate::support::{Process, TestApp, cloud};

/// A password that must stand in no log.
const SECRET: &str = "s3cr3t";

/// No start may take longer to fail, on a machine that does much else.
const BOUND: Duration = Duration::from_secs(30);

/// A configuration file in a directory of its own, which is also the state directory.
fn configuration(ini: &str) -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("zaqar.conf");
    let port = free_address().port();
    let text = format!(
        "[DEFAULT]\nstate_path = {}\n[drivers:transport:wsgi]\nport = {port}\n\
         [drivers:transport:websocket]\nport = 0\n{ini}",
        home.path().display()
    );
    std::fs::write(&file, text).unwrap();
    (home, file)
}

/// Runs a command to its end.
async fn run(verb: &str, ini: &str) -> Output {
    let (_home, file) = configuration(ini);
    let mut command = Command::new(BINARY);
    command.arg(verb).arg("--config-file").arg(file).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

/// What a server says that will not start: one line, and no password anywhere.
async fn refused(ini: &str) -> String {
    let start = Instant::now();
    let output = run("server", ini).await;
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    assert!(!said.contains(SECRET), "{said}");
    let mut lines = said.lines().filter(|line| line.starts_with("zaqar: "));
    let line = lines.next().expect("a line that says why").to_owned();
    assert_eq!(lines.count(), 0, "{said}");
    line
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_tables_are_refused_with_the_command_that_mends_them() {
    for kind in [Kind::MariaDb, Kind::Postgres] {
        let fresh = kind.fresh().await;
        let ini = cloud::messages_in("redis://127.0.0.1:1") + &cloud::queues_in(&fresh.url);
        let tables = SqlTables::open(&fresh.url).await.unwrap();
        for version in 1..SqlTables::NEWEST {
            tables.upgrade(version).await.unwrap();
            let line = refused(&ini).await;
            assert!(line.contains("run: zaqar db upgrade"), "{kind:?} at {version}: {line}");
        }
        tables.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_uri_stops_the_start_without_telling_passwords() {
    let redis = "[drivers:message_store:redis] uri";
    for (uri, why) in [
        (format!("redis://:{SECRET}@127.0.0.1:70000"), "port"),
        (format!("redis://user:{SECRET}@"), "host"),
        (format!("redis://:{SECRET}@a:1,b:2"), "cluster=true"),
        (format!("http://user:{SECRET}@127.0.0.1:6379"), "redis or rediss"),
        (format!("redis://:{SECRET}@127.0.0.1?socket_timeout=soon"), "socket_timeout"),
        (format!("rediss://:{SECRET}@127.0.0.1?ssl_ca_certs=/nowhere/ca.pem"), "/nowhere/ca.pem"),
    ] {
        let line = refused(&cloud::messages_in(&uri)).await;
        assert!(line.contains(redis) && line.contains(why), "{uri}: {line}");
    }
    for (url, why) in [
        (format!("mysql+pymysql://zaqar:{SECRET}@127.0.0.1:70000/zaqar"), "port"),
        (format!("oracle://zaqar:{SECRET}@127.0.0.1/zaqar"), "oracle"),
        (format!("zaqar:{SECRET}@127.0.0.1/zaqar"), "URL"),
    ] {
        let line = refused(&cloud::queues_in(&url)).await;
        assert!(line.contains("management store") && line.contains(why), "{url}: {line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_there_stops_the_start_by_its_address() {
    let port = free_address().port();
    for scheme in ["mysql+pymysql", "postgresql+psycopg2"] {
        let line =
            refused(&cloud::queues_in(&format!("{scheme}://zaqar:{SECRET}@127.0.0.1:{port}/zaqar"))).await;
        assert!(line.contains(&format!("127.0.0.1:{port}")), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_starts_before_its_redis_and_serves_once_it_is_there() {
    let mut redis = RedisServer::with(Setup::default().durable("always"));
    let (uri, state) = (redis.uri(), tempfile::tempdir().unwrap());
    redis.kill();
    let server = Process::start_without_stores(state.path(), &cloud::messages_in(&uri)).await;
    assert!(server.log().contains("Redis fails"), "{}", server.log());
    let client = server.client("p");
    let message = json!({ "messages": [{ "ttl": 300, "body": 1 }] });
    for _ in 0..3 {
        let start = Instant::now();
        client.post("/v2/queues/q/messages", &message).await.expect(503);
        assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    }
    // Queues need no Redis to be listed.
    client.get("/v2/queues").await.expect(200);
    redis.restart();
    until("it serves", async || client.post("/v2/queues/q/messages", &message).await.status == 201).await;
    // Of what was answered 503 nothing was kept, for nobody was there to keep it.
    let listed = client.get("/v2/queues/q/messages?echo=true").await.expect(200);
    assert_eq!(listed.ids().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gc_sweeps_redis_beside_a_server() {
    let redis = RedisServer::start();
    let stores = cloud::messages_in(&cloud::patient(&redis.uri()));
    // The server's time stands still long ago, so that its own sweep finds nothing.
    let app = TestApp::start_at(Timestamp::from_micros(1_500_000_000_000_000), &stores).await;
    let client = app.client("p");
    for queue in ["q", "r"] {
        client.post_bodies(queue, &[json!(1), json!(2), json!(3)]).await;
        let claims = format!("/v2/queues/{queue}/claims?limit=1");
        client.post(&claims, &json!({ "ttl": 60, "grace": 60 })).await.expect(201);
    }
    let swept = run("gc", &stores).await;
    let said = String::from_utf8([swept.stdout, swept.stderr].concat()).unwrap();
    assert!(swept.status.success() && said.contains("freed 6 expired messages"), "{said}");
    assert!(client.get("/v2/queues/q/messages?echo=true").await.expect(200).ids().is_empty());
    client.post_bodies("q", &[json!(4)]).await;
    let listed = client.get("/v2/queues/q/messages?echo=true").await.expect(200).json();
    assert_eq!(listed["messages"][0]["body"], 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gc_says_that_its_redis_is_gone() {
    let uri = format!("redis://:{SECRET}@{}", free_address());
    let output = run("gc", &cloud::messages_in(&uri)).await;
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the sweep was cut short") && !said.contains(SECRET), "{said}");
}
