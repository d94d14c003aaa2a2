//! Requests to the identity service: certificates, repeated attempts, limits.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Identity, Method, RequestBuilder, Response};

use crate::auth::Unavailable;

/// The longest answer that is read: a token of many roles with a large catalogue has a tenth of it.
const LONGEST: usize = 4 << 20;

/// The pause before the first repeated attempt; it doubles.
const PAUSE: Duration = Duration::from_millis(50);

/// How the identity service is reached.
#[derive(Clone, Debug, Default)]
pub struct HttpSettings {
    /// File of the authorities that are trusted; `None` for those of the system.
    pub authorities: Option<PathBuf>,
    /// File of the service's certificate, and the one of its key, where they are two.
    pub certificate: Option<(PathBuf, Option<PathBuf>)>,
    /// Accept any certificate.
    pub insecure: bool,
    /// What one attempt may take; `None` for what is left of the deadline.
    pub attempt: Option<Duration>,
    /// How often a failed attempt is repeated.
    pub retries: u32,
}

/// Why the client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The authorities cannot be read.
    #[error("the authorities cannot be used: {0}")]
    Authorities(String),
    /// The certificate or its key cannot be read.
    #[error("the certificate or its key cannot be used: {0}")]
    Certificate(String),
    /// Everything else.
    #[error("no client can be made: {0}")]
    Client(String),
}

/// An answer, read whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The client. Clones share its connections.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    attempt: Option<Duration>,
    retries: u32,
}

impl Client {
    pub(super) fn new(settings: &HttpSettings) -> Result<Self, HttpError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("zaqar/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::custom(stay))
            .tls_danger_accept_invalid_certs(settings.insecure);
        if let Some(file) = &settings.authorities {
            let unusable = |error: String| HttpError::Authorities(error);
            let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
            let authorities = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(reason(&error)))?;
            if authorities.is_empty() {
                return Err(unusable("no certificate in it".to_owned()));
            }
            builder = builder.tls_certs_only(authorities);
        }
        if let Some((certificate, key)) = &settings.certificate {
            builder = builder.identity(identity(certificate, key.as_ref())?);
        }
        let http = builder.build().map_err(|error| HttpError::Client(reason(&error)))?;
        Ok(Self { http, attempt: settings.attempt, retries: settings.retries })
    }

    pub(super) fn get(&self, url: &str) -> Result<RequestBuilder, Unavailable> {
        self.request(Method::GET, url)
    }

    pub(super) fn post(&self, url: &str) -> Result<RequestBuilder, Unavailable> {
        self.request(Method::POST, url)
    }

    fn request(&self, method: Method, url: &str) -> Result<RequestBuilder, Unavailable> {
        let url = reqwest::Url::parse(url).map_err(|_| Unavailable::because("its URL is none"))?;
        let request = self.http.request(method, url).header(http::header::ACCEPT, "application/json");
        Ok(match self.attempt {
            Some(limit) => request.timeout(limit),
            None => request,
        })
    }

    /// Sends it, again where no whole answer came. The caller's deadline bounds all of it.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, Unavailable> {
        let mut pause = PAUSE;
        for _ in 0..self.retries {
            let Some(again) = request.try_clone() else { break };
            match attempt(again).await {
                Err(Failure::Transport(error)) => tracing::debug!(error.cause = %error, "asking again"),
                answer => return answer.map_err(Failure::into_unavailable),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        attempt(request).await.map_err(Failure::into_unavailable)
    }
}

/// Why there is no answer.
enum Failure {
    /// None came, or half of one.
    Transport(String),
    /// One came that cannot be used.
    Answer(&'static str),
}

impl Failure {
    fn into_unavailable(self) -> Unavailable {
        match self {
            Self::Transport(reason) => Unavailable::because(reason),
            Self::Answer(reason) => Unavailable::because(reason),
        }
    }
}

async fn attempt(request: RequestBuilder) -> Result<Answer, Failure> {
    let transport = |error| Failure::Transport(reason(&error));
    let mut response = request.send().await.map_err(transport)?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let body = read(response).await?;
    Ok(Answer { status, headers, body })
}

async fn read(mut response: Response) -> Result<Bytes, Failure> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Failure::Transport(reason(&error)))? {
        if body.len() + chunk.len() > LONGEST {
            return Err(Failure::Answer("its answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The service's certificate with its key; both may stand in one file.
fn identity(certificate: &PathBuf, key: Option<&PathBuf>) -> Result<Identity, HttpError> {
    let unusable = |error: std::io::Error| HttpError::Certificate(error.to_string());
    let mut pem = std::fs::read(certificate).map_err(unusable)?;
    if let Some(key) = key {
        pem.push(b'\n');
        pem.extend(std::fs::read(key).map_err(unusable)?);
    }
    Identity::from_pem(&pem).map_err(|error| HttpError::Certificate(reason(&error)))
}

/// A redirection leads on only within the same server: the next one must not see our token.
fn stay(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let same = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    if same && attempt.previous().len() <= 3 { attempt.follow() } else { attempt.stop() }
}

/// An error with its causes, on one line. The URL in it holds no secret.
fn reason(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let _ = write!(text, ": {next}");
        cause = next.source();
    }
    text
}
