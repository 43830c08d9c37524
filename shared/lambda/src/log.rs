//! Logs: JSON, one line a record at most, our own words only. A line that is counted says so itself: see [`Counted`].
//!
//! Only this project's crates are heard. The libraries' lines would repeat URLs and bodies, and no line may hold a secret,
//! a query string or a token of a path.
//!
//! The lines are written here, rather than by `tracing_subscriber`'s JSON, which can nest nothing in an event and costs
//! more: what is counted was serialized once, at the start.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::{
    Layer,
    filter::{FilterFn, LevelFilter, filter_fn},
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
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
    let lines = Lines::new(namespace.as_deref().unwrap_or(NAMESPACE));
    let heard = heard(level.unwrap_or(LevelFilter::INFO));
    let layer = tracing_subscriber::fmt::layer().event_format(lines).with_filter(heard);
    // A second start in one process keeps the first: nothing is lost by it.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

fn heard(level: LevelFilter) -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    filter_fn(move |line| is_ours(line) && (*line.level() <= level || counted::is_counted(line)))
}

/// By the whole name of the crate: `lambda` must not let `lambda_runtime` speak, which quotes events.
fn is_ours(line: &Metadata<'_>) -> bool {
    matches!(line.target().split("::").next(), Some("adapters" | "app" | "lambda"))
}

/// How a line is written.
struct Lines {
    /// By [`Counted`], what makes `CloudWatch` count a line.
    directives: Vec<Option<Box<RawValue>>>,
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

impl Lines {
    fn new(namespace: &str) -> Self {
        Self { directives: Counted::ALL.map(|counted| counted.directive(namespace)).into() }
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

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let line = self.line(event).map_err(|_| fmt::Error)?;
        writer.write_str(std::str::from_utf8(&line).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
pub(crate) mod tests;
