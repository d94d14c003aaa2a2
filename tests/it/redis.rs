//! Redis as it fails: servers that start late, hang, die and come back.

use crate::support::redis::{RedisServer, Setup};

#[test]
fn a_server_keeps_its_data_over_a_kill() {
    let mut server = RedisServer::with(Setup::default().durable("always").password("a \"b\\"));
    server.command(&["SET", "key", "value"]);
    let port = server.port;
    server.kill();
    assert!(server.try_command(&["PING"]).is_err());
    server.restart();
    assert_eq!(server.port, port);
    assert_eq!(server.command(&["GET", "key"]), redis::Value::BulkString(b"value".to_vec()));
    assert_eq!(server.info("role").as_deref(), Some("master"));
}
