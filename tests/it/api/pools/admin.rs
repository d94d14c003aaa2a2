//! The resource itself: the recorded exchanges of the Python service, on our stores.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Admin, pooled};
use crate::support::client::send;
use crate::support::{Store, TestApp};

#[tokio::test]
async fn pools_are_mounted_where_there_are_pools_and_administrators() {
    for (ini, status) in [
        ("", 404),
        ("[DEFAULT]\nadmin_mode = true\n", 404),
        ("[DEFAULT]\npooling = true\n", 404),
        ("[DEFAULT]\nadmin_mode = true\nsharding = true\n", 200),
    ] {
        let app = TestApp::start(Store::Memory, ini).await;
        let admin = Admin::of(&app);
        let answer = admin.get("/v2/pools").await.expect(status);
        admin.get("/v2/flavors").await.expect(status);
        let home = admin.get("/v2/").await.expect(200).json();
        let listed = home["resources"].get("rel/pools").is_some();
        assert_eq!(listed, status == 200, "{ini}");
        if status == 404 {
            assert_eq!(answer.json(), json!({ "title": "404 Not Found" }));
        } else {
            let pool = &home["resources"]["rel/pool"];
            assert_eq!(pool["href-template"], "/v2/pools/{pool_name}");
            assert_eq!(pool["hints"]["allow"], json!(["GET", "PUT", "PATCH", "DELETE"]));
            assert_eq!(answer.json(), json!({ "links": [], "pools": [] }));
            assert_eq!(answer.header("content-location"), Some("/v2/pools"));
        }
    }
}

#[tokio::test]
async fn only_administrators_reach_them() {
    let app = pooled(Store::Memory).await;
    Admin::of(&app).pool("p1", 1).await;
    let client = app.client("p");
    for (method, path) in [
        (Method::GET, "/v2/pools"),
        (Method::GET, "/v2/pools/p1"),
        (Method::PUT, "/v2/pools/p1"),
        (Method::PATCH, "/v2/pools/p1"),
        (Method::DELETE, "/v2/pools/p1"),
        (Method::PUT, "/v2/flavors/f1"),
        (Method::PATCH, "/v2/flavors/f1"),
        (Method::DELETE, "/v2/flavors/f1"),
    ] {
        let answer = send(client.request(method, path).header("x-roles", "reader").body("{")).await;
        let expected = json!({
            "title": "Not authorized",
            "description": "You are not authorized to complete this action.",
        });
        assert_eq!(answer.expect(403).json(), expected, "{path}");
    }
    client.get("/v2/flavors").await.expect(200);
    client.get("/v2/flavors/f1").await.expect(404);
    send(client.request(Method::HEAD, "/v2/pools")).await.expect(405);
}

#[tokio::test]
async fn a_pool_is_registered_read_changed_and_deleted() {
    for store in Store::ALL {
        let app = pooled(store).await;
        let admin = Admin::of(&app);
        let created =
            admin.put("/v2/pools/p1", &json!({ "weight": 100, "uri": "memory://a" })).await.expect(201);
        assert_eq!(created.header("location"), Some("/v2/pools/p1"));
        assert!(created.bytes.is_empty());
        admin.put("/v2/pools/p1", &json!({ "weight": 50, "uri": "memory://a" })).await.expect(201);
        let second = json!({ "weight": 10, "uri": "memory://b?dbid=1", "options": { "max_retry_sleep": 1 }, "flavor": "f1" });
        admin.put("/v2/pools/p2", &second).await.expect(201);
        let taken =
            admin.put("/v2/pools/p3", &json!({ "weight": 10, "uri": "memory://a" })).await.expect(409).json();
        assert_eq!(taken["title"], "Resource conflict");
        assert_eq!(taken["description"], "The database URI is in use by another pool.");

        let p1 = json!({ "name": "p1", "uri": "memory://a", "weight": 50, "flavor": null, "href": "/v2/pools/p1" });
        assert_eq!(admin.get("/v2/pools/p1").await.expect(200).json(), p1);
        let p2 = json!({
            "name": "p2", "uri": "memory://b?dbid=1", "weight": 10, "flavor": "f1",
            "options": { "max_retry_sleep": 1 }, "href": "/v2/pools/p2",
        });
        assert_eq!(admin.get("/v2/pools/p2?detailed=true").await.expect(200).json(), p2);
        let missing = json!({ "title": "Not found", "description": "Pool nope does not exist" });
        assert_eq!(admin.get("/v2/pools/nope").await.expect(404).json(), missing);

        let patched = admin.patch("/v2/pools/p1", &json!({ "weight": 7, "x": 1 })).await.expect(200).json();
        assert_eq!(patched["weight"], 7);
        assert!(patched.get("options").is_none());
        assert_eq!(patched["href"], "/v2/pools/p1");
        let detached = admin.patch("/v2/pools/p2", &json!({ "flavor": "" })).await.expect(200).json();
        assert_eq!(detached["flavor"], Value::Null);
        assert_eq!(admin.patch("/v2/pools/nope", &json!({ "weight": 7 })).await.expect(404).json(), missing);

        for pool in ["p1", "p2", "p3", "p1"] {
            admin.delete(&format!("/v2/pools/{pool}")).await.expect(204);
        }
        admin.get("/v2/pools/p1").await.expect(404);
        assert!(app.stop().await);
    }
}

#[tokio::test]
async fn names_are_any_text_and_stay_one_segment() {
    let app = pooled(Store::Sqlite).await;
    let admin = Admin::of(&app);
    let created =
        admin.put("/v2/pools/a%20b%2Fc", &json!({ "weight": 1, "uri": "memory://q" })).await.expect(201);
    assert_eq!(created.header("location"), Some("/v2/pools/a%20b%2Fc"));
    let pool = admin.get("/v2/pools/a%20b%2Fc").await.expect(200).json();
    assert_eq!((&pool["name"], &pool["href"]), (&json!("a b/c"), &json!("/v2/pools/a%20b%2Fc")));
    for bad in ["", &"x".repeat(65), "a%00"] {
        let answer =
            admin.put(&format!("/v2/pools/{bad}"), &json!({ "weight": 1, "uri": "memory://r" })).await;
        assert_eq!(answer.expect(400).json()["title"], "Invalid API request", "{bad}");
    }
}

#[tokio::test]
async fn listings_page_by_name() {
    for store in Store::ALL {
        let app = pooled(store).await;
        let admin = Admin::of(&app);
        for name in ["p2", "p1", "p3"] {
            admin.pool(name, 1).await;
        }
        let names = |page: &Value| -> Vec<String> {
            let pools = page["pools"].as_array().unwrap();
            pools.iter().map(|pool| pool["name"].as_str().unwrap().to_owned()).collect()
        };
        let page = admin.get("/v2/pools").await.expect(200).json();
        assert_eq!(names(&page), ["p1", "p2", "p3"]);
        assert_eq!(page["links"], json!([{ "rel": "next", "href": "/v2/pools?marker=p3" }]));
        assert!(page["pools"][0].get("options").is_none());
        let page = admin.get("/v2/pools?detailed=true&limit=1").await.expect(200);
        assert_eq!(page.header("content-location"), Some("/v2/pools?detailed=true&limit=1"));
        let page = page.json();
        assert_eq!(page["links"][0]["href"], "/v2/pools?limit=1&detailed=true&marker=p1");
        assert_eq!(page["pools"][0]["options"], json!({}));
        let page = admin.get("/v2/pools?marker=p1").await.expect(200).json();
        assert_eq!(names(&page), ["p2", "p3"]);
        assert_eq!(page["links"][0]["href"], "/v2/pools?marker=p3");
        assert_eq!(admin.get("/v2/pools?marker=p3").await.json(), json!({ "links": [], "pools": [] }));
        for limit in [0, 21] {
            let refused = admin.get(&format!("/v2/pools?limit={limit}")).await.expect(400).json();
            let words = "Limit must be at least 1 and no greater than 20.";
            assert_eq!(refused, json!({ "title": "Invalid API request", "description": words }));
        }
    }
}

#[tokio::test]
async fn wrong_bodies_are_refused() {
    let app = pooled(Store::Memory).await;
    let admin = Admin::of(&app);
    let put = async |body: &'static str| {
        let request = admin.0.request(Method::PUT, "/v2/pools/bad").header("x-roles", "admin");
        let answer = send(request.body(body)).await.expect(400).json();
        assert_eq!(answer["title"], "Invalid request body", "{body}");
        answer["description"].as_str().unwrap().to_owned()
    };
    for body in ["", "{", "7", "x"] {
        assert_eq!(put(body).await, "JSON could not be parsed.");
    }
    for body in [
        "[]",
        r#"{"weight": 1}"#,
        r#"{"uri": "memory://z"}"#,
        r#"{"weight": -1, "uri": "memory://z"}"#,
        r#"{"weight": "x", "uri": "memory://z"}"#,
        r#"{"weight": 4294967297, "uri": "memory://z"}"#,
        r#"{"weight": 1, "uri": 1}"#,
        r#"{"weight": 1, "uri": "memory://z", "options": "x"}"#,
        r#"{"weight": 1, "uri": "memory://z", "flavor": null}"#,
        r#"{"weight": 1, "uri": "memory://z", "x": 1}"#,
    ] {
        put(body).await;
    }
    admin.pool("p1", 1).await;
    for body in [json!({}), json!({ "x": 1 }), json!([])] {
        let refused = admin.patch("/v2/pools/p1", &body).await.expect(400).json();
        let words = "One of `uri`, `weight`, `flavor`, or `options` needs to be specified";
        assert_eq!(refused, json!({ "title": "Invalid request body", "description": words }));
    }
    for body in
        [json!({ "weight": "x" }), json!({ "uri": [] }), json!({ "options": 1 }), json!({ "flavor": 1 })]
    {
        assert_eq!(
            admin.patch("/v2/pools/p1", &body).await.expect(400).json()["title"],
            "Invalid request body"
        );
    }
    admin.get("/v2/pools/bad").await.expect(404);
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_is_no_pool() {
    let app = pooled(Store::Memory).await;
    let admin = Admin::of(&app);
    admin.pool("p1", 1).await;
    let nobody = crate::support::process::free_address();
    let unreachable = format!("redis://{nobody}");
    for uri in ["localhost:27017", "nodb://x", "sqlite://../x", "sqlite:///etc/x", &unreachable] {
        let words = format!("cannot connect to {uri}");
        let expected = json!({ "title": "Invalid request body", "description": words });
        let refused = admin.put("/v2/pools/bad", &json!({ "weight": 1, "uri": uri })).await.expect(400);
        assert_eq!(refused.json(), expected);
        for pool in ["p1", "nope"] {
            let path = format!("/v2/pools/{pool}");
            assert_eq!(admin.patch(&path, &json!({ "uri": uri })).await.expect(400).json(), expected);
        }
    }
    let secret = json!({ "weight": 1, "uri": format!("redis://u:s3cret@{nobody}") });
    let refused = admin.put("/v2/pools/bad", &secret).await.expect(400).json();
    assert_eq!(refused["description"], format!("cannot connect to redis://***@{nobody}"));
    assert_eq!(admin.get("/v2/pools/p1").await.json()["uri"], "memory://p1");
    admin.get("/v2/pools/bad").await.expect(404);
}

#[tokio::test]
async fn the_pools_of_a_flavor_can_do_the_same() {
    let app = pooled(Store::Memory).await;
    let admin = Admin::of(&app);
    admin.put("/v2/pools/m", &json!({ "weight": 1, "uri": "memory://m", "flavor": "f" })).await.expect(201);
    let durable = json!({ "weight": 1, "uri": "sqlite://s", "flavor": "f" });
    let expected = json!({
        "title": "Unable to create pool",
        "description": "The pool being added does not support the minimum set of capabilities",
    });
    assert_eq!(admin.put("/v2/pools/s", &durable).await.expect(400).json(), expected);
    admin.put("/v2/pools/s", &json!({ "weight": 1, "uri": "sqlite://s" })).await.expect(201);
    assert_eq!(admin.patch("/v2/pools/s", &json!({ "flavor": "f" })).await.expect(400).json(), expected);
    admin.put("/v2/pools/n", &json!({ "weight": 1, "uri": "memory://n", "flavor": "f" })).await.expect(201);
    // Alone in its flavor, a pool may become anything.
    admin.patch("/v2/pools/n", &json!({ "flavor": "" })).await.expect(200);
    admin.patch("/v2/pools/m", &json!({ "uri": "sqlite://m" })).await.expect(200);
    admin.patch("/v2/pools/s", &json!({ "flavor": "f" })).await.expect(200);
}

#[tokio::test]
async fn the_only_pool_of_a_flavor_is_kept() {
    for store in Store::ALL {
        let app = pooled(store).await;
        let admin = Admin::of(&app);
        admin.flavor("f", &["a", "b"]).await;
        admin.delete("/v2/pools/a").await.expect(204);
        let refused = admin.delete("/v2/pools/b").await.expect(403).json();
        let words = "This pool is used by flavors f; It cannot be deleted.";
        assert_eq!(refused, json!({ "title": "Unable to delete", "description": words }));
        admin.patch("/v2/pools/b", &json!({ "flavor": "" })).await.expect(200);
        admin.delete("/v2/pools/b").await.expect(204);
    }
}
