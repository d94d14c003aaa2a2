use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::args::Args;
use crate::process;
use crate::push::Measured;

/// What one connection, or all together, did.
pub struct Tally {
    pub operations: u64,
    pub messages: u64,
    pub errors: u64,
    pub first_error: Option<String>,
    pub latency_micros: Histogram<u64>,
}

impl Tally {
    pub fn new() -> anyhow::Result<Self> {
        let latency_micros = Histogram::new(3)?;
        Ok(Self { operations: 0, messages: 0, errors: 0, first_error: None, latency_micros })
    }

    pub fn add(&mut self, other: Self) -> anyhow::Result<()> {
        self.operations += other.operations;
        self.messages += other.messages;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.latency_micros.add(other.latency_micros)?;
        Ok(())
    }

    pub fn record(&mut self, latency: Duration) -> anyhow::Result<()> {
        self.latency_micros.record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX))?;
        Ok(())
    }

    pub fn error(&mut self, text: String) {
        self.errors += 1;
        self.first_error.get_or_insert(text);
    }
}

/// The result of a run. Rates are per second, latencies in milliseconds.
#[derive(Serialize)]
pub struct Report {
    mode: String,
    conns: usize,
    batch: usize,
    seconds: f64,
    operations: u64,
    ops: f64,
    messages: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    errors: u64,
    first_error: Option<String>,
    cpu_us_per_op: f64,
    rss_mib: f64,
}

impl Report {
    #[expect(clippy::cast_precision_loss, reason = "rates of numbers far below 2^52")]
    pub fn new(args: &Args, measured: &Measured) -> Self {
        let Measured { tally: total, elapsed, cpu_micros } = measured;
        let seconds = elapsed.as_secs_f64();
        let millis = |quantile| total.latency_micros.value_at_quantile(quantile) as f64 / 1000.0;
        Self {
            mode: args.mode.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned()),
            conns: args.conns,
            batch: args.batch,
            seconds,
            operations: total.operations,
            ops: total.operations as f64 / seconds,
            messages: total.messages as f64 / seconds,
            p50_ms: millis(0.5),
            p99_ms: millis(0.99),
            max_ms: total.latency_micros.max() as f64 / 1000.0,
            errors: total.errors,
            first_error: total.first_error.clone(),
            cpu_us_per_op: *cpu_micros as f64 / total.operations.max(1) as f64,
            rss_mib: process::resident_kib(&args.pids) as f64 / 1024.0,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} conns={} batch={} ops/s={:.0} ", self.mode, self.conns, self.batch, self.ops)?;
        write!(out, "msgs/s={:.0} p50={:.2}ms p99={:.2}ms ", self.messages, self.p50_ms, self.p99_ms)?;
        write!(out, "max={:.1}ms errors={} ", self.max_ms, self.errors)?;
        write!(out, "cpu_us/op={:.0} rss={:.0}MiB", self.cpu_us_per_op, self.rss_mib)?;
        self.first_error.as_ref().map_or(Ok(()), |text| write!(out, "\n  first error: {text}"))
    }
}

/// The beginning of an answer, for an error's text.
pub fn excerpt(answer: &[u8]) -> String {
    String::from_utf8_lossy(&answer[..answer.len().min(300)]).into_owned()
}
