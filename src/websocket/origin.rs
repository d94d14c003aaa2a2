//! Which web pages may connect, and under which port clients may know the listener.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

/// The origins that may connect. By default all, as in the Python service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Option<Box<[String]>>);

impl Origins {
    /// These only, such as `https://dashboard.example.org`; `*` among them, or none at all, for all.
    pub fn only(origins: &[String]) -> Self {
        let all = origins.is_empty() || origins.iter().any(|origin| origin == "*");
        let plain = |origin: &String| origin.trim_end_matches('/').to_ascii_lowercase();
        Self((!all).then(|| origins.iter().map(plain).collect()))
    }

    /// Whether the sender of these headers may connect. Browsers always name the origin of the page; a client that
    /// names none is no browser, and what a page of another origin could do in a user's name does not concern it.
    pub(super) fn permit(&self, headers: &HeaderMap) -> bool {
        let Some(listed) = &self.0 else { return true };
        headers.get_all(ORIGIN).iter().all(|origin| {
            let origin = origin.to_str().unwrap_or_default();
            listed.iter().any(|one| one.eq_ignore_ascii_case(origin))
        })
    }
}

/// Whether the Host header names that port, or none. Behind a proxy nobody else comes by another one.
pub(super) fn names_port(headers: &HeaderMap, external: Option<u16>) -> bool {
    let Some(external) = external else { return true };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    // The colons of a bare IPv6 address are no port's.
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    match after.rsplit_once(':') {
        Some((_, port)) => port.parse() == Ok(external),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::HeaderName;

    use super::*;

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn listed_origins_may_connect_and_programs() {
        let listed = Origins::only(&["https://a.example".into(), "http://B.example:8080/".into()]);
        for (origin, may) in [
            ("https://a.example", true),
            ("HTTPS://A.example", true),
            ("http://b.example:8080", true),
            ("http://a.example", false),
            ("https://a.example:444", false),
            ("https://a.example.evil", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(listed.permit(&with(ORIGIN, origin)), may, "{origin}");
        }
        assert!(listed.permit(&HeaderMap::new()), "no browser");
        let mut twice = with(ORIGIN, "https://a.example");
        twice.append(ORIGIN, HeaderValue::from_static("https://evil.example"));
        assert!(!listed.permit(&twice));
        for all in [Origins::default(), Origins::only(&[]), Origins::only(&["x".into(), "*".into()])] {
            assert!(all.permit(&with(ORIGIN, "null")), "{all:?}");
        }
    }

    #[test]
    fn a_port_in_the_host_header_must_be_the_external_one() {
        let names = |host| names_port(&with(HOST, host), Some(443));
        for host in ["a.example", "a.example:443", "[::1]", "[::1]:443", "127.0.0.1"] {
            assert!(names(host), "{host}");
        }
        for host in ["a.example:9000", "[::1]:9000", "a.example:", "a.example:x"] {
            assert!(!names(host), "{host}");
        }
        assert!(names_port(&with(HOST, "a.example:9000"), None));
    }
}
