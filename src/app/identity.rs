//! The gate that `[DEFAULT] auth_strategy` asks for.

mod account;
mod cache;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use crate::auth::{
    Binding, Gate, HttpError, HttpSettings, Keystone, KeystoneSettings, TokenSettings, Tokens,
};
use crate::clock::Clock;
use crate::config::{AuthStrategy, Config, ConfigError};

const SECTION: &str = "keystone_authtoken";

/// The gate of the service, or the option that cannot be used.
pub(super) fn gate(config: &Config, clock: &Clock, tasks: TaskTracker) -> Result<Gate, ConfigError> {
    match config.default.auth_strategy {
        AuthStrategy::None | AuthStrategy::Noauth => Ok(Gate::open()),
        AuthStrategy::Keystone => Ok(Gate::guarded(tokens(config, clock, tasks)?)),
    }
}

fn tokens(config: &Config, clock: &Clock, tasks: TaskTracker) -> Result<Tokens, ConfigError> {
    let options = &config.keystone_authtoken;
    let keystone = Arc::new(keystone(config, clock)?);
    let settings = TokenSettings {
        delay_decision: options.delay_auth_decision,
        service_roles: options.service_token_roles.clone(),
        service_roles_required: options.service_token_roles_required,
        service_type: options.service_type.clone(),
        binding: Binding::from_name(&options.enforce_token_bind.to_ascii_lowercase()),
    };
    let authenticate_at = keystone.www_authenticate_uri();
    let cache = Arc::new(cache::cached(config, keystone, clock, tasks)?);
    Ok(Tokens::new(settings, cache, authenticate_at, clock.clone()))
}

fn keystone(config: &Config, clock: &Clock) -> Result<Keystone, ConfigError> {
    let options = &config.keystone_authtoken;
    let settings = KeystoneSettings {
        account: account::account(config)?,
        auth_url: account::auth_url(config)?,
        interface: options.interface.clone(),
        region: options.region_name.clone(),
        catalog: options.include_service_catalog,
        www_authenticate_uri: options.www_authenticate_uri.clone(),
        http: http(config)?,
    };
    if settings.www_authenticate_uri.is_none() {
        tracing::warn!(
            "[keystone_authtoken] www_authenticate_uri is not set; callers without a token are sent where the \
             catalogue says"
        );
    }
    if options.insecure {
        tracing::warn!(
            "[keystone_authtoken] insecure is set: whoever poses as the identity service is believed"
        );
    }
    if !options.service_token_roles_required {
        tracing::warn!(
            "[keystone_authtoken] service_token_roles_required is off: any token counts as a service's, and passes by \
             the access rules of application credentials"
        );
    }
    Keystone::new(settings, clock.clone()).map_err(|error| refusal(config, &error))
}

fn http(config: &Config) -> Result<HttpSettings, ConfigError> {
    let options = &config.keystone_authtoken;
    let key = options.keyfile.as_ref().map(PathBuf::from);
    let certificate = options.certfile.as_ref().map(|file| (PathBuf::from(file), key));
    if let (None, Some(file)) = (&certificate, &options.keyfile) {
        return Err(config.refuse(SECTION, "keyfile", file, "expected certfile beside it"));
    }
    Ok(HttpSettings {
        authorities: options.cafile.as_ref().map(PathBuf::from),
        certificate,
        insecure: options.insecure,
        attempt: options.http_connect_timeout.map(Duration::from_secs),
        retries: options.http_request_max_retries,
    })
}

/// The error under the name of the option that caused it.
fn refusal(config: &Config, error: &HttpError) -> ConfigError {
    let options = &config.keystone_authtoken;
    let (option, value) = match error {
        HttpError::Authorities(_) => ("cafile", &options.cafile),
        HttpError::Certificate(_) => ("certfile", &options.certfile),
        HttpError::Client(_) => ("auth_url", &config.keystone_credentials.auth_url),
    };
    config.refuse(SECTION, option, value.as_deref().unwrap_or_default(), error.to_string())
}
