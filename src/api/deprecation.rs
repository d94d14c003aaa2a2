//! What the answers of the older versions say of their end, and who still uses those versions.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use http::header::USER_AGENT;
use http::{HeaderName, HeaderValue, Response, StatusCode};

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
    /// Each with the header that says since when it is old.
    versions: Vec<(Version, HeaderValue)>,
    mount_prefix: String,
    sunset: Option<HeaderValue>,
    agents: Agents,
}

impl Deprecation {
    /// That of a service; `None` where it serves the current version alone.
    pub(crate) fn of(api: &Api) -> Option<Arc<Self>> {
        let versions: Vec<_> =
            api.versions().filter_map(|version| Some((version, since(version)?))).collect();
        let sunset = api.sunset.as_ref().and_then(|date| HeaderValue::from_str(date).ok());
        let mount_prefix = api.mount_prefix.trim_end_matches('/').to_owned();
        let made = Self { versions, mount_prefix, sunset, agents: Agents::default() };
        (!made.versions.is_empty()).then(|| Arc::new(made))
    }

    /// The older version that a path belongs to, whether there is such a route or not.
    fn version(&self, path: &str) -> Option<&(Version, HeaderValue)> {
        let under = |path: &str, version: Version| {
            let rest = path.strip_prefix(version.prefix());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mounted = path.strip_prefix(self.mount_prefix.as_str()).unwrap_or(path);
        self.versions.iter().find(|(version, _)| under(path, *version) || under(mounted, *version))
    }
}

fn since(version: Version) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("@{}", version.deprecated_since()?)).ok()
}

/// The layer: tells the client of the end, and counts who it is.
pub(crate) async fn announce(
    State(deprecation): State<Arc<Deprecation>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let Some((version, since)) = deprecation.version(request.uri().path()) else {
        return next.run(request).await;
    };
    let agent = request.headers().get(USER_AGENT).cloned();
    let mut response = next.run(request).await;
    let agent = deprecation.agents.name(agent.as_ref(), *version, response.status());
    telemetry::count(Metric::DeprecatedRequests, &[version.id(), &agent], 1);
    let headers = response.headers_mut();
    headers.insert(DEPRECATION, since.clone());
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
    /// The name under which a client is counted that got an answer of that status. One that was not met before is named
    /// in the log; but who is only ever refused takes no name, or strangers could leave none to the tenants' clients.
    fn name(&self, agent: Option<&HeaderValue>, version: Version, status: StatusCode) -> Arc<str> {
        let name = agent.map_or(Some("none"), product).unwrap_or(OTHERS);
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = met.get(name) {
            return known.clone();
        }
        if met.len() >= MOST_AGENTS || !status.is_success() {
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
        let versions = versions.iter().map(|version| (*version, since(*version).unwrap())).collect();
        let mount_prefix = prefix.to_owned();
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
            assert_eq!(both.version(path).map(|(version, _)| *version), version, "{path}");
        }
        assert!(deprecation(&[Version::V1_1], "").version("/v1/queues").is_none());
    }

    #[test]
    fn user_agents_are_counted_by_product_and_only_so_many() {
        let agents = Agents::default();
        let answered = |agent: &[u8], status| {
            let agent = HeaderValue::from_bytes(agent).unwrap();
            agents.name(Some(&agent), Version::V1, status).to_string()
        };
        let name = |agent: &[u8]| answered(agent, StatusCode::OK);
        for refused in [StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND] {
            assert_eq!(answered(b"python-zaqarclient/1", refused), OTHERS);
        }
        assert_eq!(name(b"python-zaqarclient/1.13 (x)"), "python-zaqarclient");
        assert_eq!(answered(b"python-zaqarclient/2", StatusCode::UNAUTHORIZED), "python-zaqarclient");
        assert_eq!(name(b"OpenCloud php"), "OpenCloud");
        assert_eq!(name(b""), OTHERS);
        assert_eq!(name("größer/1".as_bytes()), OTHERS);
        assert_eq!(name(&[b'x'; LONGEST_NAME + 1]), OTHERS);
        assert_eq!(&*agents.name(None, Version::V1, StatusCode::OK), "none");
        let names: BTreeSet<_> = (0..2 * MOST_AGENTS).map(|n| name(format!("a{n}/1").as_bytes())).collect();
        assert_eq!(agents.met.lock().unwrap().len(), MOST_AGENTS);
        assert!(names.contains(OTHERS) && names.len() < MOST_AGENTS, "{names:?}");
        assert_eq!(name(b"python-zaqarclient/2"), "python-zaqarclient");
    }
}
