//! Content negotiation (rest.md 1.4): what the `Accept` header takes.

use http::HeaderMap;
use http::header::ACCEPT;

/// In which form a client wants an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preference {
    /// As JSON, also where it says nothing.
    Json,
    /// As XML.
    Xml,
    /// In no form that we have: without a body.
    Neither,
}

/// Whether the client takes `application/json`.
pub(crate) fn takes_json(headers: &HeaderMap) -> bool {
    let Some(accept) = header(headers) else { return true };
    matches!(accept.as_str(), "application/json" | "*/*") || quality(&accept, "application", "json") > 0
}

/// Whether the client takes server-sent events.
pub(crate) fn takes_events(headers: &HeaderMap) -> bool {
    header(headers).is_none_or(|accept| quality(&accept, "text", "event-stream") > 0)
}

/// The form in which the client prefers errors.
pub(crate) fn preference(headers: &HeaderMap) -> Preference {
    let Some(accept) = header(headers) else { return Preference::Json };
    let json = quality(&accept, "application", "json");
    let xml = quality(&accept, "application", "xml").max(quality(&accept, "text", "xml"));
    match (json, xml) {
        // A vendor's media type in one of the two syntaxes.
        (0, 0) if accept.contains("+json") => Preference::Json,
        (0, 0) if accept.contains("+xml") => Preference::Xml,
        (0, 0) => Preference::Neither,
        (json, xml) if json >= xml => Preference::Json,
        _ => Preference::Xml,
    }
}

/// All `Accept` headers as one, in lower case.
fn header(headers: &HeaderMap) -> Option<String> {
    let values: Vec<_> = headers.get_all(ACCEPT).iter().map(|value| value.to_str().unwrap_or("")).collect();
    (!values.is_empty()).then(|| values.join(",").to_ascii_lowercase())
}

/// The quality, 0 to 1000, that the header gives a media type by its most specific range.
fn quality(accept: &str, kind: &str, subtype: &str) -> u16 {
    let ranges = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let (range_kind, range_subtype) = parts.next()?.split_once('/')?;
        let fits =
            (range_kind == kind || range_kind == "*") && (range_subtype == subtype || range_subtype == "*");
        let specific = u8::from(range_kind != "*") + u8::from(range_subtype != "*");
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, per_mille);
        fits.then_some((specific, quality))
    });
    ranges.max_by_key(|(specific, _)| *specific).map_or(0, |(_, quality)| quality)
}

/// A quality value in thousandths; what is none counts as 1, as in the reference.
fn per_mille(text: &str) -> u16 {
    let value = text.parse::<f32>().ok().filter(|value| (0.0..=1.0).contains(value)).unwrap_or(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    let value = (value * 1000.0) as u16;
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(accept: &str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())])
    }

    #[test]
    fn json_is_taken_by_name_by_range_and_by_silence() {
        assert!(takes_json(&HeaderMap::new()));
        for yes in [
            "*/*",
            "application/*",
            "application/json",
            "text/html, application/json;q=0.1",
            "APPLICATION/JSON",
        ] {
            assert!(takes_json(&headers(yes)), "{yes}");
        }
        for no in
            ["text/html", "application/xml", "application/json-home", "*/*, application/json;q=0", "", "x"]
        {
            assert!(!takes_json(&headers(no)), "{no}");
        }
    }

    #[test]
    fn errors_come_in_the_preferred_form() {
        let of = |accept| preference(&headers(accept));
        assert_eq!(of("application/xml"), Preference::Xml);
        assert_eq!(of("text/xml;q=0.9, application/json;q=0.5"), Preference::Xml);
        assert_eq!(of("application/vnd.x+json"), Preference::Json);
        assert_eq!(of("text/html"), Preference::Neither);
        assert_eq!(preference(&HeaderMap::new()), Preference::Json);
    }
}
