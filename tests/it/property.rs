//! Whatever bytes a client sends, it gets a documented answer below 500, in time; and what it posts comes back.

mod bodies;
mod documented;
mod headers;
mod json;
mod request;
mod target;
mod text;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;
use tokio::task::JoinSet;

use self::request::{Form, Request};
use self::text::Ids;
use self::wire::Answer;
use crate::support::{Process, Store, TestApp, random};

/// Requests for each store.
const REQUESTS: usize = 6_000;

/// Connections at the same time.
const CLIENTS: usize = 16;

/// Limits of the listener that are waited for; all versions.
const INI: &str = "[listener]\nheader_timeout = 4\nbody_timeout = 4\n\
                   [DEFAULT]\nenable_deprecated_api_versions = 1,1.1\n";

/// The same with the routes for administrators. A pool with queues in it is kept: those would be lost with it.
const ADMIN_INI: &str = "admin_mode = true\npooling = true\n\
                         [pooling:catalog]\nenable_virtual_pool = true\nprotect_used_pools = true\n";

/// What the requests must have met, or they are not what they should be.
const MET: [u16; 10] = [200, 201, 204, 300, 400, 404, 405, 406, 415, 431];

/// What those of an administrator must have met.
const ADMIN_MET: [u16; 8] = [200, 201, 204, 400, 403, 404, 405, 409];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_bytes_get_a_documented_answer() {
    println!("{:?}", attack(REQUESTS, false, &MET).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_so_they_do_where_administrators_call() {
    println!("{:?}", attack(REQUESTS / 2, true, &ADMIN_MET).await);
}

/// Sends so many requests to a service on each store, which must meet these statuses: how often each was met.
async fn attack(requests: usize, admin: bool, must_meet: &[u16]) -> Vec<Statuses> {
    let (mut rng, mut all) = (random::seeded(), Vec::new());
    for store in Store::ALL {
        let state = tempfile::tempdir().unwrap();
        let ini = format!("{}{INI}{}", store.ini(), if admin { ADMIN_INI } else { "" });
        let server = Process::start(state.path(), &ini).await;
        let mut clients = JoinSet::new();
        for (number, rng) in random::workers(&mut rng, CLIENTS).into_iter().enumerate() {
            let (address, ids, statuses) = (server.address, Ids::default(), Statuses::new());
            clients
                .spawn(HostileClient { address, rng, ids, number, admin, statuses }.run(requests / CLIENTS));
        }
        let mut statuses = Statuses::new();
        while let Some(done) = clients.join_next().await {
            let met = done.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
            let met = met.unwrap_or_else(|problem| panic!("{store:?}: {problem}\nlog: {}", server.log()));
            for (status, count) in met {
                *statuses.entry(status).or_default() += count;
            }
        }
        assert!(must_meet.iter().all(|status| statuses.contains_key(&Some(*status))), "{statuses:?}");
        server.client("p").put("/v2/queues/after").await.expect(201);
        let log = server.log();
        assert!(!log.contains("panicked") && !log.contains("defect"), "{log}");
        assert_eq!(server.terminate().await.code(), Some(0));
        all.push(statuses);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_come_back_as_they_were() {
    let mut rng = random::seeded();
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        for _ in 0..150 {
            let values: Vec<_> = (0..rng.random_range(1..=20)).map(|_| json::value(&mut rng, 6)).collect();
            let list: Vec<_> =
                values.iter().map(|value| format!("{{\"body\":{}}}", value.loose(&mut rng))).collect();
            let document = format!("{{ \"messages\" : [{}] }}", list.join(" ,\n"));
            let posted = client.request(reqwest::Method::POST, "/v2/queues/q/messages").body(document);
            let ids = crate::support::client::send(posted).await.expect(201).ids();
            let got = client.get(&format!("/v2/queues/q/messages?ids={}", ids.join(","))).await.expect(200);
            let got: json::Messages = serde_json::from_slice(&got.bytes).expect("JSON");
            let got: Vec<_> = got.messages.iter().map(|message| message.body.get()).collect();
            assert_eq!(got, values.iter().map(json::Value::tight).collect::<Vec<_>>());
        }
    }
}

/// A client that sends what it likes.
struct HostileClient {
    address: SocketAddr,
    rng: TestRng,
    ids: Ids,
    number: usize,
    admin: bool,
    statuses: Statuses,
}

/// How often each status was met; `None` where the server closed without an answer.
type Statuses = BTreeMap<Option<u16>, usize>;

impl HostileClient {
    /// Sends so many requests: what came back, or what should not have.
    async fn run(mut self, count: usize) -> Result<Statuses, String> {
        for index in 0..count {
            let mut request = request::request(&mut self.rng, &self.ids, self.admin);
            // Waiting for a time-out takes seconds; each client does it once.
            if index == self.number {
                request.form = Form::Stalling;
            }
            let answer = wire::exchange(self.address, &request).await;
            *self.statuses.entry(answer.as_ref().map(|answer| answer.status)).or_default() += 1;
            check(&request, answer.as_ref(), self.admin)
                .map_err(|problem| format!("{problem}\nrequest: {request}\nanswer: {answer:?}"))?;
            if let Some(answer) = answer {
                self.ids.learn(&answer.body);
            }
        }
        Ok(self.statuses)
    }
}

/// What every answer has to be.
fn check(request: &Request, answer: Option<&Answer>, admin: bool) -> Result<(), String> {
    let Some(answer) = answer else {
        let excused = request.form != Form::Sound;
        return if excused { Ok(()) } else { Err("no answer".into()) };
    };
    // A queue that was about to be put into a pool that somebody deletes meanwhile; the next attempt finds another one.
    if admin && answer.status == 503 {
        return Ok(());
    }
    if answer.status >= 500 {
        return Err("a 5xx".into());
    }
    if request.form != Form::Sound {
        return Ok(());
    }
    let documented = documented::statuses(request, admin);
    if !documented.contains(&answer.status) {
        return Err(format!("not among the documented {documented:?}"));
    }
    // The health checks of load balancers speak plain text.
    let plain = documented::path(&request.target).starts_with("/healthcheck");
    if plain || request.method == b"HEAD" || answer.status == 204 || !answer.ours {
        return Ok(());
    }
    match (answer.status, serde_json::from_slice::<json::Document>(&answer.body)) {
        // PUT of a queue, and OPTIONS; and v1 tells by the status alone whether there is a queue.
        (200 | 201, Err(_)) if answer.body.is_empty() => Ok(()),
        (404, Err(_)) if answer.body.is_empty() && documented::tells_by_status(request) => Ok(()),
        // v1 has lists without a name.
        (200 | 201, Err(_)) if serde_json::from_slice::<Vec<json::Document>>(&answer.body).is_ok() => Ok(()),
        (_, Err(_)) if request.odd_accept => Ok(()),
        (_, Err(problem)) => Err(format!("no JSON: {problem}")),
        (400.., Ok(document)) if document.title.as_deref().is_none_or(str::is_empty) => {
            Err("an error without a title".into())
        }
        _ => Ok(()),
    }
}
