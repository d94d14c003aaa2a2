//! A real Keystone: the accounts that the service can have there, and the tokens that it gives.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use zaqar::clock::Clock;

use super::common::{names, request};
use crate::support::client::{Answer, send};
use crate::support::keystone::Keystone;
use crate::support::{Store, TestApp};

/// A service so configured, whose clock is right.
async fn service(ini: &str) -> TestApp {
    TestApp::start_at(Clock::system().now(), &format!("{}{ini}", Store::Memory.ini())).await
}

async fn get(app: &TestApp, path: &str, token: &str) -> Answer {
    settled(request(app, Method::GET, path, token)).await
}

async fn status(app: &TestApp, path: &str, token: &str) -> u16 {
    get(app, path, token).await.status.as_u16()
}

/// The status where the identity service is expected to be of no help.
async fn first_status(app: &TestApp, token: &str) -> u16 {
    send(request(app, Method::GET, "/v2/queues", token)).await.status.as_u16()
}

/// The answer, once Keystone answered in time: on a machine that builds beside it, it may be late for a request.
async fn settled(request: reqwest::RequestBuilder) -> Answer {
    let start = Instant::now();
    loop {
        let answer = send(request.try_clone().expect("without a stream")).await;
        if answer.status != 503 || start.elapsed() > Duration::from_mins(1) {
            return answer;
        }
    }
}

#[tokio::test]
async fn the_tokens_of_two_projects() {
    let keystone = Keystone::shared().await;
    let app = service(&keystone.ini()).await;
    let (alice, bob) = (keystone.token("alice").await, keystone.token("bob").await);
    settled(request(&app, Method::PUT, "/v2/queues/mine", &alice)).await.expect(201);
    assert_eq!(names(&get(&app, "/v2/queues", &alice).await.expect(200)), ["mine"]);
    assert_eq!(names(&get(&app, "/v2/queues", &bob).await.expect(200)), [""; 0]);
    for (nobody, token) in
        [("cut", &alice[..alice.len() - 4]), ("longer", &format!("{alice}A")), ("none", "x")]
    {
        assert_eq!(status(&app, "/v2/queues", token).await, 401, "{nobody}");
    }
    // A token that its owner gave back is worth nothing to a service that did not see it before.
    let gone = keystone.token("alice").await;
    let url = format!("{}/auth/tokens", keystone.fact("auth_url"));
    let revoke =
        reqwest::Client::new().delete(url).header("x-auth-token", &alice).header("x-subject-token", &gone);
    assert_eq!(revoke.send().await.unwrap().status().as_u16(), 204);
    assert_eq!(status(&app, "/v2/queues", &gone).await, 401);
}

#[tokio::test]
async fn every_kind_of_account_of_our_own() {
    let keystone = Keystone::shared().await;
    let [id, name, secret] = keystone.application_credential("zaqar", &Value::Null).await;
    let (user, service_project) = (keystone.user("zaqar"), keystone.project("service"));
    let admin = keystone.user("operator");
    let credential =
        format!("auth_type = v3applicationcredential\napplication_credential_secret = {secret}\n");
    let token = keystone.token("zaqar").await;
    let password = format!("password = secret\nuser_id = {user}\n");
    let accounts = [
        ("ids", format!("auth_type = v3password\n{password}project_id = {service_project}\n")),
        (
            "names",
            "auth_type = password\nusername = zaqar\npassword = secret\nuser_domain_name = Default\n\
             project_name = service\nproject_domain_name = Default\n"
                .to_owned(),
        ),
        (
            "default domain, old names",
            "auth_plugin = password\nuser_name = zaqar\npassword = secret\ntenant_name = service\n\
             default_domain_id = default\n"
                .to_owned(),
        ),
        (
            "system",
            format!("auth_type = password\nuser_id = {admin}\npassword = secret\nsystem_scope = all\n"),
        ),
        ("credential by id", format!("{credential}application_credential_id = {id}\n")),
        (
            "credential by name",
            format!(
                "{credential}application_credential_name = {name}\nusername = zaqar\nuser_domain_id = default\n"
            ),
        ),
        ("token", format!("auth_type = v3token\ntoken = {token}\nproject_id = {service_project}\n")),
        (
            "another section",
            format!(
                "auth_section = ours\n[ours]\nauth_type = password\n{password}project_id = {service_project}\n\
                 auth_url = {}\n",
                keystone.fact("url")
            ),
        ),
    ];
    let alice = keystone.token("alice").await;
    for (kind, account) in accounts {
        let app = service(&format!("{}{account}", keystone.ini_without_account())).await;
        assert_eq!(status(&app, "/v2/queues", &alice).await, 200, "{kind}");
        assert_eq!(status(&app, "/v2/queues", "unknown").await, 401, "{kind}");
    }
    for (kind, account) in [
        ("a wrong password", format!("auth_type = password\nuser_id = {user}\npassword = wrong\n")),
        ("an unknown credential", format!("{credential}application_credential_id = unknown\n")),
    ] {
        let app = service(&format!("{}{account}", keystone.ini_without_account())).await;
        assert_eq!(first_status(&app, &alice).await, 503, "{kind}");
    }
}

#[tokio::test]
async fn the_url_of_the_identity_service_with_and_without_its_version() {
    let keystone = Keystone::shared().await;
    let alice = keystone.token("alice").await;
    for url in [keystone.fact("url").to_owned(), format!("{}/v3/", keystone.fact("url"))] {
        let ini = format!("{}auth_url = {url}\n", keystone.ini());
        assert_eq!(status(&service(&ini).await, "/v2/queues", &alice).await, 200, "{url}");
    }
}

#[tokio::test]
async fn tokens_of_every_scope() {
    let keystone = Keystone::shared().await;
    let app = service(&format!("{}[DEFAULT]\nadmin_mode = true\npooling = true\n", keystone.ini())).await;
    let system = keystone.scoped_token("operator", &json!({"system": {"all": true}})).await;
    let unscoped = keystone.scoped_token("alice", &Value::Null).await;
    let operator = keystone.token("operator").await;
    let alice = keystone.token("alice").await;
    let mut seen = Vec::new();
    for token in [&system, &unscoped, &operator, &alice] {
        let mut row = Vec::new();
        for path in ["/v2/ping", "/v2/pools", "/v2/health", "/v2/queues"] {
            row.push(status(&app, path, token).await);
        }
        seen.push(row);
    }
    assert_eq!(
        seen,
        [[204, 200, 200, 400], [400, 400, 400, 400], [204, 200, 200, 200], [204, 403, 403, 200]]
    );
}

#[tokio::test]
async fn the_access_rules_of_an_application_credential() {
    let keystone = Keystone::shared().await;
    let rules = json!([{"service": "messaging", "method": "GET", "path": "/v2/queues"},
                       {"service": "messaging", "method": "PUT", "path": "/v2/queues/{name}"},
                       {"service": "compute", "method": "GET", "path": "/v2/**"}]);
    let [id, _, secret] = keystone.application_credential("alice", &rules).await;
    let credential = json!({"methods": ["application_credential"],
                            "application_credential": {"id": id, "secret": secret}});
    let token = keystone.log_in(&json!({ "identity": credential })).await;
    let app = service(&keystone.ini()).await;
    assert_eq!(status(&app, "/v2/queues", &token).await, 200);
    assert_eq!(status(&app, "/v2/queues/q", &token).await, 401);
    settled(request(&app, Method::PUT, "/v2/queues/q", &token)).await.expect(201);
    settled(request(&app, Method::DELETE, "/v2/queues/q", &token)).await.expect(401);
    // Beside the token of a service, which acts for its user, the rules are not for this service.
    let nova = keystone.token("nova").await;
    let served = request(&app, Method::DELETE, "/v2/queues/q", &token).header("x-service-token", &nova);
    settled(served).await.expect(204);
    let unrestricted = keystone.application_credential("alice", &Value::Null).await;
    let credential = json!({"methods": ["application_credential"],
                            "application_credential": {"id": unrestricted[0], "secret": "shh"}});
    let free = keystone.log_in(&json!({ "identity": credential })).await;
    assert_eq!(status(&app, "/v2/queues/q", &free).await, 200);
    for options in ["service_type =\n", "service_type = queueing\n", "include_service_catalog = false\n"] {
        let app = service(&format!("{}{options}", keystone.ini())).await;
        assert_eq!(status(&app, "/v2/queues", &token).await, 401, "{options}");
        assert_eq!(status(&app, "/v2/queues", &free).await, 200, "{options}");
    }
}

#[tokio::test]
async fn tokens_that_expire_and_the_services_that_may_pass_them_on() {
    // Signed tokens, so that both kinds are seen; its own account's tokens live as long.
    let keystone = Keystone::start(&["--provider", "jws", "--option", "token.expiration=4"]).await;
    let app = service(&keystone.ini()).await;
    let alice = keystone.token("alice").await;
    assert_eq!(status(&app, "/v2/queues", &alice).await, 200);
    let start = Instant::now();
    // The service's clock is moved as the time passes; Keystone's own is not ours to move.
    let mut passed = 0;
    loop {
        let now = start.elapsed().as_secs();
        app.pass(now - passed);
        passed = now;
        if status(&app, "/v2/queues", &alice).await == 401 {
            break;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "it never expired");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(start.elapsed() > Duration::from_secs(2), "it expired at once");
    // The service got itself a new token meanwhile, and lets in whoever has one.
    let nova = keystone.token("nova").await;
    let fresh = keystone.token("alice").await;
    assert_eq!(status(&app, "/v2/queues", &fresh).await, 200);
    let beside = async |user: &str, service: &str| {
        let request = request(&app, Method::GET, "/v2/queues", user).header("x-service-token", service);
        settled(request).await.status.as_u16()
    };
    assert_eq!(beside(&alice, &nova).await, 200);
    assert_eq!(beside(&alice, &fresh).await, 401, "a user is no service");
    assert_eq!(status(&app, "/v2/queues", &alice).await, 401);
}

#[tokio::test]
async fn a_keystone_behind_tls_that_wants_our_certificate() {
    let keystone = Keystone::start(&["--transport", "mutual-tls"]).await;
    let (authority, certificate, key) =
        (keystone.fact("cafile"), keystone.fact("certfile"), keystone.fact("keyfile"));
    let (ca, own) =
        (format!("cafile = {authority}\n"), format!("certfile = {certificate}\nkeyfile = {key}\n"));
    let joined = tempfile::NamedTempFile::new().unwrap();
    let both = [std::fs::read(certificate).unwrap(), std::fs::read(key).unwrap()].concat();
    std::fs::write(joined.path(), both).unwrap();
    let in_one = format!("certfile = {}\n", joined.path().display());
    for (options, expected) in [
        (format!("{ca}{own}"), 401),
        (format!("{ca}{in_one}"), 401),
        (format!("insecure = true\n{own}"), 401),
        // It knows nobody without a certificate, and we know nobody without its authority.
        (ca.clone(), 503),
        (own.clone(), 503),
        (format!("cafile = {certificate}\n{own}"), 503),
    ] {
        let app = service(&format!("{}{options}", keystone.ini())).await;
        let found = match expected {
            503 => first_status(&app, "unknown").await,
            _ => status(&app, "/v2/queues", "unknown").await,
        };
        assert_eq!(found, expected, "{options}");
    }
}
