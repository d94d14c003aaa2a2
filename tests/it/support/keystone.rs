//! A real Keystone: one for all tests of this process, or one of a test's own with other options.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};

/// A running Keystone. It ends with this, and with the process of the tests, whatever becomes of it: it reads a pipe
/// that is closed then.
pub(crate) struct Keystone {
    process: Child,
    /// What the tool says of it: URLs, ids, files.
    pub(crate) facts: Value,
}

impl Keystone {
    /// The one of this process, with Fernet tokens. Tests add to it, and change nothing that is there.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Keystone> = OnceCell::const_new();
        SHARED.get_or_init(async || Self::start(&[]).await).await
    }

    /// One with more arguments of the tool.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        // The first one ever installs it, and the others wait for that.
        static STARTING: Mutex<()> = Mutex::const_new(());
        let _alone = STARTING.lock().await;
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/keystone");
        let mut command = Command::new(tool);
        command.args(["--messaging-url", "http://127.0.0.1:8888"]).args(arguments);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the tool");
        let output = BufReader::new(process.stdout.take().expect("its output"));
        let line = tokio::task::spawn_blocking(move || output.lines().next());
        let line = line.await.expect("no panic").expect("it starts").expect("a line");
        Self { process, facts: serde_json::from_str(&line).expect("facts") }
    }

    /// A fact that is a text.
    pub(crate) fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().expect("a text")
    }

    /// The id of a user.
    pub(crate) fn user(&self, name: &str) -> &str {
        self.facts["users"][name]["id"].as_str().expect("a user")
    }

    /// The id of a project.
    pub(crate) fn project(&self, name: &str) -> &str {
        self.facts["projects"][name].as_str().expect("a project")
    }

    /// The configuration of a service that asks it, with its own account by password.
    pub(crate) fn ini(&self) -> String {
        let account = "auth_type = password\nusername = zaqar\npassword = secret\nuser_domain_id = default\n\
                       project_name = service\nproject_domain_id = default\n";
        format!("{}{account}", self.ini_without_account())
    }

    /// The same but for the account.
    pub(crate) fn ini_without_account(&self) -> String {
        let url = self.fact("auth_url");
        format!(
            "[DEFAULT]\nauth_strategy = keystone\n[keystone_authtoken]\nauth_url = {url}\n\
             www_authenticate_uri = {url}\nservice_type = messaging\n"
        )
    }

    /// A new token of that user for the project that it has a role in.
    pub(crate) async fn token(&self, user: &str) -> String {
        let project = &self.facts["users"][user]["project_id"];
        self.scoped_token(user, &json!({ "project": { "id": project } })).await
    }

    /// A new token of that user with that scope; null for none.
    pub(crate) async fn scoped_token(&self, user: &str, scope: &Value) -> String {
        let password = json!({ "user": { "id": self.user(user), "password": self.fact("password") } });
        let identity = json!({ "methods": ["password"], "password": password });
        self.log_in(
            &json!({ "identity": identity, "scope": if scope.is_null() { &UNSCOPED } else { scope } }),
        )
        .await
    }

    /// A new token by what stands under `auth`.
    pub(crate) async fn log_in(&self, auth: &Value) -> String {
        let url = format!("{}/auth/tokens", self.fact("auth_url"));
        let answer = settled(http().post(url).json(&json!({ "auth": auth }))).await;
        assert_eq!(answer.status().as_u16(), 201, "{auth}");
        let token = answer.headers().get("x-subject-token").expect("a token");
        token.to_str().expect("text").to_owned()
    }

    /// A call of the Identity API with that token: status and document.
    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.fact("auth_url"));
        let request = http().request(method, url).header("x-auth-token", token);
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = settled(request).await;
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// Makes an application credential of that user: its id, its name, and its secret.
    pub(crate) async fn application_credential(&self, user: &str, access_rules: &Value) -> [String; 3] {
        let name = format!("credential-{}", uuid::Uuid::new_v4());
        let mut credential = json!({ "name": name, "secret": "shh" });
        if !access_rules.is_null() {
            credential["access_rules"] = access_rules.clone();
        }
        let path = format!("/users/{}/application_credentials", self.user(user));
        let body = json!({ "application_credential": credential });
        let token = self.token(user).await;
        let (status, made) = self.call(Method::POST, &path, &token, &body).await;
        assert_eq!(status, 201, "{made}");
        let id = made["application_credential"]["id"].as_str().expect("an id").to_owned();
        [id, name, "shh".to_owned()]
    }

    /// How often it was asked for a token, by whomever.
    pub(crate) fn validations(&self) -> usize {
        let log = std::fs::read_to_string(self.fact("access_log")).expect("its log");
        log.matches("GET /v3/auth/tokens").count()
    }
}

impl Drop for Keystone {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The answer, once its database was free: SQLite has one writer, and Keystone says 500 to the next.
async fn settled(request: RequestBuilder) -> Response {
    let start = Instant::now();
    loop {
        let answer = request.try_clone().expect("without a stream").send().await.expect("an answer");
        if answer.status() != 500 || start.elapsed() > PATIENCE {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How long one waits for that, on a machine that builds beside it.
const PATIENCE: Duration = Duration::from_mins(1);

static UNSCOPED: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| json!("unscoped"));

/// A client that trusts anybody: the tests of TLS are the service's.
fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().expect("a client")
}
