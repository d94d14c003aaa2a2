//! Our own token at the identity service, kept until shortly before its end; with it came where tokens are validated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::catalogue::{self, Service};
use super::client::{Answer, Client};
use super::{Account, KeystoneSettings, SUBJECT};
use crate::auth::{Unavailable, token};
use crate::clock::{Clock, Timestamp};

/// Our token is renewed this many seconds before its end, or in the last quarter of its life where that is shorter.
const MARGIN: u64 = 60;

/// After a login that failed, the next one waits that long: a wrong password in a file must not lock the account.
const LOGIN_PAUSE: Duration = Duration::from_secs(1);

/// What a login may take. Longer than a request waits for it: the next request finds what came of it, however slow the
/// identity service is at passwords.
const LOGIN_LIMIT: Duration = Duration::from_secs(15);

/// Our token.
pub(super) struct Own {
    pub(super) token: HeaderValue,
    /// Where tokens are validated: a URL that ends in `/v3`.
    pub(super) endpoint: String,
    renew_at: Timestamp,
}

/// What logs in, and keeps the token.
pub(super) struct Session {
    account: Account,
    auth_url: String,
    interface: String,
    region: Option<String>,
    client: Client,
    clock: Clock,
    current: ArcSwapOption<Own>,
    /// Held while somebody logs in: when that failed last, and why.
    login: Arc<Mutex<Option<(Instant, Unavailable)>>>,
    /// Whether the public URI below is to be learnt from the catalogue.
    learns: bool,
    public_uri: Arc<ArcSwap<String>>,
}

#[derive(Deserialize)]
struct Document {
    token: Description,
}

#[derive(Deserialize)]
struct Description {
    expires_at: String,
    #[serde(default)]
    catalog: Vec<Service>,
}

impl Session {
    pub(super) fn new(settings: KeystoneSettings, client: Client, clock: Clock) -> Self {
        let auth_url = catalogue::versioned(&settings.auth_url);
        let learns = settings.www_authenticate_uri.is_none();
        let public_uri = settings.www_authenticate_uri.unwrap_or_else(|| auth_url.clone());
        Self {
            account: settings.account,
            auth_url,
            interface: settings.interface,
            region: settings.region,
            client,
            clock,
            current: ArcSwapOption::empty(),
            login: Arc::default(),
            learns,
            public_uri: Arc::new(ArcSwap::from_pointee(public_uri)),
        }
    }

    pub(super) fn public_uri(&self) -> Arc<ArcSwap<String>> {
        self.public_uri.clone()
    }

    /// Our token: another one than `refused`, which the identity service did not accept.
    pub(super) async fn own(self: &Arc<Self>, refused: Option<&Arc<Own>>) -> Result<Arc<Own>, Unavailable> {
        if let Some(own) = self.fresh(refused) {
            return Ok(own);
        }
        let failed = self.login.clone().lock_owned().await;
        // Somebody else may have logged in, or failed to, in the meantime.
        if let Some(own) = self.fresh(refused) {
            return Ok(own);
        }
        if let Some((_, problem)) = failed.as_ref().filter(|(when, _)| when.elapsed() < LOGIN_PAUSE) {
            return Err(problem.clone());
        }
        let login = self.clone().log_in_holding(failed);
        #[expect(
            clippy::disallowed_methods,
            reason = "bounded in time, and writes nothing that an end would tear"
        )]
        tokio::spawn(login).await.unwrap_or_else(|_| Err(Unavailable::because("the login ended early")))
    }

    /// Logs in, also where the request that wanted it is gone, and notes what came of it.
    async fn log_in_holding(
        self: Arc<Self>,
        mut failed: OwnedMutexGuard<Option<(Instant, Unavailable)>>,
    ) -> Result<Arc<Own>, Unavailable> {
        let login = tokio::time::timeout(LOGIN_LIMIT, self.log_in()).await;
        let login =
            login.unwrap_or_else(|_| Err(Unavailable::because("no answer to the login of this service")));
        match &login {
            Ok(own) => self.current.store(Some(own.clone())),
            Err(problem) => *failed = Some((Instant::now(), problem.clone())),
        }
        login
    }

    fn fresh(&self, refused: Option<&Arc<Own>>) -> Option<Arc<Own>> {
        let own = self.current.load_full()?;
        let usable =
            self.clock.now() < own.renew_at && refused.is_none_or(|refused| !Arc::ptr_eq(refused, &own));
        usable.then_some(own)
    }

    async fn log_in(&self) -> Result<Arc<Own>, Unavailable> {
        let request = self.client.post(&format!("{}/auth/tokens", self.auth_url))?;
        let request = request.header(CONTENT_TYPE, "application/json").body(self.account.login());
        let answer = self.client.send(request).await?;
        match answer.status {
            StatusCode::CREATED | StatusCode::OK => self.read(answer).map(Arc::new),
            StatusCode::UNAUTHORIZED => {
                Err(Unavailable::because("it refuses this service's own account (see [keystone_authtoken])"))
            }
            status => {
                Err(Unavailable::because(format!("it answered the login of this service with {status}")))
            }
        }
    }

    fn read(&self, mut answer: Answer) -> Result<Own, Unavailable> {
        let malformed = || Unavailable::because("its answer to the login of this service cannot be read");
        let mut token = answer.headers.remove(SUBJECT).ok_or_else(malformed)?;
        token.set_sensitive(true);
        let Document { token: description } =
            serde_json::from_slice(&answer.body).map_err(|_| malformed())?;
        let services = &description.catalog;
        let endpoint = catalogue::identity(services, &self.interface, self.region.as_deref());
        let endpoint = endpoint.ok_or_else(|| {
            let region =
                self.region.as_ref().map(|region| format!(" in region {region}")).unwrap_or_default();
            Unavailable::because(format!(
                "its catalogue has no {} endpoint of identity{region}",
                self.interface
            ))
        })?;
        if self.learns
            && let Some(public) = catalogue::identity(services, "public", self.region.as_deref())
        {
            self.public_uri.store(Arc::new(public));
        }
        let expires_at = token::time(&description.expires_at).ok_or_else(malformed)?;
        Ok(Own { token, endpoint, renew_at: self.renew_at(expires_at) })
    }

    fn renew_at(&self, expires_at: Timestamp) -> Timestamp {
        let life = expires_at.seconds_since(self.clock.now());
        expires_at.minus_seconds(MARGIN.min(life / 4))
    }
}
