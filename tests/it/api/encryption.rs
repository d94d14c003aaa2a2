//! Encrypted queues over REST.

use serde_json::json;

use crate::support::{Store, TestApp};

const KEY: &str = "[transport]\nmessage_encryption_key = correct horse\n";

#[tokio::test]
async fn every_reader_gets_clear_text() {
    for store in Store::ALL {
        let app = TestApp::start(store, KEY).await;
        let client = app.client("p");
        client.post_bodies("q", &[json!("before")]).await;
        let on = json!([{ "op": "add", "path": "/metadata/_enable_encrypt_messages", "value": true }]);
        client.patch_queue("q", &on).await.expect(200);
        let ids = client.post_bodies("q", &[json!({ "secret": 1 }), json!("two")]).await;
        let one = client.get(&format!("/v2/queues/q/messages/{}", ids[0])).await.expect(200).json();
        assert_eq!(one["body"], json!({ "secret": 1 }));
        let listed = client.get("/v2/queues/q/messages?echo=true").await.json()["messages"].clone();
        assert_eq!((&listed[0]["body"], &listed[2]["body"]), (&json!("before"), &json!("two")));
        let claimed = client.post("/v2/queues/q/claims?limit=2", &json!({})).await.expect(201).json();
        assert_eq!(claimed["messages"][1]["body"], json!({ "secret": 1 }));
        let popped = client.delete("/v2/queues/q/messages?pop=1").await.expect(200).json();
        assert_eq!(popped["messages"][0]["body"], "two");
    }
}

#[tokio::test]
async fn a_service_without_a_key_refuses_encrypted_queues() {
    for keys in ["", "[transport]\nmessage_encryption_key = AES256\n"] {
        let app = TestApp::start(Store::Memory, keys).await;
        let client = app.client("p");
        client.put_json("/v2/queues/q", &json!({ "_enable_encrypt_messages": true })).await.expect(400);
        client.put_json("/v2/queues/q", &json!({ "_enable_encrypt_messages": false })).await.expect(201);
    }
}
