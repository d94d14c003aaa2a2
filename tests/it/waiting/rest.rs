//! One node, whose time the test moves.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinHandle;

use super::{PATIENCE, answer, asks};
use crate::support::client::{Answer, OTHER_ID};
use crate::support::{Client, Store, TestApp};

const CLAIMS: &str = "/v2/queues/q/claims";
const MESSAGES: &str = "/v2/queues/q/messages";

/// The three that wait, each with its other parameters.
fn waits(seconds: u64) -> [(Method, String); 3] {
    [
        (Method::POST, format!("{CLAIMS}?limit=1&wait={seconds}")),
        (Method::GET, format!("{MESSAGES}?echo=true&wait={seconds}")),
        (Method::DELETE, format!("{MESSAGES}?pop=1&wait={seconds}")),
    ]
}

/// Posts messages that outlive every test.
async fn post_for_long(client: &Client, count: usize) -> Vec<String> {
    let messages = vec![json!({ "ttl": 1_209_600, "body": 1 }); count];
    client.post(MESSAGES, &json!({ "messages": messages })).await.expect(201).ids()
}

/// Lets time pass until nobody waits any more, whenever they began to.
async fn ended(app: &TestApp, waiting: &[JoinHandle<Answer>]) {
    let start = Instant::now();
    while !waiting.iter().all(JoinHandle::is_finished) {
        assert!(start.elapsed() < PATIENCE, "somebody waits on");
        app.pass(60);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_comes_is_answered_at_once() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        for (method, path) in waits(60) {
            let waiting = asks(&client, method, &path);
            let ids = client.post_bodies("q", &[json!(1)]).await;
            let answer = answer(waiting).await;
            assert!(answer.status.is_success(), "{path}: {answer:?}");
            assert_eq!(answer.ids(), ids, "{path}");
            client.delete("/v2/queues/q").await.expect(204);
        }
    }
}

#[tokio::test]
async fn what_is_there_is_not_waited_for() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        for (method, path) in waits(60) {
            let ids = client.post_bodies("q", &[json!(1)]).await;
            assert_eq!(answer(asks(&client, method, &path)).await.ids(), ids, "{path}");
            client.delete("/v2/queues/q").await.expect(204);
        }
    }
}

#[tokio::test]
async fn who_waited_in_vain_is_answered_as_if_it_had_not() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        for exists in [false, true] {
            if exists {
                client.put("/v2/queues/q").await.expect(201);
            }
            for ((method, path), (_, at_once)) in waits(3).into_iter().zip(waits(0)) {
                let waiting = [asks(&client, method.clone(), &path)];
                ended(&app, &waiting).await;
                let [waiting] = waiting;
                let (waited, at_once) =
                    (answer(waiting).await, answer(asks(&client, method, &at_once)).await);
                let shown = |answer: &Answer| {
                    let headers = ["content-type", "content-length", "location"];
                    let headers = headers.map(|name| answer.header(name).map(str::to_owned));
                    (answer.status, headers, answer.bytes.clone())
                };
                assert_eq!(shown(&waited), shown(&at_once), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn of_ten_who_wait_three_get_a_message_each() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        client.put("/v2/queues/q").await.expect(201);
        let waiting: Vec<_> =
            (0..10).map(|_| asks(&client, Method::DELETE, &format!("{MESSAGES}?pop=1&wait=60"))).collect();
        let mut ids = post_for_long(&client, 3).await;
        let start = Instant::now();
        while waiting.iter().filter(|waiting| waiting.is_finished()).count() < 3 {
            assert!(start.elapsed() < PATIENCE, "three are answered");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ended(&app, &waiting).await;
        let mut taken = Vec::new();
        for waiting in waiting {
            taken.push(answer(waiting).await.expect(200).ids());
        }
        assert_eq!(taken.iter().filter(|ids| ids.is_empty()).count(), 7);
        let mut taken = taken.concat();
        taken.sort_unstable();
        ids.sort_unstable();
        assert_eq!(taken, ids);
    }
}

#[tokio::test]
async fn a_delay_that_ends_and_a_claim_that_ends_are_waited_for() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        let ids = post_for_long(&client, 1).await;
        client.post(CLAIMS, &json!({ "ttl": 60, "grace": 60 })).await.expect(201);
        app.pass(5);
        let waiting = asks(&client, Method::DELETE, &format!("{MESSAGES}?pop=1&wait=60"));
        while !waiting.is_finished() {
            app.pass(10);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(answer(waiting).await.ids(), ids, "the claim ends with the wait at the latest");
        let delays = json!([{ "op": "add", "path": "/metadata/_default_message_delay", "value": 30 }]);
        client.patch_queue("q", &delays).await.expect(200);
        let ids = post_for_long(&client, 1).await;
        let waiting = asks(&client, Method::DELETE, &format!("{MESSAGES}?pop=1&wait=60"));
        while !waiting.is_finished() {
            app.pass(10);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(answer(waiting).await.ids(), ids, "the delay ends within the wait");
    }
}

#[tokio::test]
async fn a_listing_waits_behind_its_marker_and_for_others() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        client.post_bodies("q", &[json!(1)]).await;
        let page = client.get(&format!("{MESSAGES}?echo=true")).await.expect(200).json();
        let next = page["links"][0]["href"].as_str().unwrap().to_owned();
        let waiting = asks(&client, Method::GET, &format!("{next}&wait=60"));
        // Its own messages it does not want to see.
        let others = asks(&client, Method::GET, &format!("{MESSAGES}?wait=60"));
        let ids = client.post_bodies("q", &[json!(2)]).await;
        assert_eq!(answer(waiting).await.ids(), ids);
        let theirs = client.with_id(OTHER_ID).post_bodies("q", &[json!(3)]).await;
        assert_eq!(answer(others).await.ids(), theirs);
    }
}

#[tokio::test]
async fn a_queue_may_come_and_go_while_somebody_waits() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        for (method, path) in waits(60) {
            let waiting = asks(&client, method, &path);
            for _ in 0..3 {
                client.put("/v2/queues/q").await.expect(201);
                client.delete("/v2/queues/q").await.expect(204);
                app.clock.advance(Duration::from_micros(1));
            }
            let ids = client.post_bodies("q", &[json!(1)]).await;
            assert_eq!(answer(waiting).await.ids(), ids, "{path}");
            client.delete("/v2/queues/q").await.expect(204);
            app.clock.advance(Duration::from_micros(1));
        }
    }
}

#[tokio::test]
async fn who_goes_away_takes_nothing_along() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        client.put("/v2/queues/q").await.expect(201);
        let (address, body) = (app.address, r#"{"ttl": 300, "grace": 60}"#);
        let gone = tokio::task::spawn_blocking(move || {
            let mut socket = TcpStream::connect(address).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            write!(
                socket,
                "POST {CLAIMS}?wait=60 HTTP/1.1\r\nHost: h\r\nClient-ID: {OTHER_ID}\r\nX-Project-ID: p\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            // The server has seen that we are gone once it closes the connection too.
            let mut rest = Vec::new();
            socket.read_to_end(&mut rest).unwrap();
            rest
        });
        assert_eq!(gone.await.unwrap(), b"");
        let ids = client.post_bodies("q", &[json!(1)]).await;
        assert_eq!(client.post(CLAIMS, &json!({})).await.expect(201).ids(), ids);
    }
}

#[tokio::test]
async fn only_whole_seconds_up_to_a_minute_are_legal() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    for bad in ["-1", "61", "x", "1.5", "99999999999999999999"] {
        for path in [format!("{MESSAGES}?wait={bad}"), format!("{MESSAGES}?pop=1&wait={bad}")] {
            let method = if path.contains("pop") { Method::DELETE } else { Method::GET };
            let refused = answer(asks(&client, method, &path)).await.expect(400).json();
            assert!(refused["description"].as_str().unwrap().to_lowercase().contains("wait"), "{refused}");
        }
        client.post(&format!("{CLAIMS}?wait={bad}"), &json!({})).await.expect(400);
    }
    // There it means what any other key means.
    client.put("/v2/queues/q").await.expect(201);
    let listed = client.get("/v2/queues?wait=5").await.expect(200).json();
    assert_eq!(listed["queues"], json!([]));
    let ids = client.post_bodies("q", &[json!(1)]).await;
    client.get(&format!("{MESSAGES}?ids={}&wait=x", ids[0])).await.expect(200);
}
