//! Dead letter queues over REST.

use serde_json::json;

use crate::support::{Client, Store, TestApp};

/// Claims one message of `q` and lets the claim go.
async fn claim_and_release(client: &Client) -> Vec<String> {
    let claimed = client.post("/v2/queues/q/claims?limit=1", &json!({})).await;
    if let Some(path) = claimed.header("location") {
        client.delete(path).await.expect(204);
    }
    claimed.ids()
}

#[tokio::test]
async fn what_is_claimed_too_often_moves_and_is_free_there() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        let metadata = json!({ "_dead_letter_queue": "dead", "_max_claim_count": 2, "_dead_letter_queue_messages_ttl": 500 });
        client.put_json("/v2/queues/q", &metadata).await.expect(201);
        let ids = client.post_bodies("q", &[json!("poison"), json!("good")]).await;
        for _ in 0..2 {
            assert_eq!(claim_and_release(&client).await, ids[..1]);
        }
        assert_eq!(claim_and_release(&client).await, ids[1..], "the claim still fills its page");
        client.get(&format!("/v2/queues/q/messages/{}", ids[0])).await.expect(404);
        let dead = client.get(&format!("/v2/queues/dead/messages/{}", ids[0])).await.expect(200).json();
        assert_eq!((&dead["body"], &dead["ttl"]), (&json!("poison"), &json!(500)));
        assert_eq!(client.post("/v2/queues/dead/claims", &json!({})).await.expect(201).ids(), ids[..1]);
    }
}

#[tokio::test]
async fn a_queue_cannot_be_its_own_dead_letter_queue() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        for name in [json!("q"), json!(7), json!("not a name")] {
            client.delete("/v2/queues/q").await.expect(204);
            let metadata = json!({ "_dead_letter_queue": name, "_max_claim_count": 1 });
            client.put_json("/v2/queues/q", &metadata).await.expect(201);
            let ids = client.post_bodies("q", &[json!(1)]).await;
            for _ in 0..3 {
                assert_eq!(claim_and_release(&client).await, ids);
            }
        }
        let queues = client.get("/v2/queues").await.json()["queues"].clone();
        assert_eq!(queues.as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn the_life_of_a_dead_letter_goes_on_where_no_other_is_set() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        client.put("/v2/queues/dead").await.expect(201);
        client
            .put_json("/v2/queues/q", &json!({ "_dead_letter_queue": "dead", "_max_claim_count": 1 }))
            .await
            .expect(201);
        let ids = client.post_bodies("q", &[json!(1)]).await;
        claim_and_release(&client).await;
        app.pass(100);
        client.post("/v2/queues/q/claims", &json!({})).await.expect(204);
        let dead = client.get(&format!("/v2/queues/dead/messages/{}", ids[0])).await.expect(200).json();
        assert_eq!((&dead["ttl"], &dead["age"]), (&json!(300), &json!(100)));
        app.pass(260);
        client.get(&format!("/v2/queues/dead/messages/{}", ids[0])).await.expect(404);
    }
}
