//! The catalogue of services that comes with our own token: where the identity service is.

use serde::Deserialize;

/// One service of a catalogue.
#[derive(Deserialize)]
pub(super) struct Service {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    interface: String,
    url: String,
    region: Option<String>,
    region_id: Option<String>,
}

/// The first URL of the identity service with that interface, in that region where one is given; at its end the
/// version of the API.
pub(super) fn identity(catalogue: &[Service], interface: &str, region: Option<&str>) -> Option<String> {
    let endpoints = catalogue.iter().filter(|service| service.kind == "identity");
    let mut endpoints = endpoints.flat_map(|service| &service.endpoints);
    let interface = interface.strip_suffix("URL").unwrap_or(interface);
    let there = |endpoint: &&Endpoint| {
        let regions = [&endpoint.region_id, &endpoint.region];
        region.is_none_or(|region| regions.iter().any(|known| known.as_deref() == Some(region)))
            && endpoint.interface.eq_ignore_ascii_case(interface)
    };
    endpoints.find(there).map(|endpoint| versioned(&endpoint.url))
}

/// The URL of version 3 of the identity API that lies there: files and catalogues name it with a version or without.
pub(super) fn versioned(url: &str) -> String {
    let url = url.trim().trim_end_matches('/');
    let base = url.strip_suffix("/v2.0").or_else(|| url.strip_suffix("/v3")).unwrap_or(url);
    format!("{}/v3", base.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_with_and_without_a_version() {
        for url in [
            "http://k:5000",
            "http://k:5000/",
            "http://k:5000/v3",
            "http://k:5000/v3/",
            "http://k:5000/v2.0/",
        ] {
            assert_eq!(versioned(url), "http://k:5000/v3", "{url}");
        }
        assert_eq!(versioned("https://k/identity"), "https://k/identity/v3");
    }

    #[test]
    fn the_endpoint_of_an_interface_in_a_region() {
        let text = r#"[
            {"type": "messaging", "endpoints": [{"interface": "internal", "url": "http://no", "region": "a"}]},
            {"type": "identity", "endpoints": [
                {"interface": "public", "url": "http://pa", "region": "a", "region_id": "a"},
                {"interface": "internal", "url": "http://ia", "region": "a", "region_id": "a"},
                {"interface": "internal", "url": "http://ib/v3/", "region": "b", "region_id": "b"}]},
            {"type": "empty"}]"#;
        let catalogue: Vec<Service> = serde_json::from_str(text).unwrap();
        let at = |interface, region| identity(&catalogue, interface, region);
        assert_eq!(at("internal", None).as_deref(), Some("http://ia/v3"));
        assert_eq!(at("internalURL", Some("b")).as_deref(), Some("http://ib/v3"));
        assert_eq!(at("public", Some("a")).as_deref(), Some("http://pa/v3"));
        assert_eq!(at("public", Some("b")), None);
        assert_eq!(at("admin", None), None);
    }
}
