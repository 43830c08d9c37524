//! Logs: JSON, one line a record at most, our own words only. A line that is counted says so itself: see [`Counted`].
//!
//! Only this project's crates are heard. The libraries' lines would repeat URLs and bodies, and no line may hold a secret,
//! a query string or a token of a path.
//!
//! The lines are written here, rather than by `tracing_subscriber`'s JSON, which can nest nothing in an event and costs
//! three times the instructions: what is counted was serialized once, at the start, and there are no spans to keep.

use std::io::{self, Write as _};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tracing::{
    Event, Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber,
};

use crate::{environment::Environment, now};

mod counted;
mod fields;

pub(crate) use counted::Counted;
use fields::Fields;

/// Where the metrics are when `METRICS_NAMESPACE` does not say.
const NAMESPACE: &str = "gg3-postback";

/// Room for a line: longer ones grow it.
const LINE_BYTES: usize = 768;

/// Starts logging to standard output, at `LOG_LEVEL` (`error`, `warn` or `info`, which it is unless it says so; nothing
/// below that is compiled into a release). What is counted is written at any level, else its alarms would be blind.
pub fn start(env: &Environment) {
    let level = env.optional("LOG_LEVEL").and_then(|text| text.to_lowercase().parse().ok());
    let namespace = env.optional("METRICS_NAMESPACE");
    // There is nobody to tell that a line could not be written.
    let write = |line: &[u8]| drop(io::stdout().write_all(line));
    let lines = Lines::new(namespace.as_deref().unwrap_or(NAMESPACE), level.unwrap_or(LevelFilter::INFO), write);
    // A second start in one process keeps the first: nothing is lost by it.
    let _ = subscriber::set_global_default(lines);
}

/// By the whole name of the crate: `lambda` must not let `lambda_runtime` speak, which quotes events.
fn is_ours(line: &Metadata<'_>) -> bool {
    matches!(line.target().split("::").next(), Some("adapters" | "app" | "lambda"))
}

/// Who hears what is logged: a line at a time, and no spans.
struct Lines<W> {
    level: LevelFilter,
    /// By [`Counted`], what makes `CloudWatch` count a line.
    directives: Vec<Option<Box<RawValue>>>,
    write: W,
}

/// The member of a line that makes `CloudWatch` count it.
///
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Aws<'a> {
    /// Unix milliseconds.
    timestamp: i64,
    cloud_watch_metrics: &'a RawValue,
}

impl<W> Lines<W> {
    fn new(namespace: &str, level: LevelFilter, write: W) -> Self {
        Self { level, directives: Counted::ALL.map(|counted| counted.directive(namespace)).into(), write }
    }

    fn line(&self, event: &Event<'_>) -> serde_json::Result<Vec<u8>> {
        let (now, metadata) = (now(), event.metadata());
        let mut line = Vec::with_capacity(LINE_BYTES);
        let mut json = serde_json::Serializer::new(&mut line);
        let mut fields = Fields::new(json.serialize_map(None)?);
        fields.put("timestamp", &now);
        fields.put("level", metadata.level().as_str());
        event.record(&mut fields);
        if counted::is_stale_configuration(metadata) {
            fields.put(counted::CONFIGURATION_STALE, &1);
            fields.count(Counted::StaleConfiguration);
        }
        if let Some(Some(metrics)) = fields.counted().and_then(|counted| self.directives.get(counted)) {
            fields.put("_aws", &Aws { timestamp: now.as_millisecond(), cloud_watch_metrics: metrics });
        }
        fields.put("target", metadata.target());
        fields.end()?;
        line.push(b'\n');
        Ok(line)
    }
}

impl<W: Fn(&[u8]) + 'static> Subscriber for Lines<W>
where
    Self: Send + Sync,
{
    /// Asked once for each place in the code.
    fn enabled(&self, line: &Metadata<'_>) -> bool {
        line.is_event() && is_ours(line) && (*line.level() <= self.level || counted::is_counted(line))
    }

    fn event(&self, event: &Event<'_>) {
        if let Ok(line) = self.line(event) {
            (self.write)(&line);
        }
    }

    /// Never called: no span is enabled.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[cfg(test)]
pub(crate) mod tests;
