//! What the policy says of frames, and what administrators may ask for in them.

use serde_json::{Value, json};
use zaqar::service::{Pooling, Settings};
use zaqar::websocket::{Encoding, Offer};

use super::desk::{CLIENT, Desk};

const EVERYTHING: Offer = Offer { admin_mode: true, pooling: true };

fn desk() -> Desk {
    let settings = Settings { pooling: Some(Pooling::default()), ..Settings::default() };
    Desk::with(Encoding::Json, settings, EVERYTHING)
}

/// What an administrator, or somebody in that role, is told.
async fn ask_as(desk: &Desk, role: &str, action: &str, body: Value) -> (u64, Value) {
    let headers = json!({ "Client-ID": CLIENT, "X-Project-ID": "p", "X-Roles": role });
    desk.ask_as(headers, action, body).await
}

#[tokio::test]
async fn what_the_policy_forbids_is_not_done() {
    let desk = desk();
    let forbidden = json!({
        "exception": "You are not authorized to complete this action.", "error": "Not authorized",
    });
    let pool = json!({ "pool_name": "a", "uri": "memory://a", "weight": 1 });
    for (action, body) in [
        ("pool_create", pool),
        ("pool_list", json!({ "pool_name": "" })),
        ("pool_get", json!({ "pool_name": "a" })),
        ("pool_update", json!({ "pool_name": "a" })),
        ("pool_delete", json!({ "pool_name": "a" })),
        ("flavor_create", json!({ "flavor_name": "f", "pool_name": "a" })),
        ("flavor_update", json!({ "flavor_name": "f", "pool_name": "a" })),
        ("flavor_delete", json!({ "flavor_name": "f" })),
        ("check_node_health", json!({})),
    ] {
        assert_eq!(ask_as(&desk, "member", action, body).await, (403, forbidden.clone()), "{action}");
    }
    let pools = ask_as(&desk, "admin", "pool_list", json!({ "pool_name": "" })).await;
    assert_eq!(pools, (200, json!({ "pools": [] })));
}

#[tokio::test]
async fn pools_come_and_go() {
    let desk = desk();
    let ask = async |action: &str, body: Value| ask_as(&desk, "admin", action, body).await;
    for (name, weight) in [("a", 1), ("b", 2)] {
        let uri = format!("memory://{name}");
        let pool = json!({ "pool_name": name, "uri": uri, "weight": weight, "options": { "x": 1 } });
        assert_eq!(ask("pool_create", pool).await, (201, json!(format!("Pool {name} created."))));
    }
    let a = json!({ "name": "a", "uri": "memory://a", "weight": 1, "flavor": null, "href": "/v2/pools/a" });
    assert_eq!(ask("pool_get", json!({ "pool_name": "a" })).await, (200, a.clone()));
    let mut detailed = a;
    detailed["options"] = json!({ "x": 1 });
    assert_eq!(ask("pool_get", json!({ "pool_name": "a", "detailed": true })).await, (200, detailed.clone()));
    let page = json!({ "pool_name": "", "limit": 1, "detailed": true });
    assert_eq!(ask("pool_list", page).await, (200, json!({ "pools": [detailed] })));
    let page = ask("pool_list", json!({ "pool_name": "", "marker": "a" })).await.1;
    assert_eq!(page["pools"][0]["name"], "b");
    let changed = ask("pool_update", json!({ "pool_name": "b", "weight": 7 })).await;
    assert_eq!((changed.0, &changed.1["weight"]), (200, &json!(7)));
    assert_eq!(ask("pool_create", json!({ "pool_name": "c", "weight": 1 })).await.0, 400);
    assert_eq!(ask("pool_delete", json!({ "pool_name": "b" })).await, (204, json!("Pool b removed.")));
    let missing = json!({ "exception": "Pool b does not exist", "error": null });
    assert_eq!(ask("pool_get", json!({ "pool_name": "b" })).await, (404, missing));
}

#[tokio::test]
async fn flavors_come_and_go() {
    let desk = desk();
    let ask = async |action: &str, body: Value| ask_as(&desk, "admin", action, body).await;
    for name in ["a", "b"] {
        let pool = json!({ "pool_name": name, "uri": format!("memory://{name}"), "weight": 1 });
        assert_eq!(ask("pool_create", pool).await.0, 201);
    }
    let flavor = json!({ "flavor_name": "f", "pool_name": "a", "capabilities": {} });
    assert_eq!(ask("flavor_create", flavor).await, (201, json!("Flavor f created.")));
    let (status, f) = ask("flavor_get", json!({ "flavor_name": "f" })).await;
    assert_eq!((status, &f["name"], &f["pool_list"]), (200, &json!("f"), &json!(["a"])));
    let list = ask("flavor_list", json!({ "flavor_name": "", "limit": 5 })).await.1;
    let item = json!({ "name": "f", "href": "/v2/flavors/f", "pool_list": ["a"] });
    assert_eq!(list, json!({ "flavors": [item] }));
    let change = json!({ "flavor_name": "f", "pool_name": "a", "pool_list": ["a", "b"] });
    let (status, changed) = ask("flavor_update", change).await;
    assert_eq!((status, &changed["pool_list"]), (200, &json!(["a", "b"])));
    assert_eq!(ask("flavor_delete", json!({ "flavor_name": "f" })).await, (204, json!("Flavor f removed.")));
    assert_eq!(ask("flavor_get", json!({ "flavor_name": "f" })).await.0, 404);
}

#[tokio::test]
async fn a_node_tells_about_itself() {
    let desk = Desk::with(Encoding::Json, Settings::default(), EVERYTHING);
    let ask = async |action: &str| desk.ask_as(json!({ "X-Roles": "admin" }), action, json!({})).await;
    assert_eq!(ask("ping_node").await, (204, json!({})));
    let (status, health) = ask("check_node_health").await;
    assert_eq!((status, &health["storage_reachable"]), (200, &json!(true)));
    let (status, home) = ask("get_home_doc").await;
    assert_eq!((status, home["resources"]["rel/pools"].is_object()), (200, true));
    let plain = Desk::new(Encoding::Json).ask_as(json!({}), "get_home_doc", json!({})).await.1;
    assert_eq!(plain["resources"].get("rel/pools"), None);
}
