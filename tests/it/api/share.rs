//! Pre-signed URLs: made, and used as headers and as parameters of the query.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{CLIENT_ID, send};
use crate::support::signed::{KEY, Signed};
use crate::support::{Store, TestApp};

#[tokio::test]
async fn a_share_says_what_it_allows() {
    let app = TestApp::start(Store::Memory, KEY).await;
    let client = app.client("p");
    let share = async |body: Value| client.post("/v2/queues/q/share", &body).await.expect(200).json();
    // The clock stands at 2027-01-15T08:00:00Z.
    let first = share(json!({})).await;
    assert_eq!(first["signature"].as_str().map(str::len), Some(64));
    let rest = json!({ "paths": ["/v2/queues/q/messages"], "methods": ["GET"], "project": "p",
        "expires": "2027-01-16T08:00:00", "signature": first["signature"] });
    assert_eq!(first, rest);
    let full = share(json!({ "paths": ["subscriptions", "messages", "claims"], "methods": ["POST", "GET"],
        "expires": "2030-01-01T02:00:00.5+02:00" }))
    .await;
    let paths = ["claims", "messages", "subscriptions"].map(|part| format!("/v2/queues/q/{part}"));
    assert_eq!(full["paths"], json!(paths));
    assert_eq!(
        (&full["methods"], &full["expires"]),
        (&json!(["GET", "POST"]), &json!("2030-01-01T00:00:00"))
    );
    // Empty lists and null stand for what is usual.
    assert_eq!(share(json!({ "paths": [], "methods": [], "expires": null })).await, first);
    // The queue was not made by that.
    assert_eq!(client.get("/v2/queues").await.expect(200).json()["queues"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_signed_is_refused() {
    let app = TestApp::start(Store::Memory, KEY).await;
    let client = app.client("p");
    let refused = async |body: &str| {
        let request = client.request(Method::POST, "/v2/queues/q/share").body(body.to_owned());
        let answer = send(request).await.expect(400).json();
        (answer["title"].as_str().unwrap().to_owned(), answer["description"].as_str().unwrap().to_owned())
    };
    for body in ["x", "", "[]", "[1]", "\"x\""] {
        assert_eq!(refused(body).await.0, "Invalid request body", "{body}");
    }
    let none = send(client.request(Method::POST, "/v2/queues/q/share")).await.expect(400).json();
    assert_eq!(none["description"], "Request body can not be empty");
    for (body, words) in [
        (r#"{"dummy": 1}"#, "Unknown keys: {'dummy'}"),
        (r#"{"paths": ["x", "messages"]}"#, "Invalid paths: {'x'}"),
        (r#"{"paths": ["messages/../claims"]}"#, "Invalid paths: {'messages/../claims'}"),
        (r#"{"paths": "messages"}"#, "`paths` should be a list"),
        (r#"{"paths": [1]}"#, "Invalid paths: {'1'}"),
        (r#"{"methods": "GET"}"#, "`methods` should be a list"),
        (r#"{"methods": [1]}"#, "`methods` should be a list of strings"),
        (r#"{"methods": ["GET,DELETE"]}"#, "`methods` should be a list of names of methods"),
        (
            r#"{"methods": ["GET\\nother\\n2099-01-01T00:00:00"]}"#,
            "`methods` should be a list of names of methods",
        ),
        (r#"{"methods": [""]}"#, "`methods` should be a list of names of methods"),
        (r#"{"expires": "x"}"#, "Unable to parse date string 'x'"),
        (r#"{"expires": true}"#, "Unable to parse date string 'true'"),
        (r#"{"expires": ["2030-01-01"]}"#, "Unable to parse date string '[\"2030-01-01\"]'"),
        (r#"{"expires": "2015-01-01T00:00:00"}"#, "`expires` is lower than the current time"),
        (r#"{"expires": "2027-01-15T08:00:00"}"#, "`expires` is lower than the current time"),
    ] {
        assert_eq!(refused(body).await, ("Invalid API request".to_owned(), words.to_owned()), "{body}");
    }
    for body in [r#"{"expires": 1900000000}"#, r#"{"expires": "1900000000"}"#, r#"{"expires": "20300101"}"#] {
        assert!(refused(body).await.1.starts_with("`expires` should be date format"), "{body}");
    }
}

#[tokio::test]
async fn without_a_key_nothing_is_shared() {
    for ini in ["", "[signed_url]\nsecret_key =\n"] {
        let app = TestApp::start(Store::Memory, ini).await;
        app.client("p").post("/v2/queues/q/share", &json!({})).await.expect(400);
    }
}

#[tokio::test]
async fn whoever_has_the_signature_may_do_what_was_signed() {
    for store in Store::ALL {
        let app = TestApp::start(store, KEY).await;
        let client = app.client("p");
        let id = &client.post_bodies("q", &[json!("first")]).await[0];
        let url = Signed::share(&client, "q", &json!({ "methods": ["GET", "POST"] })).await;
        let messages = "/v2/queues/q/messages";
        let listed = url.send(&client, Method::GET, &format!("{messages}?echo=true")).await.expect(200);
        assert_eq!(listed.ids(), [id.as_str()]);
        url.send(&client, Method::GET, &format!("{messages}/{id}")).await.expect(200);
        let post = url.on(client.bare(Method::POST, messages)).header("client-id", CLIENT_ID);
        send(post.json(&json!({ "messages": [{ "body": "second" }] }))).await.expect(201);
        for (method, path) in [
            (Method::DELETE, messages.to_owned()),
            (Method::GET, "/v2/queues/q".to_owned()),
            (Method::GET, "/v2/queues/q/stats".to_owned()),
            (Method::GET, "/v2/queues".to_owned()),
            (Method::POST, "/v2/queues/q/claims".to_owned()),
            (Method::POST, "/v2/queues/q/share".to_owned()),
        ] {
            let answer = url.send(&client, method.clone(), &path).await.expect(404);
            assert_eq!(answer.json(), json!({ "title": "404 Not Found" }), "{method} {path}");
        }
        app.pass(86_400);
        url.send(&client, Method::GET, messages).await.expect(404);
    }
}

#[tokio::test]
async fn a_signature_needs_no_headers_on_a_listing() {
    let app = TestApp::start(Store::Memory, KEY).await;
    let client = app.client("p");
    let ids = client.post_bodies("q", &[json!(1), json!(2), json!(3)]).await;
    let url = Signed::share(&client, "q", &json!({})).await;
    let page = |more: &str| format!("/v2/queues/q/messages?{}&Client-ID={CLIENT_ID}&{more}", url.query());
    let first = send(client.bare(Method::GET, &page("limit=2&echo=true"))).await.expect(200);
    assert_eq!(first.ids(), ids[..2]);
    // The link says what was asked, and nothing of who asked.
    let next = first.json()["links"][0]["href"].as_str().unwrap().to_owned();
    assert!(!next.to_lowercase().contains("url-") && !next.to_lowercase().contains("client-id"), "{next}");
    assert!(!next.contains("roject") && !next.contains(&url.signature), "{next}");
    send(client.bare(Method::GET, &next)).await.expect(400);
    // Followed with the same values once more, it goes on.
    let (_, query) = next.split_once('?').unwrap();
    let second = send(client.bare(Method::GET, &page(query))).await.expect(200);
    assert_eq!(second.ids(), ids[2..]);
    // Or with the values in headers, which is the same request.
    assert_eq!(url.send(&client, Method::GET, &next).await.expect(200).ids(), ids[2..]);
    // By ids, too.
    let one = send(client.bare(Method::GET, &page(&format!("ids={}", ids[1])))).await.expect(200);
    assert_eq!(one.ids(), [ids[1].as_str()]);
    // Elsewhere they are parameters like others.
    let other = format!("/v2/queues/q/messages/{}?{}&Client-ID={CLIENT_ID}", ids[0], url.query());
    send(client.bare(Method::GET, &other)).await.expect(400);
}

#[tokio::test]
async fn behind_a_mount_prefix_the_same_paths_are_signed() {
    let app = TestApp::start(Store::Memory, &format!("{KEY}[listener]\nmount_prefix = /messaging\n")).await;
    let client = app.client("p");
    let answer = client.post("/messaging/v2/queues/q/share", &json!({})).await.expect(200).json();
    assert_eq!(answer["paths"], json!(["/v2/queues/q/messages"]));
    let url = Signed::of(&answer);
    for prefix in ["", "/messaging"] {
        url.send(&client, Method::GET, &format!("{prefix}/v2/queues/q/messages")).await.expect(200);
        let query = format!("{prefix}/v2/queues/q/messages?{}&Client-ID={CLIENT_ID}", url.query());
        send(client.bare(Method::GET, &query)).await.expect(200);
        url.send(&client, Method::GET, &format!("{prefix}/v2/queues/r/messages")).await.expect(404);
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_use_a_signature() {
    let app =
        TestApp::start(Store::Memory, &format!("{KEY}[cors]\nallowed_origin = https://ui.example\n")).await;
    let client = app.client("p");
    let url = Signed::share(&client, "q", &json!({})).await;
    let origin = "https://ui.example";
    let wanted = "client-id,url-expires,url-methods,url-paths,url-signature,x-project-id,last-event-id";
    let preflight = client
        .bare(Method::OPTIONS, "/v2/queues/q/messages")
        .header("origin", origin)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", wanted);
    let preflight = send(preflight).await.expect(200);
    assert_eq!(preflight.header("access-control-allow-origin"), Some(origin));
    assert_eq!(preflight.header("access-control-allow-headers"), Some(wanted));
    let by_headers = url.on(client.bare(Method::GET, "/v2/queues/q/messages")).header("client-id", CLIENT_ID);
    let query = format!("/v2/queues/q/messages?{}&Client-ID={CLIENT_ID}", url.query());
    for request in [by_headers, client.bare(Method::GET, &query)] {
        let answer = send(request.header("origin", origin)).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    }
}
