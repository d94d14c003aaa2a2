//! Signatures: altered, replayed, sent twice, and with things beside them.

use reqwest::Method;
use serde_json::json;

use super::raw::raw;
use super::{MESSAGES, Scene};
use crate::support::client::{CLIENT_ID, send};
use crate::support::signed::Signed;
use crate::support::{Store, TestApp};

/// Headers of the signed request, with a client id.
fn headers(url: &Signed) -> Vec<(&str, &str)> {
    let mut headers = url.values().to_vec();
    headers.push(("Client-ID", CLIENT_ID));
    headers
}

#[tokio::test]
async fn an_altered_value_is_refused() {
    let scene = Scene::set("").await;
    let url = &scene.url;
    let flipped = |at: usize| {
        let digit = if &url.signature[at..=at] == "0" { "1" } else { "0" };
        format!("{}{digit}{}", &url.signature[..at], &url.signature[at + 1..])
    };
    let with = |name: &str, value: &str| {
        let mut altered = url.clone();
        match name {
            "signature" => altered.signature = value.into(),
            "expires" => altered.expires = value.into(),
            "methods" => altered.methods = value.into(),
            "paths" => altered.paths = value.into(),
            _ => altered.project = value.into(),
        }
        altered
    };
    for altered in [
        with("signature", &flipped(0)),
        with("signature", &flipped(63)),
        with("signature", &url.signature.to_uppercase()),
        with("signature", &url.signature[..62]),
        with("signature", &format!("{}00", url.signature)),
        with("signature", &"0".repeat(64)),
        with("signature", ""),
        with("expires", "2099-01-01T00:00:00"),
        with("expires", "2000-01-01T00:00:00"),
        with("expires", "4102444800"),
        with("expires", ""),
        with("methods", "GET,DELETE"),
        with("methods", ""),
        with("methods", "*"),
        with("methods", "get"),
        with("paths", "/v2/queues/secret/messages"),
        with("paths", "/v2/queues/shared/messages,/v2/queues/secret/messages"),
        with("paths", "/v2/queues"),
        with("paths", "/"),
        with("paths", ".*"),
        with("paths", ""),
        with("project", "other"),
        with("project", "None"),
        with("project", "P"),
        with("project", ""),
    ] {
        for path in [MESSAGES, "/v2/queues/secret/messages"] {
            let answer =
                altered.send(&scene.owner, Method::GET, &format!("{path}?echo=true")).await.expect(404);
            assert_eq!(answer.json(), json!({ "title": "404 Not Found" }), "{altered:?}");
            let query = format!("{path}?{}&Client-ID={CLIENT_ID}&echo=true", altered.query());
            assert_eq!(send(scene.owner.bare(Method::GET, &query)).await.expect(404).bytes, answer.bytes);
        }
    }
}

#[tokio::test]
async fn a_missing_value_is_refused() {
    let scene = Scene::set("").await;
    for left_out in ["URL-Expires", "URL-Methods", "URL-Paths", "X-Project-ID"] {
        let rest: Vec<_> = headers(&scene.url).into_iter().filter(|(name, _)| *name != left_out).collect();
        assert_eq!(raw(scene.app.address, &format!("GET {MESSAGES}"), &rest).await.status, 404, "{left_out}");
    }
    // No project was ever signed, though the text of one that is missing is that of a project called None.
    let none = Signed::share(&scene.app.client("None"), "shared", &json!({})).await;
    let rest: Vec<_> = headers(&none).into_iter().filter(|(name, _)| *name != "X-Project-ID").collect();
    assert_eq!(raw(scene.app.address, &format!("GET {MESSAGES}?echo=true"), &rest).await.status, 404);
}

#[tokio::test]
async fn a_replayed_signature_does_what_was_signed_and_no_more() {
    let scene = Scene::set("[DEFAULT]\nadmin_mode = true\n").await;
    for (method, path) in [
        (Method::GET, "/v2/queues/secret/messages"),
        (Method::GET, "/v2/queues/shared2/messages"),
        (Method::GET, "/v2/queues/shared"),
        (Method::GET, "/v2/queues/shared/stats"),
        (Method::GET, "/v2/queues/shared/subscriptions"),
        (Method::POST, "/v2/queues/shared/claims"),
        (Method::POST, "/v2/queues/shared/share"),
        (Method::POST, "/v2/queues/shared/purge"),
        (Method::POST, MESSAGES),
        (Method::DELETE, "/v2/queues/shared/messages?pop=1"),
        (Method::DELETE, "/v2/queues/shared"),
        (Method::PUT, "/v2/queues/shared"),
        (Method::PATCH, "/v2/queues/shared"),
        (Method::HEAD, MESSAGES),
        (Method::GET, "/v2/queues"),
        (Method::GET, "/v2/"),
        (Method::GET, "/v2/ping"),
        (Method::GET, "/v2/health"),
    ] {
        scene.url.send(&scene.owner, method, path).await.expect(404);
    }
    // Nor does it hold on another service, whose key is another one, or that has none.
    for ini in ["[signed_url]\nsecret_key = another\n", "", "[signed_url]\nsecret_key =\n"] {
        let other = TestApp::start(Store::Memory, ini).await;
        scene.url.send(&other.client("p"), Method::GET, MESSAGES).await.expect(404);
    }
    scene.is_untouched().await;
    scene.app.pass(86_399);
    scene.url.send(&scene.owner, Method::GET, MESSAGES).await.expect(200);
    scene.app.pass(1);
    scene.url.send(&scene.owner, Method::GET, MESSAGES).await.expect(404);
}

#[tokio::test]
async fn a_signed_path_is_no_pattern() {
    let scene = Scene::set("").await;
    let dotted = Signed::share(&scene.owner, "s.cret", &json!({})).await;
    dotted.send(&scene.owner, Method::GET, "/v2/queues/s.cret/messages").await.expect(200);
    for other in ["secret", "s%2ecret", "sXcret", "xs.cret", "s.cretx"] {
        let path = format!("/v2/queues/{other}/messages?echo=true");
        dotted.send(&scene.owner, Method::GET, &path).await.expect(404);
    }
}

#[tokio::test]
async fn a_value_that_is_sent_twice_is_refused() {
    let scene = Scene::set("").await;
    let (address, line) = (scene.app.address, format!("GET {MESSAGES}?echo=true"));
    assert_eq!(raw(address, &line, &headers(&scene.url)).await.status, 200);
    for (name, value) in scene.url.values() {
        for again in [value, "", "other", "/v2/queues/secret/messages"] {
            let mut twice = headers(&scene.url);
            twice.push((name, again));
            assert_eq!(raw(address, &line, &twice).await.status, 404, "{name}: {again}");
            twice.rotate_right(1);
            assert_eq!(raw(address, &line, &twice).await.status, 404, "{name}: {again}");
        }
        // Once as a header and once as a parameter, or twice as a parameter, whatever the letters.
        let parameter = format!("GET {MESSAGES}?{}={value}", name.to_lowercase());
        assert_eq!(raw(address, &parameter, &headers(&scene.url)).await.status, 404, "{name}");
        let (query, again) = (scene.url.query(), name.replace('-', "%2d").to_lowercase());
        let parameters = format!("GET {MESSAGES}?{query}&{again}={value}");
        assert_eq!(raw(address, &parameters, &[("Client-ID", CLIENT_ID)]).await.status, 404, "{name}");
    }
    // A list that a proxy made of two headers is not what was signed.
    let joined = format!("{0}, {0}", scene.url.methods);
    let listed: Vec<_> = headers(&scene.url)
        .into_iter()
        .map(|(name, value)| (name, if name == "URL-Methods" { &*joined } else { value }))
        .collect();
    assert_eq!(raw(address, &line, &listed).await.status, 404);
}

#[tokio::test]
async fn names_of_headers_are_read_in_any_letters_but_not_with_underscores() {
    let scene = Scene::set("").await;
    let (address, line) = (scene.app.address, format!("GET {MESSAGES}?echo=true"));
    let odd: Vec<_> = headers(&scene.url).iter().map(|(name, value)| (name.to_uppercase(), *value)).collect();
    let odd: Vec<_> = odd.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(raw(address, &line, &odd).await.status, 200);
    let mut odd: Vec<_> = odd.into_iter().filter(|(name, _)| *name != "URL-SIGNATURE").collect();
    odd.push(("uRL-SIGNATUre", ""));
    assert_eq!(raw(address, &line, &odd).await.status, 404);
    // With underscores they are other headers: neither a second value nor one at all.
    let mut beside = headers(&scene.url);
    beside.extend([("URL_Paths", "/v2/queues/secret/messages"), ("X_Project_ID", "other")]);
    assert_eq!(raw(address, &line, &beside).await.status, 200);
    for (name, _) in scene.url.values().into_iter().filter(|(name, _)| *name != "URL-Signature") {
        let with_underscore = name.replace('-', "_");
        let replaced: Vec<_> = headers(&scene.url)
            .into_iter()
            .map(|(own, value)| (if own == name { &*with_underscore } else { own }, value))
            .collect();
        assert_eq!(raw(address, &line, &replaced).await.status, 404, "{name}");
    }
}

#[tokio::test]
async fn what_is_sent_beside_a_signature_changes_nothing() {
    let scene = Scene::set("[DEFAULT]\nadmin_mode = true\n").await;
    let (address, line) = (scene.app.address, format!("GET {MESSAGES}?echo=true"));
    let beside = [
        ("X-Roles", "admin"),
        ("X-User-ID", "root"),
        ("X-Tenant-ID", "other"),
        ("X-Tenant", "other"),
        ("X-Identity-Status", "Confirmed"),
        ("X-Service-Token", "x"),
        ("X-Auth-Token", "x"),
        ("OpenStack-System-Scope", "all"),
        ("EXTRA-SPEC", "messagecode:123456"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-HTTP-Method", "DELETE"),
        ("X-Method-Override", "DELETE"),
        ("X-Original-URL", "/v2/queues/secret/messages"),
        ("X-Rewrite-URL", "/v2/queues/secret/messages"),
        ("X-Forwarded-Prefix", "/v2/queues/secret"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Script-Name", "/v2/queues/secret"),
    ];
    let usual = raw(address, &line, &headers(&scene.url)).await;
    assert_eq!(usual.status, 200);
    for header in beside {
        let mut request = headers(&scene.url);
        request.push(header);
        let answer = raw(address, &line, &request).await;
        assert_eq!((answer.status, body(&answer.text)), (200, body(&usual.text)), "{header:?}");
        // And none of them makes up for a signature that is wrong.
        let empty: Vec<_> = request
            .iter()
            .map(|(name, value)| (*name, if *name == "URL-Signature" { "" } else { value }))
            .collect();
        assert_eq!(raw(address, &line, &empty).await.status, 404, "{header:?}");
        assert_eq!(raw(address, "GET /v2/health", &request).await.status, 404, "{header:?}");
    }
    scene.is_untouched().await;
}

/// The messages of an answer; they grow older between two.
fn body(text: &str) -> String {
    let (_, body) = text.split_once("\r\n\r\n").expect("an answer");
    body.split("\"age\"").next().expect("a part").to_owned()
}
