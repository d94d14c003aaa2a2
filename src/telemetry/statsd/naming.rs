//! Names on the wire: prefix, labels folded into the name, or labels as tags.

use metrics::Key;

/// How names are written.
pub(in crate::telemetry) struct Naming {
    prefix: String,
    tags: bool,
}

impl Naming {
    /// Names that start with `prefix`; labels as tags, or as parts of the name.
    pub(in crate::telemetry) fn new(prefix: &str, tags: bool) -> Self {
        let mut prefix: String = prefix.trim_matches('.').split('.').map(part).collect::<Vec<_>>().join(".");
        if !prefix.is_empty() {
            prefix.push('.');
        }
        Self { prefix, tags }
    }

    /// The name of a series, and what follows its value and type.
    ///
    /// A timing loses its `.seconds`: by statsd's definition its values are milliseconds.
    pub(super) fn of(&self, key: &Key) -> (String, String) {
        let mut name = format!("{}{}", self.prefix, key.name().trim_end_matches(".seconds"));
        let mut tags = String::new();
        for label in key.labels() {
            if self.tags {
                tags.push_str(if tags.is_empty() { "|#" } else { "," });
                tags.push_str(&part(label.key()));
                tags.push(':');
                tags.push_str(&value(label.value()));
            } else {
                name.push('.');
                name.push_str(&value(label.value()));
            }
        }
        (name, tags)
    }
}

/// A label value as one part of a name: a route template by its own rule, anything else as it is.
fn value(text: &str) -> String {
    let text = if text.starts_with('/') { route(text) } else { part(text) };
    if text.is_empty() { "none".to_owned() } else { text }
}

/// `/v2/queues/{queue_name}/messages` becomes `v2_queues_messages`. Only a parameter at the end is kept, by
/// its name, so that a collection and its items differ.
fn route(template: &str) -> String {
    let segments: Vec<_> = template.split('/').filter(|segment| !segment.is_empty()).collect();
    let Some(last) = segments.len().checked_sub(1) else { return "root".to_owned() };
    let kept: Vec<_> = segments
        .iter()
        .enumerate()
        .filter(|(at, segment)| *at == last || !segment.starts_with('{'))
        .map(|(_, segment)| part(segment.trim_matches(['{', '}', '*'])))
        .collect();
    kept.join("_")
}

/// Only what no statsd server takes for syntax; a dot would begin a new part.
fn part(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use metrics::Label;

    use super::*;

    fn request(route: &'static str) -> Key {
        Key::from_parts(
            "http.requests",
            vec![Label::new("method", "POST"), Label::new("route", route), Label::new("status", "201")],
        )
    }

    #[test]
    fn plain_statsd_gets_one_dotted_name() {
        let naming = Naming::new("zaqar", false);
        let (name, tags) = naming.of(&request("/v2/queues/{queue_name}/messages"));
        assert_eq!(name, "zaqar.http.requests.POST.v2_queues_messages.201");
        assert_eq!(tags, "");
    }

    #[test]
    fn dogstatsd_gets_tags() {
        let naming = Naming::new("zaqar", true);
        let (name, tags) = naming.of(&request("/v2/queues/{queue_name}"));
        assert_eq!(name, "zaqar.http.requests");
        assert_eq!(tags, "|#method:POST,route:v2_queues_queue_name,status:201");
    }

    #[test]
    fn routes_that_differ_by_their_end_keep_different_names() {
        let names: std::collections::HashSet<_> = [
            "/",
            "/v2/",
            "/v2/queues",
            "/v2/queues/{queue_name}",
            "/v2/queues/{queue_name}/stats",
            "/v2/queues/{queue_name}/messages",
            "/v2/queues/{queue_name}/messages/{message_id}",
            "/v2/queues/{queue_name}/claims",
            "/v2/queues/{queue_name}/claims/{claim_id}",
        ]
        .map(route)
        .into();
        assert_eq!(names.len(), 9, "{names:?}");
    }

    #[test]
    fn nothing_breaks_the_line_format() {
        let naming = Naming::new(".dc1.zaqar api.", true);
        let (name, tags) = naming.of(&Key::from_parts("a.seconds", vec![Label::new("l", "x:1|c\n#,é")]));
        assert_eq!(name, "dc1.zaqar_api.a");
        assert_eq!(tags, "|#l:x_1_c____");
        assert_eq!(Naming::new("", false).of(&Key::from_name("a")).0, "a");
        let empty = Key::from_parts("a", vec![Label::new("l", "")]);
        assert_eq!(Naming::new("", false).of(&empty).0, "a.none");
    }
}
