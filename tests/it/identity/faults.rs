//! An identity service that fails: what callers are told, how soon, and what the log says.

use std::time::{Duration, Instant};

use reqwest::Method;

use super::common::{guarded, names};
use crate::support::client::{CLIENT_ID, send};
use crate::support::fake_keystone::{FakeKeystone, Fault, described};
use crate::support::process::free_address;
use crate::support::proxy::{self, Proxy};
use crate::support::{Client, Process, Store, TestApp};

/// The deadline of a validation, and what a machine that builds beside it may add.
const SOON: Duration = Duration::from_secs(4);

#[tokio::test]
async fn whatever_it_answers_callers_are_told_that_it_is_away() {
    let guarded = guarded("").await;
    guarded.keystone.knows_member("before", "p");
    guarded.get("/v2/queues", "before").await.expect(200);
    let says = |status, text: &str| Fault::Says(status, text.to_owned());
    let html = "<html>proxy</html>";
    let incomplete = r#"{"token": {"expires_at": "2099-01-01T00:00:00Z"}}"#;
    let faults = [
        says(500, ""),
        says(502, html),
        says(503, "{}"),
        says(403, "{}"),
        says(400, "{}"),
        says(204, ""),
        says(200, ""),
        says(200, html),
        says(200, "{}"),
        says(200, incomplete),
        says(200, r#"{"token": "#),
        Fault::Endless,
        Fault::Redirect("/v3/elsewhere".to_owned()),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        guarded.keystone.set(fault.clone());
        let (token, start) = (format!("t{number}"), Instant::now());
        guarded.keystone.knows_member(&token, "p");
        let answer = guarded.get("/v2/queues", &token).await;
        // A redirection within the same server is followed, and nothing is there.
        if matches!(fault, Fault::Redirect(_)) {
            assert_eq!(answer.status, 401);
            continue;
        }
        let answer = answer.expect(503);
        assert!(start.elapsed() < SOON, "{fault:?}: {:?}", start.elapsed());
        assert_eq!(
            answer.json()["description"],
            "The Keystone service is temporarily unavailable.",
            "{fault:?}"
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("www-authenticate"), None);
        guarded.keystone.set(Fault::None);
        guarded.get("/v2/queues", &token).await.expect(200);
    }
}

#[tokio::test]
async fn one_deadline_bounds_a_validation_with_all_its_attempts() {
    let guarded = guarded("http_request_max_retries = 100\nhttp_connect_timeout = 1\n").await;
    let slow = Fault::Slow(Duration::from_mins(1));
    guarded.keystone.set_login(slow.clone());
    let start = Instant::now();
    guarded.get("/v2/queues", "a").await.expect(503);
    guarded.keystone.set_login(Fault::None);
    guarded.keystone.set(slow);
    // Many at once do not wait for each other.
    let asked = (0..20).map(|number| {
        let request = guarded.request(Method::GET, "/v2/queues", &format!("t{number}"));
        async { send(request).await.expect(503) }
    });
    let mut asked: tokio::task::JoinSet<_> = asked.collect();
    while let Some(answer) = asked.join_next().await {
        answer.unwrap();
    }
    assert!(start.elapsed() < 2 * SOON, "{:?}", start.elapsed());
    assert!(guarded.keystone.validations("t1") >= 2, "an attempt ended after its second");
}

#[tokio::test]
async fn an_attempt_without_an_answer_is_repeated() {
    let guarded = guarded("http_request_max_retries = 2\n").await;
    guarded.keystone.knows_member("t", "p");
    guarded.keystone.drop_next(2);
    guarded.get("/v2/queues", "t").await.expect(200);
    assert_eq!(guarded.keystone.to_drop(), 0);
    let never = self::guarded("http_request_max_retries = 0\n").await;
    never.keystone.knows_member("t", "p");
    never.keystone.drop_next(1);
    never.get("/v2/queues", "t").await.expect(503);
}

#[tokio::test]
async fn a_connection_that_is_cut_in_the_midst_is_made_anew() {
    let keystone = FakeKeystone::start().await;
    let proxy = Proxy::start(keystone.address.port()).await;
    keystone.set_endpoints(&[("internal", "RegionOne", format!("http://{}", proxy.address))]);
    let app = TestApp::start(Store::Memory, &keystone.ini()).await;
    keystone.knows_member("a", "p");
    keystone.knows_member("b", "p");
    let get = async |token: &str| send(super::common::request(&app, Method::GET, "/v2/queues", token)).await;
    get("a").await.expect(200);
    proxy.set(proxy::Fault::CutAnswers);
    get("b").await.expect(503);
    proxy.set(proxy::Fault::None);
    get("b").await.expect(200);
}

#[tokio::test]
async fn our_own_token_is_renewed_once_when_it_is_refused() {
    let guarded = guarded("").await;
    let keystone = &guarded.keystone;
    for token in ["a", "b", "c"] {
        keystone.knows_member(token, "p");
    }
    guarded.get("/v2/queues", "a").await.expect(200);
    guarded.get("/v2/queues", "unknown").await.expect(401);
    assert_eq!(keystone.logins(), 1);
    keystone.revoke_own();
    guarded.get("/v2/queues", "b").await.expect(200);
    assert_eq!((keystone.logins(), keystone.validations("b")), (2, 2));
    // An identity service that refuses what it just gave is not asked a third time.
    keystone.set(Fault::Says(401, "{}".to_owned()));
    guarded.get("/v2/queues", "c").await.expect(503);
    assert_eq!((keystone.logins(), keystone.validations("c")), (3, 2));
}

#[tokio::test]
async fn our_own_token_is_renewed_before_its_end() {
    let guarded = guarded("").await;
    let keystone = &guarded.keystone;
    // The clock of the service stands at 2027-01-15T08:00:00Z.
    keystone.set_own_expiry("2027-01-15T09:00:00.000000Z");
    for token in ["a", "b", "c"] {
        keystone.knows_member(token, "p");
    }
    guarded.get("/v2/queues", "a").await.expect(200);
    guarded.app.pass(3_500);
    guarded.get("/v2/queues", "b").await.expect(200);
    assert_eq!(keystone.logins(), 1);
    guarded.app.pass(60);
    keystone.set_own_expiry("2027-01-15T11:00:00.000000Z");
    guarded.get("/v2/queues", "c").await.expect(200);
    assert_eq!(keystone.logins(), 2);
}

#[tokio::test]
async fn many_callers_of_a_new_service_cause_one_login() {
    let guarded = guarded("").await;
    let asked = (0..50).map(|number| {
        let token = format!("t{number}");
        guarded.keystone.knows_member(&token, "p");
        let request = guarded.request(Method::GET, "/v2/queues", &token);
        async { send(request).await.expect(200) }
    });
    let mut asked: tokio::task::JoinSet<_> = asked.collect();
    while let Some(answer) = asked.join_next().await {
        answer.unwrap();
    }
    assert_eq!(guarded.keystone.logins(), 1);
}

#[tokio::test]
async fn a_login_goes_on_when_its_caller_is_gone() {
    let guarded = guarded("").await;
    guarded.keystone.knows_member("t", "p");
    // Longer than any request waits.
    guarded.keystone.set_login(Fault::Slow(Duration::from_millis(2_500)));
    let start = Instant::now();
    guarded.get("/v2/queues", "t").await.expect(503);
    while guarded.get("/v2/queues", "t").await.status != 200 {
        assert!(start.elapsed() < Duration::from_mins(1), "it never came to an end");
    }
    assert_eq!(guarded.keystone.logins(), 1);
}

#[tokio::test]
async fn a_wrong_password_does_not_lock_the_account() {
    let guarded = guarded("").await;
    guarded.keystone.set_login(Fault::Says(401, "{}".to_owned()));
    let start = Instant::now();
    let mut asked = 0_usize;
    while start.elapsed() < Duration::from_millis(500) {
        guarded.get("/v2/queues", &format!("t{asked}")).await.expect(503);
        asked += 1;
    }
    assert!(guarded.keystone.logins() <= 2 && asked > 2, "{} logins for {asked}", guarded.keystone.logins());
}

#[tokio::test]
async fn our_token_goes_to_no_other_server() {
    let (guarded, other) = (guarded("").await, FakeKeystone::start().await);
    guarded.keystone.knows_member("t", "p");
    guarded.keystone.set(Fault::Redirect(format!("http://{}/v3/auth/tokens", other.address)));
    guarded.get("/v2/queues", "t").await.expect(503);
    guarded.keystone.set_login(Fault::Redirect(format!("http://{}/v3/auth/tokens", other.address)));
    guarded.keystone.revoke_own();
    guarded.get("/v2/queues", "t").await.expect(503);
    assert_eq!(other.seen().len(), 0);
}

#[tokio::test]
async fn tokens_are_checked_at_the_endpoint_of_that_interface_and_region() {
    let (keystone, there) = (FakeKeystone::start().await, FakeKeystone::start().await);
    let dead = format!("http://{}", free_address());
    keystone.set_endpoints(&[
        ("internal", "Here", dead.clone()),
        ("admin", "There", dead.clone()),
        ("internal", "There", format!("http://{}/v3/", keystone.address)),
        ("public", "There", format!("http://{}/", there.address)),
    ]);
    keystone.knows_member("t", "p");
    for (options, status) in [
        ("region_name = There\n", 200),
        ("region_name = Here\n", 503),
        ("", 503),
        ("region_name = There\ninterface = admin\n", 503),
        ("region_name = Nowhere\n", 503),
        // The other one does not know our token.
        ("region_name = There\ninterface = public\n", 503),
    ] {
        let app = TestApp::start(Store::Memory, &format!("{}{options}", keystone.ini())).await;
        let answer = send(super::common::request(&app, Method::GET, "/v2/queues", "t")).await;
        assert_eq!(answer.status.as_u16(), status, "{options}");
    }
    assert!(there.seen().iter().any(|seen| seen.own.is_some()), "the public endpoint was asked");
}

#[tokio::test]
async fn a_delayed_decision_takes_an_outage_for_an_invalid_token() {
    let guarded = guarded("delay_auth_decision = true\n").await;
    guarded.keystone.set(Fault::Says(500, String::new()));
    let answer = guarded.get("/v2/queues", "t").await.expect(400);
    assert_eq!(answer.json()["title"], "Project-Id Missing");
}

#[tokio::test]
async fn the_log_tells_an_outage_once_and_no_secret_ever() {
    let keystone = FakeKeystone::start().await;
    let home = tempfile::tempdir().unwrap();
    let stores = Store::Memory.ini();
    let ini = format!("{stores}{}[DEFAULT]\ndebug = true\n", keystone.ini());
    let server = Process::start(home.path(), &ini).await;
    let client = Client::new(server.address, "none");
    let get = async |token: &str| {
        let request = client.bare(Method::GET, "/v2/queues").header("client-id", CLIENT_ID);
        send(request.header("x-auth-token", token)).await
    };
    keystone.knows("secret-of-alice", described("alpha", &["member"]));
    assert_eq!(names(&get("secret-of-alice").await.expect(200)), [""; 0]);
    keystone.set(Fault::Says(500, String::new()));
    for number in 0..5 {
        get(&format!("secret-{number}")).await.expect(503);
    }
    keystone.set(Fault::None);
    for number in 5..10 {
        get(&format!("secret-{number}")).await.expect(401);
    }
    let log = server.log();
    assert_eq!(log.matches("the identity service cannot be asked").count(), 1, "{log}");
    assert_eq!(log.matches("the identity service answers again").count(), 1, "{log}");
    assert!(log.contains("with 500"), "{log}");
    for secret in ["secret-", "s3cret", "own-1"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}
