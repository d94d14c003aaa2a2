//! Policy files: where they are found, what is wrong with them, and what happens when they change.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Folder, under};
use crate::support::process::{BINARY, free_address};
use crate::support::{Client, Process};

/// Long enough for any machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

const CLOSED: &str = "\"queues:get_all\": '!'\n";

/// Asks until the answer has that status.
async fn until(client: &Client, status: u16) {
    let start = Instant::now();
    while client.get("/v2/queues").await.status != status {
        assert!(start.elapsed() < PATIENCE, "the rules did not change");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the log holds that.
async fn until_logged(server: &Process, text: &str) {
    let start = Instant::now();
    while !server.log().contains(text) {
        assert!(start.elapsed() < PATIENCE, "no {text:?} in: {}", server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_file_that_changes_is_read_again() {
    let (folder, app) = under("").await;
    let client = app.client("p");
    client.get("/v2/queues").await.expect(200);
    for _ in 0..2 {
        folder.write(CLOSED);
        until(&client, 403).await;
        folder.write("");
        until(&client, 200).await;
    }
    std::fs::write(folder.file(), CLOSED).unwrap();
    until(&client, 403).await;
    std::fs::remove_file(folder.file()).unwrap();
    until(&client, 200).await;
}

#[tokio::test]
async fn files_of_directories_count_over_the_file_and_are_watched_too() {
    let home = tempfile::tempdir().unwrap();
    let rules = home.path().join("policy.d");
    std::fs::create_dir_all(rules.join("folder")).unwrap();
    std::fs::write(home.path().join("policy.yaml"), CLOSED).unwrap();
    std::fs::write(rules.join("2.yaml"), "\"queues:get_all\": \"role:x\"\n").unwrap();
    std::fs::write(rules.join("1.yaml"), CLOSED).unwrap();
    std::fs::write(rules.join(".hidden"), "no policy\n").unwrap();
    let server = Process::start(home.path(), "").await;
    let client = server.client("p");
    client.get("/v2/queues").await.expect(403);
    let one_of_x = client.request(reqwest::Method::GET, "/v2/queues").header("x-roles", "X");
    crate::support::client::send(one_of_x).await.expect(200);
    std::fs::write(rules.join("3.yaml"), "\"queues:get_all\": \"@\"\n").unwrap();
    until(&client, 200).await;
}

#[tokio::test]
async fn a_hangup_reads_the_files_and_a_broken_one_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("policy.yaml");
    std::fs::write(&file, "").unwrap();
    let server = Process::start(home.path(), "").await;
    let client = server.client("p");
    client.get("/v2/queues").await.expect(200);
    std::fs::write(&file, format!("{CLOSED}\"queues:get\": 'role:x\n")).unwrap();
    server.signal(Signal::HUP);
    until_logged(&server, "the old rules stay").await;
    assert!(server.log().contains(&format!("{}:3: ", file.display())), "{}", server.log());
    client.get("/v2/queues").await.expect(200);
    std::fs::write(&file, CLOSED).unwrap();
    server.signal(Signal::HUP);
    until(&client, 403).await;
    until_logged(&server, "zaqar.audit").await;
    let log = server.log();
    let audited = log.lines().find(|line| line.contains("zaqar.audit")).unwrap();
    assert!(
        audited.contains("policy.reload") && audited.contains(r#"\"queues:get_all\": \"!\""#),
        "{audited}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_dropped_while_rules_change() {
    let home = tempfile::tempdir().unwrap();
    let rules = |check: &str| format!("\"queues:get_all\": {check:?}\n\"ping:get\": \"@\"\n");
    let folder = Folder(home);
    folder.write(&rules("@"));
    let server = Process::start(folder.0.path(), "").await;
    let (answered, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (client, answered, stop) = (server.client("p"), answered.clone(), stop.clone());
        callers.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                client.get("/v2/ping").await.expect(204);
                let status = client.get("/v2/queues").await.status.as_u16();
                assert!([200, 403].contains(&status), "{status}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let client = server.client("p");
    for _ in 0..20 {
        for (check, status) in [("!", 403), ("@", 200)] {
            folder.write(&rules(check));
            server.signal(Signal::HUP);
            until(&client, status).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    assert!(answered.load(Ordering::Relaxed) > 40);
}

/// A run of `zaqar server` in a folder with these files; it must end by itself.
fn refused(files: &[(&str, &str)], options: &str) -> (tempfile::TempDir, String) {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(home.path().join(name), text).unwrap();
    }
    let output = start(home.path(), options);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    (home, said)
}

fn start(home: &Path, options: &str) -> Output {
    let (file, port) = (home.join("zaqar.conf"), free_address().port());
    let text = format!(
        "[DEFAULT]\nstate_path = {}\n[drivers:transport:wsgi]\nport = {port}\n\
         [drivers:transport:websocket]\nport = 0\n[oslo_policy]\n{options}",
        home.display()
    );
    std::fs::write(&file, text).unwrap();
    Command::new("timeout").args(["60", BINARY, "server", "--config-file"]).arg(&file).output().unwrap()
}

#[test]
fn a_broken_file_stops_the_start_with_file_and_line() {
    for (text, line, words) in [
        ("a: '@'\n\"queues:get\": 'role:x\n", 3, "quoted scalar"),
        ("\n- \"queues:get\"\n", 2, "rules, each a name and a check"),
        ("a: '@'\n\"queues:get\":\n", 2, "a rule without a check"),
        ("\n\n\"queues:get\": \"role:x or http://127.0.0.1/x\"\n", 3, "asks another server"),
        ("a: rule:b\nb: not rule:a\n", 1, "a -> b -> a"),
    ] {
        let (home, said) = refused(&[("policy.yaml", text)], "");
        let place = format!("zaqar: {}:{line}: ", home.path().join("policy.yaml").display());
        assert!(said.contains(&place) && said.contains(words), "{text:?}: {said}");
    }
    let (home, said) = refused(&[("rules.yaml", "x")], "policy_file = rules.yaml\n");
    assert!(said.contains(&format!("{}:1: ", home.path().join("rules.yaml").display())), "{said}");
    let (_home, said) = refused(&[("policy.d", "")], "");
    assert!(said.contains("policy.d: cannot be read: "), "{said}");
}

#[tokio::test]
async fn a_file_of_older_releases_is_read_and_mistakes_are_named_once() {
    let home = tempfile::tempdir().unwrap();
    let rules = "{\n  \"queues:get_all\": \"role:x and\",\n  \"queues:gte\": \"\"\n}\n";
    std::fs::write(home.path().join("policy.json"), rules).unwrap();
    let server = Process::start(home.path(), "").await;
    // What cannot be understood permits nobody.
    server.client("p").get("/v2/queues").await.expect(403);
    let log = server.log();
    for words in [
        "policy.json: is JSON, which is deprecated",
        "policy.json:2: queues:get_all: ",
        "policy.json:3: queues:gte: unknown rule",
    ] {
        assert_eq!(log.lines().filter(|line| line.contains(words)).count(), 1, "{words}: {log}");
    }
}

#[tokio::test]
async fn a_file_that_was_named_and_is_missing_is_said_and_an_unnamed_one_is_not() {
    let home = tempfile::tempdir().unwrap();
    let server = Process::start(home.path(), "").await;
    server.client("p").get("/v2/queues").await.expect(200);
    assert!(!server.log().contains("policy"), "{}", server.log());
    drop(server);
    let server = Process::start(home.path(), "[oslo_policy]\npolicy_file = mine.yaml\n").await;
    assert!(server.log().contains("mine.yaml: no such policy file"), "{}", server.log());
}
