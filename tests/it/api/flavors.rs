//! Flavors over REST: the recorded exchanges of the Python service, on our stores.

use reqwest::Method;
use serde_json::{Value, json};

use super::pools::{Admin, pooled};
use crate::support::Store;
use crate::support::client::send;

/// What stores in RAM can do.
fn capabilities() -> Value {
    json!(["FIFO", "CLAIMS", "AOD", "HIGH_THROUGHPUT"])
}

#[tokio::test]
async fn a_flavor_is_made_read_changed_and_deleted() {
    for store in Store::ALL {
        let app = pooled(store).await;
        let admin = Admin::of(&app);
        admin.put("/v2/pools/p1", &json!({ "weight": 1, "uri": "memory://1" })).await.expect(201);
        let tagged = json!({ "weight": 1, "uri": "memory://2", "flavor": "f1" });
        admin.put("/v2/pools/p2", &tagged).await.expect(201);
        for _ in 0..2 {
            let created = admin.put("/v2/flavors/f1", &json!({ "pool_list": ["p1"] })).await.expect(201);
            assert_eq!(created.header("location"), Some("/v2/flavors/f1"));
            assert!(created.bytes.is_empty());
        }
        let f1 = json!({
            "name": "f1", "capabilities": capabilities(), "pool_list": ["p1", "p2"], "href": "/v2/flavors/f1",
        });
        assert_eq!(admin.get("/v2/flavors/f1").await.expect(200).json(), f1);
        assert_eq!(admin.get("/v2/pools/p1").await.json()["flavor"], "f1");

        let patched =
            admin.patch("/v2/flavors/f1", &json!({ "pool_list": ["p2"], "x": 1 })).await.expect(200);
        assert_eq!(patched.json()["pool_list"], json!(["p2"]));
        assert_eq!(patched.json()["capabilities"], capabilities());
        assert_eq!(admin.get("/v2/pools/p1").await.json()["flavor"], Value::Null);

        let missing = json!({ "title": "Not found", "description": "Flavor nope does not exist" });
        assert_eq!(admin.get("/v2/flavors/nope").await.expect(404).json(), missing);
        let patched = admin.patch("/v2/flavors/nope", &json!({ "pool_list": ["no"] })).await.expect(404);
        assert_eq!(patched.json(), missing);

        for _ in 0..2 {
            admin.delete("/v2/flavors/f1").await.expect(204);
        }
        assert_eq!(admin.get("/v2/pools/p2").await.json()["flavor"], Value::Null);
        assert!(app.stop().await);
    }
}

#[tokio::test]
async fn listings_page_by_name() {
    for store in Store::ALL {
        let app = pooled(store).await;
        let admin = Admin::of(&app);
        assert_eq!(admin.get("/v2/flavors").await.expect(200).json(), json!({ "links": [], "flavors": [] }));
        admin.flavor("f2", &["b"]).await;
        admin.flavor("f1", &["a"]).await;
        let page = admin.get("/v2/flavors?limit=1").await.expect(200).json();
        assert_eq!(page["flavors"], json!([{ "name": "f1", "href": "/v2/flavors/f1", "pool_list": ["a"] }]));
        assert_eq!(page["links"], json!([{ "rel": "next", "href": "/v2/flavors?limit=1&marker=f1" }]));
        let page = admin.get("/v2/flavors?detailed=true&marker=f1").await.expect(200).json();
        assert_eq!(page["flavors"][0]["capabilities"], capabilities());
        assert_eq!(page["links"][0]["href"], "/v2/flavors?marker=f2&detailed=true");
        for limit in [0, 21] {
            admin.get(&format!("/v2/flavors?limit={limit}")).await.expect(400);
        }
    }
}

#[tokio::test]
async fn wrong_flavors_are_refused() {
    let app = pooled(Store::Memory).await;
    let admin = Admin::of(&app);
    admin.pool("p1", 1).await;
    for body in ["", "{"] {
        let request = admin.0.request(Method::PUT, "/v2/flavors/bad").header("x-roles", "admin");
        let answer = send(request.body(body)).await.expect(400).json();
        let expected = json!({ "title": "Invalid request body", "description": "JSON could not be parsed." });
        assert_eq!(answer, expected);
    }
    for body in [
        json!({}),
        json!([]),
        json!({ "capabilities": {} }),
        json!({ "pool_list": "p1" }),
        json!({ "pool_list": 1 }),
        json!({ "pool_list": ["p1"], "pool_group": "x" }),
    ] {
        let answer = admin.put("/v2/flavors/bad", &body).await.expect(400).json();
        assert_eq!(answer["title"], "Invalid request body", "{body}");
    }
    let missing =
        admin.put("/v2/flavors/bad", &json!({ "pool_list": ["p1", "nope"] })).await.expect(400).json();
    let words = "Flavor bad could not be created, error:Pool nope does not exist";
    assert_eq!(missing, json!({ "title": "Unable to create", "description": words }));
    let empty = admin.put("/v2/flavors/bad", &json!({ "pool_list": [] })).await.expect(400).json();
    assert_eq!(empty, json!({ "title": "Unable to create", "description": "Bad Request" }));
    admin.get("/v2/flavors/bad").await.expect(404);
    assert_eq!(admin.get("/v2/pools/p1").await.json()["flavor"], Value::Null);

    admin.put("/v2/flavors/f", &json!({ "pool_list": ["p1"] })).await.expect(201);
    let empty = admin.patch("/v2/flavors/f", &json!({})).await.expect(400).json();
    let words = "`pool_list` needs to be specified";
    assert_eq!(empty, json!({ "title": "Invalid request body", "description": words }));
    for body in [json!({ "pool_list": [] }), json!({ "pool_list": "p1" })] {
        admin.patch("/v2/flavors/f", &body).await.expect(400);
    }
    let missing = admin.patch("/v2/flavors/f", &json!({ "pool_list": ["nope"] })).await.expect(400).json();
    assert_eq!(missing["title"], "updatefail");
    assert_eq!(admin.get("/v2/flavors/f").await.json()["pool_list"], json!(["p1"]));
}

#[tokio::test]
async fn the_stores_of_a_flavor_can_do_the_same() {
    let app = pooled(Store::Memory).await;
    let admin = Admin::of(&app);
    admin.pool("m", 1).await;
    admin.put("/v2/pools/s", &json!({ "weight": 1, "uri": "sqlite://s" })).await.expect(201);
    let refused = admin.put("/v2/flavors/f", &json!({ "pool_list": ["m", "s"] })).await.expect(400).json();
    assert_eq!(refused["title"], "Unable to create");
    admin.put("/v2/flavors/f", &json!({ "pool_list": ["s"] })).await.expect(201);
    let all = json!(["FIFO", "CLAIMS", "DURABILITY", "AOD", "HIGH_THROUGHPUT"]);
    assert_eq!(admin.get("/v2/flavors/f").await.json()["capabilities"], all);
    let refused = admin.patch("/v2/flavors/f", &json!({ "pool_list": ["m", "s"] })).await.expect(400).json();
    assert_eq!(refused["title"], "updatefail");
}

#[tokio::test]
async fn a_flavor_belongs_to_its_project() {
    for store in Store::ALL {
        let app = pooled(store).await;
        let admin = Admin::of(&app);
        admin.flavor("f", &["p"]).await;
        let other = Admin(app.client("other"));
        other.get("/v2/flavors/f").await.expect(404);
        assert_eq!(other.get("/v2/flavors").await.json()["flavors"], json!([]));
        other.patch("/v2/flavors/f", &json!({ "pool_list": ["p"] })).await.expect(404);
        other.put("/v2/flavors/f", &json!({ "pool_list": ["p"] })).await.expect(409);
        other.delete("/v2/flavors/f").await.expect(204);
        assert_eq!(admin.get("/v2/flavors/f").await.expect(200).json()["pool_list"], json!(["p"]));
    }
}
