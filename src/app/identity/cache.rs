//! The cache of tokens that `[keystone_authtoken]` asks for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::task::TaskTracker;

use super::SECTION;
use crate::auth::memcached::{Address, Credentials, Memcached, Settings, TlsError, client_config};
use crate::auth::{CacheSettings, Jws, Protection, SharedCache, Strategy, TokenCache, Validator};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};

/// The longest that a look into the shared cache may take: half of the time for a validation (decision 28), so that
/// the identity service can still be asked.
const MAX_LOOK: Duration = Duration::from_secs(1);

/// Longer than any wait that matters, and short enough to be added to a point in time.
const LONG: Duration = Duration::from_secs(366 * 24 * 3_600);

/// How long the Python service's simple pool leaves a server alone that failed.
const SIMPLE_DEAD_RETRY: Duration = Duration::from_secs(30);

/// A cache before that validator, or the option that cannot be used.
pub(super) fn cached(
    config: &Config,
    origin: Arc<dyn Validator>,
    clock: &Clock,
    tasks: TaskTracker,
) -> Result<TokenCache, ConfigError> {
    let settings = CacheSettings {
        token_cache_time: config.keystone_authtoken.token_cache_time,
        shared: shared(config)?,
        jws: jws(config)?,
    };
    Ok(TokenCache::new(origin, settings, clock.clone(), tasks))
}

fn jws(config: &Config) -> Result<Option<Jws>, ConfigError> {
    let Some(directory) = &config.keystone_authtoken.jws_public_key_repository else { return Ok(None) };
    let opened = Jws::open(Path::new(directory));
    opened
        .map(Some)
        .map_err(|error| refuse(config, "jws_public_key_repository", directory, error.to_string()))
}

fn shared(config: &Config) -> Result<Option<SharedCache>, ConfigError> {
    let protection = protection(config)?;
    let servers = config.keystone_authtoken.memcached_servers.as_deref().unwrap_or_default();
    let addresses: Vec<_> = servers.iter().map(|server| address(config, server)).collect::<Result<_, _>>()?;
    if addresses.is_empty() {
        return Ok(None);
    }
    if protection.is_none() {
        tracing::warn!(
            "[keystone_authtoken] memcache_security_strategy is not set: whoever can write to a server of \
             memcached_servers can make himself anybody"
        );
    }
    let servers = Memcached::new(addresses, settings(config)?);
    Ok(Some(SharedCache::new(servers, protection.unwrap_or_else(Protection::none))))
}

fn address(config: &Config, server: &str) -> Result<Address, ConfigError> {
    let expected = "expected host, host:port, [address]:port or unix:path";
    Address::parse(server.trim()).ok_or_else(|| refuse(config, "memcached_servers", server, expected))
}

fn protection(config: &Config) -> Result<Option<Protection>, ConfigError> {
    let options = &config.keystone_authtoken;
    let strategy = match options.memcache_security_strategy.to_ascii_uppercase().as_str() {
        "MAC" => Strategy::Mac,
        "ENCRYPT" => Strategy::Encrypt,
        _ => return Ok(None),
    };
    let secret = options.memcache_secret_key.as_ref().map(SecretString::expose_secret);
    let needed = || refuse(config, "memcache_secret_key", "", "needed with memcache_security_strategy");
    Ok(Some(Protection::new(strategy, secret.filter(|secret| !secret.is_empty()).ok_or_else(needed)?)))
}

fn settings(config: &Config) -> Result<Settings, ConfigError> {
    let (options, seconds) = (&config.keystone_authtoken, Duration::from_secs);
    let (tls, credentials) = (tls(config)?, credentials(config)?);
    if !options.memcache_use_advanced_pool {
        let (dead_retry, unused) = (SIMPLE_DEAD_RETRY, Duration::MAX);
        let (timeout, wait, max_connections) = (MAX_LOOK, MAX_LOOK, usize::MAX);
        return Ok(Settings { timeout, wait, dead_retry, unused, max_connections, tls, credentials });
    }
    Ok(Settings {
        timeout: seconds(options.memcache_pool_socket_timeout).min(MAX_LOOK),
        wait: seconds(options.memcache_pool_conn_get_timeout).min(MAX_LOOK),
        dead_retry: seconds(options.memcache_pool_dead_retry).min(LONG),
        unused: seconds(options.memcache_pool_unused_timeout),
        max_connections: match options.memcache_pool_maxsize {
            0 => usize::MAX,
            most => most as usize,
        },
        tls,
        credentials,
    })
}

fn tls(config: &Config) -> Result<Option<Arc<rustls::ClientConfig>>, ConfigError> {
    let options = &config.keystone_authtoken;
    if !options.memcache_tls_enabled {
        return Ok(None);
    }
    if let Some(ciphers) = &options.memcache_tls_allowed_ciphers {
        let problem = "ciphers cannot be chosen; those that are considered safe are allowed";
        return Err(refuse(config, "memcache_tls_allowed_ciphers", ciphers, problem));
    }
    let needed =
        |option| refuse(config, option, "", "needed with memcache_tls_enabled or the option beside it");
    let authorities = options.memcache_tls_cafile.as_ref().ok_or_else(|| needed("memcache_tls_cafile"))?;
    let certificate = match (&options.memcache_tls_certfile, &options.memcache_tls_keyfile) {
        (Some(certificate), Some(key)) => Some((PathBuf::from(certificate), PathBuf::from(key))),
        (None, None) => None,
        (Some(_), None) => return Err(needed("memcache_tls_keyfile")),
        (None, Some(_)) => return Err(needed("memcache_tls_certfile")),
    };
    let made = client_config(Path::new(authorities), certificate);
    made.map(Some).map_err(|error| {
        let (option, file) = match error {
            TlsError::Authorities => ("memcache_tls_cafile", Some(authorities)),
            TlsError::Certificate => ("memcache_tls_certfile", options.memcache_tls_certfile.as_ref()),
            TlsError::Key => ("memcache_tls_keyfile", options.memcache_tls_keyfile.as_ref()),
        };
        refuse(config, option, file.map_or("", String::as_str), error.to_string())
    })
}

fn credentials(config: &Config) -> Result<Option<Credentials>, ConfigError> {
    let options = &config.keystone_authtoken;
    if !options.memcache_sasl_enabled {
        return Ok(None);
    }
    let needed = |option| refuse(config, option, "", "needed with memcache_sasl_enabled");
    let user = options.memcache_username.clone().ok_or_else(|| needed("memcache_username"))?;
    let password = options.memcache_password.clone().ok_or_else(|| needed("memcache_password"))?;
    Ok(Some(Credentials { user, password }))
}

fn refuse(config: &Config, option: &str, value: &str, problem: impl Into<String>) -> ConfigError {
    config.refuse(SECTION, option, value, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of these options, if they are refused.
    fn refused(options: &str) -> Option<String> {
        let config = Config::from_ini(&format!("[keystone_authtoken]\n{options}")).unwrap();
        let (shared, jws) = (shared(&config), jws(&config));
        shared.err().or_else(|| jws.err()).map(|error| error.to_string())
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let empty = directory.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        let empty = empty.display();
        let servers = "memcached_servers = cache\n";
        for (options, named) in [
            ("memcached_servers = cache, http://cache:1".to_owned(), "memcached_servers = http://cache:1"),
            ("memcache_security_strategy = MAC".to_owned(), "memcache_secret_key"),
            ("memcache_security_strategy = encrypt\nmemcache_secret_key =".to_owned(), "memcache_secret_key"),
            (format!("{servers}memcache_tls_enabled = true"), "memcache_tls_cafile"),
            (
                format!("{servers}memcache_tls_enabled = true\nmemcache_tls_cafile = {empty}"),
                "memcache_tls_cafile",
            ),
            (
                format!(
                    "{servers}memcache_tls_enabled = true\nmemcache_tls_cafile = {empty}\nmemcache_tls_certfile = a"
                ),
                "memcache_tls_keyfile",
            ),
            (
                format!("{servers}memcache_tls_enabled = true\nmemcache_tls_allowed_ciphers = HIGH"),
                "memcache_tls_allowed_ciphers = HIGH",
            ),
            (format!("{servers}memcache_sasl_enabled = true"), "memcache_username"),
            (format!("{servers}memcache_sasl_enabled = true\nmemcache_username = a"), "memcache_password"),
            (
                format!("jws_public_key_repository = {}/none", directory.path().display()),
                "jws_public_key_repository",
            ),
            (
                format!("jws_public_key_repository = {}", directory.path().display()),
                "jws_public_key_repository",
            ),
        ] {
            let said = refused(&options).unwrap_or_else(|| panic!("{options} is accepted"));
            assert!(said.contains(&format!("[keystone_authtoken] {named}")), "{options}: {said}");
        }
    }

    #[test]
    fn what_can_be_used_is() {
        for options in [
            "",
            "memcached_servers = a, b:1, [::1]:2, unix:/run/c",
            "memcached_servers = a\nmemcache_security_strategy = mac\nmemcache_secret_key = s",
            "memcached_servers = a\nmemcache_use_advanced_pool = false\nmemcache_pool_maxsize = 0",
            "memcached_servers = a\nmemcache_sasl_enabled = true\nmemcache_username = u\nmemcache_password = p",
        ] {
            assert_eq!(refused(options), None, "{options}");
        }
    }
}
