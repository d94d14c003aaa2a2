//! Who a request's tokens prove its sender to be (storage-and-operations.md 14.2).

mod access;
mod bind;

use std::sync::Arc;
use std::sync::Once;

use arc_swap::ArcSwap;
use http::HeaderMap;
use http::request::Parts;

pub use self::bind::Binding;
use super::{Identity, Proven, Token, Unavailable, Validator};
use crate::clock::Clock;
use crate::error::{Error, Result};

/// The longest token that is looked at, in bytes. A longer one does not fit the header in which the identity service
/// wants to see it.
const LONGEST: usize = 8_000;

/// What tokens must be like.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// Callers without a valid token pass, as nobody.
    pub delay_decision: bool,
    /// A token with one of these roles is that of a service.
    pub service_roles: Vec<String>,
    /// Tokens without such a role do not count as service tokens.
    pub service_roles_required: bool,
    /// The type of this service in catalogues and access rules.
    pub service_type: Option<String>,
    /// What is demanded of tokens that are bound to something.
    pub binding: Binding,
}

/// Checks the tokens of requests.
pub struct Tokens {
    settings: TokenSettings,
    validator: Arc<dyn Validator>,
    clock: Clock,
    /// Where callers without a valid token should get one.
    authenticate_at: Arc<ArcSwap<String>>,
    loose_service: Once,
}

/// A header that holds a token.
enum Sent<'a> {
    Nothing,
    Token(&'a str),
    /// Something that no token is.
    Nonsense,
}

/// What the header `X-Service-Token` proved.
enum Service {
    Absent,
    Invalid,
    /// A service by its token, and whether it may pass on tokens whose time has passed.
    Confirmed(Arc<Token>, bool),
}

impl Tokens {
    /// Checks with that validator's help.
    pub fn new(
        settings: TokenSettings,
        validator: Arc<dyn Validator>,
        authenticate_at: Arc<ArcSwap<String>>,
        clock: Clock,
    ) -> Self {
        Self { settings, validator, clock, authenticate_at, loose_service: Once::new() }
    }

    /// Who sent the request. `mounted_at` stands before its path, for access rules see the whole of it.
    pub(super) async fn admit(&self, request: &Parts, mounted_at: &str) -> Result<Proven> {
        let service = self.service(&request.headers).await?;
        let user = self.user(request, mounted_at, &service).await?;
        match (user, service) {
            (Some(user), Service::Confirmed(service, may_expire)) => {
                Ok(passed_on(&user, &service, may_expire))
            }
            (Some(user), Service::Absent) => Ok(proven(&user)),
            (Some(user), Service::Invalid) if self.settings.delay_decision => Ok(proven(&user)),
            (None, _) if self.settings.delay_decision => {
                Ok(Proven { identity: Arc::default(), expires: None })
            }
            _ => Err(Error::Unauthorized(self.authenticate_at.load_full())),
        }
    }

    async fn service(&self, headers: &HeaderMap) -> Result<Service> {
        let token = match sent(headers, "x-service-token") {
            Sent::Nothing => return Ok(Service::Absent),
            Sent::Nonsense => return Ok(Service::Invalid),
            Sent::Token(token) => token,
        };
        let Some(token) = self.validated(token, false).await? else { return Ok(Service::Invalid) };
        if !self.settings.binding.permits(&token.bind) {
            return Ok(Service::Invalid);
        }
        let is_service = self.settings.service_roles.iter().any(|role| token.identity.roles.contains(role));
        if !is_service && self.settings.service_roles_required {
            tracing::debug!("a service token has none of the roles in service_token_roles");
            return Ok(Service::Invalid);
        }
        if !is_service {
            self.loose_service.call_once(|| {
                tracing::warn!(
                    "a service token without a service's role was accepted; set service_token_roles_required"
                );
            });
        }
        Ok(Service::Confirmed(token, is_service))
    }

    async fn user(&self, request: &Parts, mounted_at: &str, service: &Service) -> Result<Option<Arc<Token>>> {
        let headers = &request.headers;
        let name = if headers.contains_key("x-auth-token") { "x-auth-token" } else { "x-storage-token" };
        let Sent::Token(token) = sent(headers, name) else { return Ok(None) };
        let may_expire = matches!(service, Service::Confirmed(_, true));
        let Some(token) = self.validated(token, may_expire).await? else { return Ok(None) };
        let served = matches!(service, Service::Confirmed(..));
        let allowed = match &token.access {
            Some(access) => {
                let path = format!("{mounted_at}{}", request.uri.path());
                let service_type = self.settings.service_type.as_deref();
                access::permits(access, service_type, served, &request.method, &path)
            }
            None => true,
        };
        let bound = matches!(service, Service::Absent) && !self.settings.binding.permits(&token.bind);
        Ok((allowed && !bound).then_some(token))
    }

    /// The token, if there is such a one and its time has not passed.
    async fn validated(&self, token: &str, allow_expired: bool) -> Result<Option<Arc<Token>>> {
        if token.len() > LONGEST {
            return Ok(None);
        }
        let found = match self.validator.validate(token, allow_expired).await {
            Ok(found) => found.map(|validated| validated.token),
            Err(Unavailable(_)) if self.settings.delay_decision => None,
            Err(Unavailable(_)) => return Err(Error::IdentityUnavailable),
        };
        Ok(found.filter(|token| allow_expired || !token.is_expired(self.clock.now())))
    }
}

/// Whom a user's own token proves.
fn proven(user: &Token) -> Proven {
    Proven { identity: user.identity.clone(), expires: Some(user.expires_at) }
}

/// Whom a user's token proves that a service passes on. Both must count; the user's only as long as it lasts, unless the
/// service is one that may pass on what has expired.
fn passed_on(user: &Token, service: &Token, may_expire: bool) -> Proven {
    let identity = Identity { service: Some(service.identity.clone()), ..Identity::clone(&user.identity) };
    let expires = if may_expire { service.expires_at } else { service.expires_at.min(user.expires_at) };
    Proven { identity: Arc::new(identity), expires: Some(expires) }
}

/// The token in the header of that name. Given twice, it is none.
fn sent<'a>(headers: &'a HeaderMap, name: &str) -> Sent<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(|value| value.to_str().map(str::trim)), values.next()) {
        (None, _) | (Some(Ok("")), None) => Sent::Nothing,
        (Some(Ok(token)), None) => Sent::Token(token),
        _ => Sent::Nonsense,
    }
}

#[cfg(test)]
mod tests;
