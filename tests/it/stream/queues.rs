//! What becomes of a queue that is followed.

use serde_json::json;

use crate::support::events::EventStream;
use crate::support::{Store, TestApp};

#[tokio::test]
async fn a_stream_outlives_its_queue_and_meets_the_next_one() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        let mut stream = EventStream::open(&client, "q").await;
        for n in 0..4 {
            client.post_bodies("q", &[json!(n), json!([n])]).await;
            assert_eq!(stream.bodies(2).await, [json!(n), json!([n])]);
            client.delete("/v2/queues/q").await.expect(204);
            app.pass(1);
            if n == 2 {
                stream = EventStream::resume(&client, "q", &stream.last_id).await;
            }
        }
    }
}

#[tokio::test]
async fn claimed_messages_come_and_other_queues_and_projects_do_not() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        let begin = EventStream::open(&client, "q").await.last_id;
        client.post_bodies("q", &[json!(1), json!(2)]).await;
        client.post("/v2/queues/q/claims?limit=1", &json!({ "ttl": 300, "grace": 300 })).await.expect(201);
        let mut stream = EventStream::resume(&client, "q", &begin).await;
        app.client("other").post_bodies("q", &[json!("not mine")]).await;
        client.post_bodies("r", &[json!("not here")]).await;
        client.post_bodies("q", &[json!(3)]).await;
        let claimed = stream.next().await.unwrap();
        assert!(claimed["href"].as_str().unwrap().contains("?claim_id="), "{claimed}");
        assert_eq!(stream.bodies(2).await, [json!(2), json!(3)]);
    }
}

#[tokio::test]
async fn encrypted_messages_come_in_clear() {
    let app = TestApp::start(Store::Sqlite, "[transport]\nmessage_encryption_key = own\n").await;
    let client = app.client("p");
    client.put_json("/v2/queues/q", &json!({ "_enable_encrypt_messages": true })).await.expect(201);
    let mut stream = EventStream::open(&client, "q").await;
    client.post_bodies("q", &[json!({ "clear": 1 })]).await;
    assert_eq!(stream.bodies(1).await, [json!({ "clear": 1 })]);
}
