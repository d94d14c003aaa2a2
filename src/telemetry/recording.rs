//! Recording metrics from anywhere, without a handle: [`count`], [`gauge`], [`gauge_change`], [`observe`].
//!
//! This file is the only user of the `metrics` facade besides the exporter. Without an exporter a call is one
//! relaxed atomic load. With one, a metric without labels is an array access and an atomic addition, and one
//! with labels a look-up in an immutable map; nothing is allocated after the first event of a series.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Once, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Method, StatusCode};
use metrics::{Counter, Gauge, Histogram, Key, Label};
use strum::EnumCount;

use super::metric::{Kind, Metric};

/// Adds `by` to a counter. `labels` are the values of [`Metric::labels`], in that order.
pub fn count(metric: Metric, labels: &[&str], by: u64) {
    if is_enabled() {
        REGISTRY.with(metric, labels, |handle| handle.count(by));
    }
}

/// Sets a gauge.
pub fn gauge(metric: Metric, labels: &[&str], value: u64) {
    if is_enabled() {
        REGISTRY.with(metric, labels, |handle| handle.set(value));
    }
}

/// Moves a gauge up or down; for states that many threads change, such as open connections.
pub fn gauge_change(metric: Metric, labels: &[&str], by: i32) {
    if is_enabled() {
        REGISTRY.with(metric, labels, |handle| handle.change(by));
    }
}

/// Records the duration of one event.
pub fn observe(metric: Metric, labels: &[&str], elapsed: Duration) {
    if is_enabled() {
        REGISTRY.with(metric, labels, |handle| handle.observe(elapsed));
    }
}

/// Records one answered request. `route` is the template that matched (`/v2/queues/{queue_name}`), or
/// [`UNMATCHED`]; never the path itself.
pub fn http_request(method: &Method, route: &str, status: StatusCode, elapsed: Duration) {
    if is_enabled() {
        let method = method_label(method);
        count(Metric::HttpRequests, &[method, route, status.as_str()], 1);
        observe(Metric::HttpRequestSeconds, &[method, route, class_label(status)], elapsed);
    }
}

/// The route label of requests that no route matched.
pub const UNMATCHED: &str = "unmatched";

/// The most series with labels; further ones are not recorded. What is in use stays below 600.
const MAX_SERIES: usize = 2_048;

/// True once an exporter is installed.
static ENABLED: AtomicBool = AtomicBool::new(false);

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::default);

/// Starts recording; called after the global recorder was set, for a handle made before would stay dead.
pub(super) fn enable() {
    ENABLED.store(true, Ordering::Release);
}

fn is_enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// Only the methods that the routes know, for a client may send any text as its method.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn class_label(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// One series of the exporter.
#[derive(Clone)]
enum Handle {
    Counter(Counter),
    Gauge(Gauge),
    Timing(Histogram),
}

impl Handle {
    fn register(metric: Metric, labels: &[&str]) -> Self {
        let labels: Vec<_> = metric
            .labels()
            .iter()
            .zip(labels)
            .map(|(&name, &value)| Label::new(name, value.to_owned()))
            .collect();
        let key = Key::from_parts(metric.name(), labels);
        let origin = metrics::Metadata::new(module_path!(), metrics::Level::INFO, None);
        metrics::with_recorder(|recorder| match metric.kind() {
            Kind::Counter => Self::Counter(recorder.register_counter(&key, &origin)),
            Kind::Gauge => Self::Gauge(recorder.register_gauge(&key, &origin)),
            Kind::Timing => Self::Timing(recorder.register_histogram(&key, &origin)),
        })
    }

    fn count(&self, by: u64) {
        match self {
            Self::Counter(counter) => counter.increment(by),
            Self::Gauge(_) | Self::Timing(_) => debug_assert!(false, "not a counter"),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge above 2^53 may be off by one")]
    fn set(&self, value: u64) {
        match self {
            Self::Gauge(gauge) => gauge.set(value as f64),
            Self::Counter(_) | Self::Timing(_) => debug_assert!(false, "not a gauge"),
        }
    }

    fn change(&self, by: i32) {
        match self {
            Self::Gauge(gauge) => gauge.increment(f64::from(by)),
            Self::Counter(_) | Self::Timing(_) => debug_assert!(false, "not a gauge"),
        }
    }

    fn observe(&self, elapsed: Duration) {
        match self {
            Self::Timing(histogram) => histogram.record(elapsed.as_secs_f64()),
            Self::Counter(_) | Self::Gauge(_) => debug_assert!(false, "not a timing"),
        }
    }
}

/// Metric and label values, joined by a byte that no UTF-8 text contains.
type SeriesKey = Box<[u8]>;

/// The handles that were used so far.
struct Registry {
    plain: [OnceLock<Handle>; Metric::COUNT],
    /// Read without a lock; replaced as a whole when a series is new.
    labelled: ArcSwap<HashMap<SeriesKey, Handle>>,
    /// Held while `labelled` is replaced.
    adding: Mutex<()>,
    full: Once,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            plain: [const { OnceLock::new() }; Metric::COUNT],
            labelled: ArcSwap::default(),
            adding: Mutex::new(()),
            full: Once::new(),
        }
    }
}

thread_local! {
    /// Where a key is put together without an allocation.
    static KEY: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Registry {
    /// Calls `record` with the handle of that series, unless there are too many.
    fn with(&self, metric: Metric, labels: &[&str], record: impl FnOnce(&Handle)) {
        debug_assert_eq!(labels.len(), metric.labels().len(), "labels of {}", metric.name());
        if labels.is_empty() {
            record(self.plain[metric as usize].get_or_init(|| Handle::register(metric, labels)));
            return;
        }
        let mut key = KEY.try_with(Cell::take).unwrap_or_default();
        key.clear();
        key.push(metric as u8);
        for label in labels {
            key.push(0xff);
            key.extend_from_slice(label.as_bytes());
        }
        if let Some(handle) = self.labelled.load().get(key.as_slice()) {
            record(handle);
        } else if let Some(handle) = self.add(&key, metric, labels) {
            record(&handle);
        }
        // Fails only while the thread ends.
        let _ = KEY.try_with(|cell| cell.set(key));
    }

    /// Registers a new series, or finds that another thread was faster.
    fn add(&self, key: &[u8], metric: Metric, labels: &[&str]) -> Option<Handle> {
        let guard = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.labelled.load_full();
        if let Some(handle) = known.get(key) {
            return Some(handle.clone());
        }
        if known.len() >= MAX_SERIES {
            drop(guard);
            self.full.call_once(|| {
                tracing::warn!(
                    metric = metric.name(),
                    "too many series of metrics; new ones are not recorded"
                );
            });
            return None;
        }
        let handle = Handle::register(metric, labels);
        let mut more = HashMap::clone(&known);
        more.insert(key.into(), handle.clone());
        self.labelled.store(Arc::new(more));
        Some(handle)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::telemetry::statsd::{Aggregator, Naming};

    /// What an exporter sends for what `record` recorded.
    fn lines(record: impl FnOnce(&Registry)) -> Vec<String> {
        let aggregator = Arc::new(Aggregator::new(Naming::new("z", false)));
        let registry = Registry::default();
        metrics::with_local_recorder(&aggregator, || record(&registry));
        let mut lines = Vec::new();
        aggregator.drain(|line| lines.push(line.to_owned()));
        lines.sort();
        lines
    }

    #[test]
    fn series_are_kept_apart_by_metric_and_labels() {
        let lines = lines(|registry| {
            registry.with(Metric::MessagesPosted, &[], |handle| handle.count(3));
            registry.with(Metric::MessagesPosted, &[], |handle| handle.count(4));
            registry.with(Metric::HttpRequests, &["GET", "/", "200"], |handle| handle.count(1));
            registry.with(Metric::HttpRequests, &["GET", "/", "404"], |handle| handle.count(1));
            registry.with(Metric::HttpRequests, &["GET", "/", "404"], |handle| handle.count(1));
            registry.with(Metric::Queues, &[], |handle| handle.set(7));
            registry.with(Metric::HttpConnections, &[], |handle| handle.change(2));
            registry.with(Metric::HttpConnections, &[], |handle| handle.change(-1));
        });
        assert_eq!(
            lines,
            [
                "z.http.connections:1|g",
                "z.http.requests.GET.root.200:1|c",
                "z.http.requests.GET.root.404:2|c",
                "z.messages.posted:7|c",
                "z.queues:7|g",
            ]
        );
    }

    #[test]
    fn the_number_of_series_is_bounded() {
        let lines = lines(|registry| {
            for i in 0..MAX_SERIES + 10 {
                registry
                    .with(Metric::HttpRequests, &["GET", &format!("/{i}"), "200"], |handle| handle.count(1));
            }
            registry.with(Metric::HttpRequests, &["GET", "/0", "200"], |handle| handle.count(1));
        });
        assert_eq!(lines.len(), MAX_SERIES);
        assert!(lines.contains(&"z.http.requests.GET.0.200:2|c".to_owned()));
    }

    #[test]
    fn a_new_series_is_registered_once_by_many_threads() {
        let aggregator = Arc::new(Aggregator::new(Naming::new("z", false)));
        let registry = Registry::default();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    metrics::with_local_recorder(&aggregator, || {
                        for _ in 0..100 {
                            registry.with(Metric::StorageErrors, &["s", "post", "timeout"], |h| h.count(1));
                        }
                    });
                });
            }
        });
        let mut lines = Vec::new();
        aggregator.drain(|line| lines.push(line.to_owned()));
        assert_eq!(lines, ["z.storage.errors.s.post.timeout:800|c"]);
    }

    #[test]
    fn a_client_cannot_invent_labels() {
        assert_eq!(method_label(&Method::from_bytes(b"BREW").unwrap()), "other");
        assert_eq!(method_label(&Method::PATCH), "PATCH");
        assert_eq!(class_label(StatusCode::CREATED), "2xx");
        assert_eq!(class_label(StatusCode::from_u16(999).unwrap()), "5xx");
    }
}
