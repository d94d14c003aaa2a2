//! A queue is streamed while it moves.

use serde_json::json;

use super::live::{change_flavor, two_pools, until_arrived};
use crate::api::pools::{Admin, pooled};
use crate::support::Store;
use crate::support::events::EventStream;
use crate::support::redis::RedisServer;

/// Messages that are there before anybody listens.
const BEFORE: u32 = 500;

/// Streams the queue on its way from `a` to `b` and back, which it begins before it has arrived.
async fn stream_on_the_way(uris: [&str; 2]) {
    let app = pooled(Store::Sqlite).await;
    let admin = Admin::of(&app);
    two_pools(&admin, uris).await;
    let client = app.client("operations");
    client.put_json("/v2/queues/q", &json!({ "_flavor": "A" })).await.expect(201);
    for first in (0..BEFORE).step_by(20) {
        client.post_bodies("q", &vec![json!([first]); 20]).await;
    }
    let mut stream = EventStream::open(&client, "q").await;
    let begin = stream.last_id.clone();
    for n in 0..60 {
        match n {
            10 => change_flavor(&client, "B").await,
            30 => change_flavor(&client, "A").await,
            _ => {}
        }
        client.post_bodies("q", &[json!(n)]).await;
        assert_eq!(stream.bodies(1).await, [json!(n)], "at once, wherever it lies");
    }
    until_arrived(&admin).await;
    client.post_bodies("q", &[json!(60)]).await;
    assert_eq!(stream.bodies(1).await, [json!(60)]);
    let mut again = EventStream::resume(&client, "q", &begin).await;
    assert_eq!(again.bodies(61).await, (0..61).map(|n| json!(n)).collect::<Vec<_>>());
    drop((stream, again));
    assert!(app.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_while_its_queue_moves_between_sqlite_pools() {
    stream_on_the_way(["sqlite://a", "sqlite://b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_while_its_queue_moves_to_redis_and_back() {
    let redis = RedisServer::start();
    stream_on_the_way(["sqlite://a", &redis.uri()]).await;
}
