//! What holds in every version: one queue, one list of versions, the announcement of the end.

use reqwest::Method;
use serde_json::{Value, json};
use zaqar::app::App;
use zaqar::clock::Clock;
use zaqar::config::Config;

use super::{OLD, with_old};
use crate::support::client::{OTHER_ID, send};
use crate::support::statsd::Statsd;
use crate::support::{Client, Process, Store, TestApp};

/// The versions document's ids.
async fn ids(app: &TestApp) -> Vec<String> {
    let document = send(app.client("p").bare(Method::GET, "/")).await.expect(300).json();
    let versions = document["versions"].as_array().unwrap();
    versions.iter().map(|version| version["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn only_what_is_enabled_is_there() {
    for (ini, enabled) in [
        ("", vec!["2"]),
        ("[DEFAULT]\nenable_deprecated_api_versions = 1\n", vec!["1", "2"]),
        ("[DEFAULT]\nenable_deprecated_api_versions = 1.1\n", vec!["1.1", "2"]),
        (OLD, vec!["1", "1.1", "2"]),
    ] {
        let app = TestApp::start(Store::Memory, ini).await;
        assert_eq!(ids(&app).await, enabled);
        for id in ["1", "1.1", "2"] {
            let answer = app.client("p").get(&format!("/v{id}/")).await;
            assert_eq!(answer.status.as_u16(), if enabled.contains(&id) { 200 } else { 404 });
            if answer.status == 200 {
                assert_eq!(answer.header("content-type"), Some("application/json-home"));
                let queue = &answer.json()["resources"]["rel/queue"]["href-template"];
                assert_eq!(queue, &format!("/v{id}/queues/{{queue_name}}"));
            } else {
                assert_eq!(answer.header("deprecation"), None);
            }
        }
    }
}

/// Posts a message in the shape of a version.
async fn post(client: &Client, version: &str, body: &str) {
    let message = json!([{ "ttl": 300, "body": body }]);
    let document = if version == "v1" { message } else { json!({ "messages": message }) };
    client.post(&format!("/{version}/queues/q/messages"), &document).await.expect(201);
}

/// The bodies in an answer of any version.
fn bodies(answer: &Value) -> Vec<&str> {
    let messages = answer.get("messages").unwrap_or(answer).as_array().unwrap();
    messages.iter().map(|message| message["body"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_queue_is_the_same_in_every_version() {
    const VERSIONS: [&str; 3] = ["v1", "v1.1", "v2"];
    for store in Store::ALL {
        let app = with_old(store, "").await;
        let (client, other) = (app.client("p"), app.client("p").with_id(OTHER_ID));
        client.put("/v1.1/queues/q").await.expect(201);
        client.put("/v1/queues/q").await.expect(204);
        for version in VERSIONS {
            post(&client, version, version).await;
        }
        for version in VERSIONS {
            let listed = other.get(&format!("/{version}/queues/q/messages")).await.expect(200).json();
            assert_eq!(bodies(&listed), VERSIONS, "{version}");
        }
        // What v1 posted, v2 claims, and v1.1 deletes with that claim.
        let claimed =
            client.post("/v2/queues/q/claims?limit=1", &json!({ "ttl": 60, "grace": 60 })).await.expect(201);
        assert_eq!(bodies(&claimed.json()), ["v1"]);
        let href = claimed.json()["messages"][0]["href"].as_str().unwrap().to_owned();
        client.delete(&href.replace("/v2/", "/v1.1/")).await.expect(204);
        let claimed =
            client.post("/v1/queues/q/claims", &json!({ "ttl": 60, "grace": 60 })).await.expect(201);
        assert_eq!(bodies(&claimed.json()), ["v1.1", "v2"]);
        let claim = claimed.header("location").unwrap().replace("/v1/", "/v2/");
        assert_eq!(bodies(&client.get(&claim).await.expect(200).json()), ["v1.1", "v2"]);
        client.delete("/v2/queues/q").await.expect(204);
        client.get("/v1/queues/q").await.expect(404);
    }
}

#[tokio::test]
async fn old_answers_say_since_when_and_until_when() {
    let sunset = "deprecated_api_sunset = 2027-06-30\n";
    let app = with_old(Store::Memory, sunset).await;
    let client = app.client("p");
    for (path, status) in
        [("/v1/", 200), ("/v1/queues", 204), ("/v1/queues/", 400), ("/v1/nothing", 404), ("/v1", 404)]
    {
        let answer = client.get(path).await.expect(status);
        assert_eq!(answer.header("deprecation"), Some("@1410457625"), "{path}");
        assert_eq!(answer.header("sunset"), Some("Wed, 30 Jun 2027 00:00:00 GMT"), "{path}");
    }
    let answer = send(client.bare(Method::GET, "/v1.1/queues")).await.expect(400);
    assert_eq!(answer.header("deprecation"), Some("@1469758967"));
    let answer = send(client.request(Method::OPTIONS, "/v1.1/queues")).await.expect(200);
    assert_eq!(answer.header("deprecation"), Some("@1469758967"));
    for path in ["/v2/queues", "/v2/nothing", "/healthcheck", "/v10/queues"] {
        let answer = client.get(path).await;
        assert_eq!((answer.header("deprecation"), answer.header("sunset")), (None, None), "{path}");
    }
    // No end is told that lies before the beginning, or that is no day (RFC 9745, 4).
    for (day, why) in [("2016-07-28", "before"), ("2016-07-29", "before"), ("soon", "not a day")] {
        let ini = format!("{}[DEFAULT]\ndeprecated_api_sunset = {day}\n", Store::Memory.ini());
        let config = Config::from_ini(&ini).unwrap();
        let problem = App::from_config(&config, Clock::system()).await.err().expect("a refusal").to_string();
        assert!(problem.contains("deprecated_api_sunset") && problem.contains(why), "{problem}");
    }
    // Without the option there is no end to tell.
    let app = with_old(Store::Memory, "").await;
    let answer = app.client("p").get("/v1/").await.expect(200);
    assert!(answer.header("deprecation").is_some() && answer.header("sunset").is_none());
}

#[tokio::test]
async fn a_mount_prefix_stands_in_content_locations_alone() {
    let app = with_old(Store::Memory, "[listener]\nmount_prefix = /messaging\n").await;
    let client = app.client("p");
    let created = client.put("/messaging/v1/queues/q").await.expect(201);
    assert_eq!(created.header("location"), Some("/v1/queues/q"));
    let answer = client.get("/messaging/v1/queues?limit=3").await.expect(200);
    assert_eq!(answer.header("content-location"), Some("/messaging/v1/queues?limit=3"));
    assert_eq!(answer.header("deprecation"), Some("@1410457625"));
    assert_eq!(answer.json()["queues"][0]["href"], "/v1/queues/q");
}

#[tokio::test]
async fn who_uses_them_is_counted_by_version_and_product() {
    let (state, mut statsd) = (tempfile::tempdir().unwrap(), Statsd::start());
    let ini = format!("{}{OLD}{}", Store::Memory.ini(), statsd.ini());
    let server = Process::start(state.path(), &ini).await;
    let client = server.client("p");
    for (path, agent) in [
        ("/v2/queues", "never/1.0"),
        // Who gets nothing takes no name.
        ("/v1/nothing", "stranger/1.0"),
        ("/v1/queues", "OpenCloud/1.5 (old)"),
        ("/v1/queues", "OpenCloud/1.6"),
        ("/v1.1/nothing", "OpenCloud/1.5"),
        ("/v1.1/queues", "a product without a name / 1"),
    ] {
        send(client.request(Method::GET, path).header("user-agent", agent)).await;
    }
    let mut counted = async |version: &str, agent: &str| {
        statsd.told_of(&format!("z.http.deprecated.requests.{version}.{agent}")).await
    };
    assert!((counted("1", "other").await - 1.0).abs() < 0.5);
    assert!((counted("1", "OpenCloud").await - 2.0).abs() < 0.5);
    assert!((counted("1_1", "OpenCloud").await - 1.0).abs() < 0.5);
    assert!((counted("1_1", "a").await - 1.0).abs() < 0.5);
}
