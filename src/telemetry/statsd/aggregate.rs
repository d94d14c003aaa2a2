//! What was recorded since the last send, in atomics: no lock and no allocation for an event.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::Naming;

/// The most durations of one series that are kept between two sends; of more, a uniform sample.
const SAMPLES: usize = 64;

/// The recorder behind the facade: every series with its state.
pub(in crate::telemetry) struct Aggregator {
    naming: Naming,
    /// Held to add a series and to send, never to record.
    series: Mutex<Vec<Series>>,
}

struct Series {
    name: String,
    /// What follows the value and the type on a line.
    tags: String,
    state: State,
}

enum State {
    /// The sum since the last send.
    Counter(Arc<AtomicU64>),
    /// The bits of an `f64`.
    Gauge(Arc<AtomicU64>),
    Timing(Arc<Reservoir>),
}

impl Aggregator {
    /// No series yet; names are written by `naming`.
    pub(in crate::telemetry) fn new(naming: Naming) -> Self {
        Self { naming, series: Mutex::new(Vec::new()) }
    }

    fn add(&self, key: &Key, state: State) {
        let (name, tags) = self.naming.of(key);
        self.series.lock().unwrap_or_else(PoisonError::into_inner).push(Series { name, tags, state });
    }

    /// Hands every line that is to be sent now to `send`, without a line break, and starts to count anew.
    pub(in crate::telemetry) fn drain(&self, mut send: impl FnMut(&str)) {
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = String::new();
        for one in series.iter() {
            one.drain(&mut line, &mut send);
        }
    }
}

impl Series {
    fn drain(&self, line: &mut String, send: &mut impl FnMut(&str)) {
        match &self.state {
            State::Counter(sum) => {
                let sum = sum.swap(0, Ordering::AcqRel);
                if sum > 0 {
                    self.write(line, format_args!("{sum}|c"));
                    send(line);
                }
            }
            State::Gauge(bits) => {
                // A sign would make it a change instead of a value.
                let value = f64::from_bits(bits.load(Ordering::Acquire)).max(0.0);
                self.write(line, format_args!("{value}|g"));
                send(line);
            }
            State::Timing(reservoir) => reservoir.drain(|seconds, rate| {
                let millis = seconds * 1_000.0;
                if rate < 1.0 {
                    self.write(line, format_args!("{millis:.3}|ms|@{rate:.8}"));
                } else {
                    self.write(line, format_args!("{millis:.3}|ms"));
                }
                send(line);
            }),
        }
    }

    fn write(&self, line: &mut String, value: std::fmt::Arguments<'_>) {
        line.clear();
        // Writing to a String cannot fail.
        let _ = write!(line, "{}:{value}{}", self.name, self.tags);
    }
}

impl Recorder for Aggregator {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let sum = Arc::new(AtomicU64::new(0));
        self.add(key, State::Counter(Arc::clone(&sum)));
        Counter::from_arc(sum)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let bits = Arc::new(AtomicU64::new(0f64.to_bits()));
        self.add(key, State::Gauge(Arc::clone(&bits)));
        Gauge::from_arc(bits)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let reservoir = Arc::new(Reservoir::default());
        self.add(key, State::Timing(Arc::clone(&reservoir)));
        Histogram::from_arc(reservoir)
    }
}

/// A uniform sample of the durations since the last send (Vitter's algorithm R).
///
/// A record that runs beside a send may be lost or counted in the next one; no lock is worth that.
struct Reservoir {
    seen: AtomicU64,
    /// Bits of seconds as `f64`; [`EMPTY`] where nothing was stored.
    samples: [AtomicU64; SAMPLES],
}

/// Not a number, and so no duration.
const EMPTY: u64 = u64::MAX;

impl Default for Reservoir {
    fn default() -> Self {
        Self { seen: AtomicU64::new(0), samples: [const { AtomicU64::new(EMPTY) }; SAMPLES] }
    }
}

impl HistogramFn for Reservoir {
    fn record(&self, value: f64) {
        let before = self.seen.fetch_add(1, Ordering::AcqRel);
        let size = SAMPLES as u64;
        let slot = if before < size { before } else { scatter(before) % (before + 1) };
        if let Some(sample) = usize::try_from(slot).ok().and_then(|slot| self.samples.get(slot)) {
            sample.store(value.to_bits(), Ordering::Release);
        }
    }
}

impl Reservoir {
    /// Hands each kept duration, in seconds, and the sample rate to `send`, and empties itself.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs few digits")]
    fn drain(&self, mut send: impl FnMut(f64, f64)) {
        let seen = self.seen.swap(0, Ordering::AcqRel);
        if seen == 0 {
            return;
        }
        let rate = SAMPLES as f64 / seen as f64;
        for sample in &self.samples {
            let bits = sample.swap(EMPTY, Ordering::AcqRel);
            if bits != EMPTY {
                send(f64::from_bits(bits), rate);
            }
        }
    }
}

/// Spreads a number over 64 bits (the finaliser of `SplitMix64`).
fn scatter(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(aggregator: &Aggregator) -> Vec<String> {
        let mut lines = Vec::new();
        aggregator.drain(|line| lines.push(line.to_owned()));
        lines
    }

    const ORIGIN: Metadata<'static> = Metadata::new("", metrics::Level::INFO, None);

    #[test]
    fn counters_send_the_sum_once_and_gauges_their_value_each_time() {
        let aggregator = Aggregator::new(Naming::new("p", false));
        let counter = aggregator.register_counter(&Key::from_name("c"), &ORIGIN);
        let gauge = aggregator.register_gauge(&Key::from_name("g"), &ORIGIN);
        counter.increment(2);
        counter.increment(3);
        gauge.set(1.5);
        assert_eq!(drained(&aggregator), ["p.c:5|c", "p.g:1.5|g"]);
        assert_eq!(drained(&aggregator), ["p.g:1.5|g"]);
        gauge.decrement(9.0);
        assert_eq!(drained(&aggregator), ["p.g:0|g"]);
    }

    #[test]
    fn timings_are_milliseconds_with_their_fraction() {
        let aggregator = Aggregator::new(Naming::new("p", true));
        let key = Key::from_parts("t.seconds", vec![metrics::Label::new("store", "memory")]);
        let timing = aggregator.register_histogram(&key, &ORIGIN);
        timing.record(0.000_065);
        timing.record(1.25);
        assert_eq!(drained(&aggregator), ["p.t:0.065|ms|#store:memory", "p.t:1250.000|ms|#store:memory"]);
        assert!(drained(&aggregator).is_empty());
    }

    #[test]
    fn many_timings_become_a_fair_sample_with_its_rate() {
        let aggregator = Aggregator::new(Naming::new("p", false));
        let timing = aggregator.register_histogram(&Key::from_name("t"), &ORIGIN);
        for i in 0..6_400 {
            timing.record(f64::from(i) / 1_000.0);
        }
        let lines = drained(&aggregator);
        assert_eq!(lines.len(), SAMPLES);
        let values: Vec<f64> = lines
            .iter()
            .map(|line| {
                let rest = line.strip_prefix("p.t:").unwrap();
                rest.strip_suffix("|ms|@0.01000000").unwrap().parse().unwrap()
            })
            .collect();
        // The mean of a uniform sample of 64 out of 0..6400 is 3200, give or take 231.
        let mean = values.iter().sum::<f64>() / 64.0;
        assert!((2_200.0..4_200.0).contains(&mean), "{mean}");
    }
}
