//! The identity service, Keystone: asked what tokens are worth, with an account of our own.
//!
//! One deadline bounds a validation, with all that it takes: the login of our own account, its renewal, repeated
//! attempts (decision 28).

mod account;
mod catalogue;
mod client;
mod outage;
mod session;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use http::{HeaderName, HeaderValue, StatusCode};

pub use self::account::{Account, Domain, Method, Named, Scope};
use self::client::{Answer, Client};
pub use self::client::{HttpError, HttpSettings};
use self::outage::Outage;
use self::session::{Own, Session};
use super::{Token, Unavailable, Validated, Validator};
use crate::clock::Clock;
use crate::telemetry::{self, Metric};

/// What a validation may take in all.
const DEADLINE: Duration = Duration::from_secs(2);

const OUR_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const SUBJECT: HeaderName = HeaderName::from_static("x-subject-token");
const ACCESS_RULES: HeaderName = HeaderName::from_static("openstack-identity-access-rules");

/// Where the identity service is, and how it is asked.
pub struct KeystoneSettings {
    /// The account of this service.
    pub account: Account,
    /// Where that account logs in, with or without the version at its end.
    pub auth_url: String,
    /// The interface of the identity service that tokens are validated at: public, internal or admin.
    pub interface: String,
    /// The region of the identity service; `None` for the first one listed.
    pub region: Option<String>,
    /// Whether tokens are described with their catalogue.
    pub catalog: bool,
    /// Where callers without a valid token should get one; `None`: what the catalogue says.
    pub www_authenticate_uri: Option<String>,
    /// Certificates, time-outs and repeated attempts.
    pub http: HttpSettings,
}

/// The identity service.
pub struct Keystone {
    session: Arc<Session>,
    client: Client,
    query: [Option<&'static str>; 1],
    outage: Outage,
}

/// What the identity service said of a token.
enum Reply {
    Known(Box<Validated>),
    Unknown,
    /// It did not look at it, for our own token is not valid.
    OwnRefused,
}

impl Keystone {
    /// The identity service of those settings. Nothing is asked yet. Fails where the certificates cannot be used.
    pub fn new(settings: KeystoneSettings, clock: Clock) -> Result<Self, HttpError> {
        let client = Client::new(&settings.http)?;
        let query = [(!settings.catalog).then_some("nocatalog")];
        let session = Arc::new(Session::new(settings, client.clone(), clock));
        Ok(Self { session, client, query, outage: Outage::default() })
    }

    /// Where callers without a valid token should get one; changes when the catalogue is known.
    pub fn www_authenticate_uri(&self) -> Arc<ArcSwap<String>> {
        self.session.public_uri()
    }

    async fn ask(&self, token: &HeaderValue, allow_expired: bool) -> Result<Option<Validated>, Unavailable> {
        let own = self.session.own(None).await?;
        let reply = match self.ask_as(&own, token, allow_expired).await? {
            Reply::OwnRefused => {
                let renewed = self.session.own(Some(&own)).await?;
                self.ask_as(&renewed, token, allow_expired).await?
            }
            reply => reply,
        };
        match reply {
            Reply::Known(validated) => Ok(Some(*validated)),
            Reply::Unknown => Ok(None),
            Reply::OwnRefused => {
                Err(Unavailable::because("it refuses a token that it just gave this service"))
            }
        }
    }

    async fn ask_as(
        &self,
        own: &Own,
        token: &HeaderValue,
        allow_expired: bool,
    ) -> Result<Reply, Unavailable> {
        let query = self.query.into_iter().flatten().chain(allow_expired.then_some("allow_expired=1"));
        let query = query.collect::<Vec<_>>().join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{}/auth/tokens{mark}{query}", own.endpoint);
        let request =
            self.client.get(&url)?.header(OUR_TOKEN, own.token.clone()).header(SUBJECT, token.clone());
        read(self.client.send(request.header(ACCESS_RULES, "1")).await?)
    }
}

/// Reads the answer to the question for a token.
fn read(answer: Answer) -> Result<Reply, Unavailable> {
    match answer.status {
        StatusCode::OK => {
            let token =
                Token::parse(&answer.body).map_err(|error| Unavailable::because(error.to_string()))?;
            Ok(Reply::Known(Box::new(Validated { token: Arc::new(token), document: answer.body })))
        }
        StatusCode::NOT_FOUND => Ok(Reply::Unknown),
        StatusCode::UNAUTHORIZED => Ok(Reply::OwnRefused),
        status => Err(Unavailable::because(format!("it answered the validation of a token with {status}"))),
    }
}

#[async_trait]
impl Validator for Keystone {
    async fn validate(&self, token: &str, allow_expired: bool) -> Result<Option<Validated>, Unavailable> {
        // What cannot be sent is no token of anybody's.
        let Ok(mut token) = HeaderValue::from_str(token) else { return Ok(None) };
        token.set_sensitive(true);
        let start = Instant::now();
        let answer = tokio::time::timeout(DEADLINE, self.ask(&token, allow_expired)).await;
        let late = |_| Err(Unavailable::because(format!("no answer within {} s", DEADLINE.as_secs())));
        let answer = answer.unwrap_or_else(late);
        self.outage.note(answer.as_ref().err());
        let outcome = match &answer {
            Ok(Some(_)) => "valid",
            Ok(None) => "invalid",
            Err(_) => "unavailable",
        };
        telemetry::count(Metric::IdentityValidations, &[outcome], 1);
        telemetry::observe(Metric::IdentityValidationSeconds, &[], start.elapsed());
        answer
    }
}
