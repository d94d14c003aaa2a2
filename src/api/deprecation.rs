//! What the answers of the older versions say of their end, and who still uses those versions.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use super::{Api, Version};
use crate::telemetry::{self, Metric};

/// RFC 9745: since when a resource is deprecated, in seconds since 1970 behind an `@`.
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");

/// RFC 8594: when a resource may be gone.
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// So many user agents are told apart; all others are counted together, as [`OTHERS`].
const MOST_AGENTS: usize = 50;

/// The longest name of a product that is taken for one, in bytes.
const LONGEST_NAME: usize = 40;

const OTHERS: &str = "other";

/// What is known of the older versions that are served.
pub(crate) struct Deprecation {
    versions: Vec<Version>,
    mount_prefix: String,
    sunset: Option<HeaderValue>,
    agents: Agents,
}

impl Deprecation {
    /// That of a service; `None` where it serves the current version alone.
    pub(crate) fn of(api: &Api) -> Option<Arc<Self>> {
        let versions: Vec<_> =
            api.versions().filter(|version| version.deprecated_since().is_some()).collect();
        let sunset = api.sunset.as_ref().and_then(|date| HeaderValue::from_str(date).ok());
        let mount_prefix = api.mount_prefix.trim_end_matches('/').to_owned();
        let made = Self { versions, mount_prefix, sunset, agents: Agents::default() };
        (!made.versions.is_empty()).then(|| Arc::new(made))
    }

    /// The older version that a path belongs to, whether there is such a route or not.
    fn version(&self, path: &str) -> Option<Version> {
        let under = |path: &str, version: Version| {
            let rest = path.strip_prefix(version.prefix());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mounted = path.strip_prefix(self.mount_prefix.as_str()).unwrap_or(path);
        self.versions.iter().copied().find(|version| under(path, *version) || under(mounted, *version))
    }
}

/// The layer: tells the client of the end, and counts who it is.
pub(crate) async fn announce(
    State(deprecation): State<Arc<Deprecation>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let Some(version) = deprecation.version(request.uri().path()) else { return next.run(request).await };
    let agent = deprecation.agents.name(request.headers(), version);
    telemetry::count(Metric::DeprecatedRequests, &[version.id(), &agent], 1);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Some(since) = version.deprecated_since() {
        headers.insert(DEPRECATION, HeaderValue::from_static(since));
    }
    if let Some(sunset) = &deprecation.sunset {
        headers.insert(SUNSET, sunset.clone());
    }
    response
}

/// The user agents that were met, by the names of their products.
#[derive(Default)]
struct Agents {
    met: Mutex<BTreeSet<Arc<str>>>,
}

impl Agents {
    /// The name under which a client is counted. One that was not met before is named in the log.
    fn name(&self, headers: &HeaderMap, version: Version) -> Arc<str> {
        let name = headers.get(USER_AGENT).map_or(Some("none"), product).unwrap_or(OTHERS);
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = met.get(name) {
            return known.clone();
        }
        if met.len() >= MOST_AGENTS {
            return OTHERS.into();
        }
        let name: Arc<str> = name.into();
        met.insert(name.clone());
        drop(met);
        tracing::info!(api.version = version.id(), user_agent = &*name, "a client uses a deprecated version");
        name
    }
}

/// The first product that a `User-Agent` names, without its version.
fn product(agent: &HeaderValue) -> Option<&str> {
    let name = agent.to_str().ok()?.split(['/', ' ', '(', ';', ',']).next()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    ((1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deprecation(versions: &[Version], prefix: &str) -> Deprecation {
        let (versions, mount_prefix) = (versions.to_vec(), prefix.to_owned());
        Deprecation { versions, mount_prefix, sunset: None, agents: Agents::default() }
    }

    #[test]
    fn a_path_belongs_to_the_version_that_is_its_first_segment() {
        let both = deprecation(&[Version::V1, Version::V1_1], "/messaging");
        for (path, version) in [
            ("/v1", Some(Version::V1)),
            ("/v1/queues/my_name_is_v2", Some(Version::V1)),
            ("/v1.1/", Some(Version::V1_1)),
            ("/messaging/v1/queues", Some(Version::V1)),
            ("/v2/queues/v1", None),
            ("/v10/queues", None),
            ("/", None),
            ("/other/v1/queues", None),
        ] {
            assert_eq!(both.version(path), version, "{path}");
        }
        assert_eq!(deprecation(&[Version::V1_1], "").version("/v1/queues"), None);
    }

    #[test]
    fn user_agents_are_counted_by_product_and_only_so_many() {
        let agents = Agents::default();
        let name = |agent: &[u8]| {
            let headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_bytes(agent).unwrap())]);
            agents.name(&headers, Version::V1).to_string()
        };
        assert_eq!(name(b"python-zaqarclient/1.13 (x)"), "python-zaqarclient");
        assert_eq!(name(b"OpenCloud php"), "OpenCloud");
        assert_eq!(name(b""), OTHERS);
        assert_eq!(name("größer/1".as_bytes()), OTHERS);
        assert_eq!(name(&[b'x'; LONGEST_NAME + 1]), OTHERS);
        assert_eq!(&*agents.name(&HeaderMap::new(), Version::V1), "none");
        let names: BTreeSet<_> = (0..2 * MOST_AGENTS).map(|n| name(format!("a{n}/1").as_bytes())).collect();
        assert_eq!(agents.met.lock().unwrap().len(), MOST_AGENTS);
        assert!(names.contains(OTHERS) && names.len() < MOST_AGENTS, "{names:?}");
        assert_eq!(name(b"python-zaqarclient/2"), "python-zaqarclient");
    }
}
