//! Servers that are gone, come back, hang or cut connections: no call hangs, none is lost or made twice, and
//! nobody has to start anything anew.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use zaqar::storage::sql::SqlManagement;
use zaqar::storage::{Error, Management as _};

use super::common::{Fresh, all, create, found, names};
use crate::contract::fixture::upgraded;
use crate::support::mariadb::MariaDb;
use crate::support::postgres::Postgres;

every_server!(a_cut_connection_is_replaced_unnoticed);

/// Longer than any call may take, on a machine that builds beside it.
const LONG: Duration = Duration::from_secs(9);

/// How long a store may take to find its server again.
const PATIENCE: Duration = Duration::from_secs(30);

/// A call fails as it should, and soon.
async fn refused(store: &SqlManagement) {
    let start = Instant::now();
    let error = create(store, "new", 1, json!({})).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_) | Error::Timeout(_)), "{error:?}");
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
}

/// The store serves again by itself.
async fn recovered(store: &SqlManagement) {
    let start = Instant::now();
    while store.ping().await.is_err() {
        assert!(start.elapsed() < PATIENCE, "it does not serve again");
    }
    assert_eq!(names(store, "p", &all()).await, ["kept"]);
    assert!(create(store, "new", 1, json!({})).await.unwrap().1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_goes_down_and_comes_back() {
    let mut server = MariaDb::start().await;
    let store = upgraded(&server.database().await).await;
    create(&store, "kept", 1, json!({"a": 1})).await.unwrap();
    server.kill();
    refused(&store).await;
    server.restart().await;
    recovered(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_goes_down_and_comes_back() {
    let mut server = Postgres::start().await;
    let store = upgraded(&server.database().await).await;
    create(&store, "kept", 1, json!({"a": 1})).await.unwrap();
    server.kill();
    refused(&store).await;
    server.restart().await;
    recovered(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_server_holds_no_call() {
    let server = MariaDb::start().await;
    let store = std::sync::Arc::new(upgraded(&server.database().await).await);
    create(&store, "kept", 1, json!({"a": 1})).await.unwrap();
    let pid = Pid::from_raw(server.pid()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    // More than there are connections.
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let store = store.clone();
        calls.spawn(async move { refused(&store).await });
    }
    calls.join_all().await;
    kill_process(pid, Signal::CONT).unwrap();
    let start = Instant::now();
    while store.ping().await.is_err() {
        assert!(start.elapsed() < PATIENCE, "it does not serve again");
    }
    assert_eq!(found(&store, "kept").await.metadata["a"], json!(1));
    // What was asked for while it hung was done wholly or not at all.
    create(&store, "new", 1, json!({})).await.unwrap();
    assert_eq!(names(&store, "p", &all()).await, ["kept", "new"]);
}

async fn a_cut_connection_is_replaced_unnoticed(fresh: &Fresh) {
    let store = fresh.open().await;
    create(&store, "kept", 1, json!({})).await.unwrap();
    let mut admin = fresh.other().await;
    for round in 0..3 {
        cut(&mut admin).await;
        assert_eq!(names(&store, "p", &all()).await, ["kept"]);
        cut(&mut admin).await;
        let seen = found(&store, "kept").await;
        cut(&mut admin).await;
        let replaced = store.replace_metadata(&seen, &super::common::object(json!({"n": round})), None).await;
        assert!(replaced.unwrap().is_some());
    }
}

/// Ends every other connection to the same database.
async fn cut(admin: &mut super::common::Other) {
    let others = match admin {
        super::common::Other::Postgres(_) => {
            "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()"
        }
        _ => {
            "SELECT CONCAT('KILL ', id) FROM information_schema.processlist
             WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        }
    };
    for line in admin.column(others).await {
        if line.starts_with("KILL") {
            // It may have ended by itself.
            let _ = admin.try_run(&line).await;
        }
    }
}
