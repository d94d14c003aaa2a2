//! Which front doors a process serves, and where.

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::support::Process;
use crate::support::process::{BINARY, free_address};
use crate::support::websocket::{HANDSHAKE, WebSocketClient, handshake};

/// Runs a server that will not start to its end.
async fn refused(ini: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("zaqar.conf");
    let port = free_address().port();
    let text = format!(
        "[DEFAULT]\nstate_path = {}\n[drivers:transport:wsgi]\nport = {port}\n{ini}",
        home.path().display()
    );
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new("timeout");
    command.args(["60", BINARY, "server", "--config-file"]).arg(file).stdin(Stdio::null());
    let output: Output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn unless_one_is_named_a_process_serves_both() {
    let home = tempfile::tempdir().unwrap();
    let server = Process::start(home.path(), "").await;
    let mut client = WebSocketClient::connect(server.websocket, "p").await;
    assert_eq!(client.call("queue_create", &json!({ "queue_name": "q" })).await.0, 201);
    server.client("p").get("/v2/queues/q").await.expect(200);
    let log = server.log();
    assert!(
        log.contains(&server.websocket.to_string()) && log.contains(&server.address.to_string()),
        "{log}"
    );
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn a_named_one_is_served_alone() {
    let home = tempfile::tempdir().unwrap();
    let rest = Process::start(home.path(), "[drivers]\ntransport = wsgi\n").await;
    assert!(std::net::TcpStream::connect(rest.websocket).is_err());
    assert_eq!(handshake(rest.address, "GET /v2/ws", &HANDSHAKE).await.status, 404);
    drop(rest);

    let home = tempfile::tempdir().unwrap();
    let (file, rest, address) = (home.path().join("zaqar.conf"), free_address(), free_address());
    let text = format!(
        "[DEFAULT]\nstate_path = {}\n[drivers]\ntransport = websocket\n[drivers:transport:wsgi]\nport = {}\n\
         [drivers:transport:websocket]\nport = {}\n",
        home.path().display(),
        rest.port(),
        address.port()
    );
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(BINARY);
    command.args(["server", "--config-file"]).arg(&file);
    let alone = Process::spawn(&mut command, home.path().join("stderr"), address).await.expect("a server");
    let mut client = WebSocketClient::connect(address, "p").await;
    assert_eq!(client.call("queue_list", &json!({})).await.0, 200);
    assert!(std::net::TcpStream::connect(rest).is_err());
    assert_eq!(alone.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let said = refused(&format!("[drivers:transport:websocket]\nport = {port}\n")).await;
    assert!(said.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{said}");
    assert!(said.contains("[drivers:transport:websocket]"), "{said}");
}

#[tokio::test]
async fn an_open_door_to_the_network_must_be_asked_for() {
    for bind in ["0.0.0.0", "::", "192.0.2.1"] {
        let said = refused(&format!("[drivers:transport:websocket]\nport = 0\nbind = {bind}\n")).await;
        assert!(said.contains("authentication is off") && said.contains(bind), "{said}");
    }
}
