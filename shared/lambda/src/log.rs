//! Writes the logs with `tracing-subscriber`, one JSON line a record, with the event's fields at the top level.
//!
//! Only this project's crates may write. Libraries' lines would repeat URLs and bodies, which may hold secrets.
//!
//! Some fields are metrics: `template.yaml` has an `AWS::Logs::MetricFilter` for each of them. A line that must not be
//! counted leaves its metrics out. See `docs/adr/0001-metrics-from-log-lines.md`.

use std::{fmt, io};

use domain::jiff::Timestamp;
use tracing::{Metadata, Subscriber, level_filters::LevelFilter, subscriber};
use tracing_subscriber::{
    filter::filter_fn,
    fmt::{MakeWriter, format::Writer, layer, time::FormatTime},
    layer::SubscriberExt,
    registry,
};

use crate::environment::Environment;

/// Lists the fields that are metrics. Each field has the same name as its metric.
const METRICS: [&str; 27] = [
    "postbacks",
    "statuses_not_agreed",
    "refusals_unkept",
    "clicks",
    "webhooks",
    "attempt_ms",
    "conversions_sent",
    "conversions_set_aside",
    "conversions_unrecorded",
    "conversions_failed",
    "lookups_written",
    "lookups_set_aside",
    "lookups_failed",
    "events_applied",
    "events_unchanged",
    "events_not_needed",
    "events_of_unknown_type",
    "events_of_misspelt_type",
    "trackings_spoiled",
    "events_set_aside",
    "events_failed",
    "sweep_looked_at",
    "sweep_sent",
    "sweep_sent_before",
    "sweep_unknown",
    "sweep_unfinished",
    "configuration_stale",
];

/// Starts logging to standard output at `LOG_LEVEL`: `error`, `warn` or `info` (the default). Releases contain no lower
/// level. Lines with metrics are written at every level, because the alarms depend on them.
pub fn start(env: &Environment) {
    let level = env.optional("LOG_LEVEL").and_then(|text| text.to_lowercase().parse().ok());
    // A second start in one process keeps the first subscriber, so its error may be ignored.
    let _ = subscriber::set_global_default(lines(level.unwrap_or(LevelFilter::INFO), io::stdout));
}

/// Returns the subscriber that [`start`] installs, writing to `writer`.
fn lines<W>(level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let json = layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    // Errors of the writer are ignored. Otherwise the crate would print them, and printing panics if standard error
    // cannot be written either.
    let json = json.with_timer(Milliseconds).with_writer(writer).log_internal_errors(false);
    let heard = filter_fn(move |line| line.is_event() && is_ours(line) && (*line.level() <= level || is_counted(line)));
    registry().with(json).with(heard)
}

/// Compares the whole name of the crate. `lambda_runtime` quotes events in its lines, so it must not count as `lambda`.
fn is_ours(line: &Metadata<'_>) -> bool {
    matches!(line.target().split("::").next(), Some("adapters" | "app" | "lambda"))
}

fn is_counted(line: &Metadata<'_>) -> bool {
    line.fields().iter().any(|field| METRICS.contains(&field.name()))
}

/// Writes a line's time as RFC 3339 in UTC, to the millisecond.
struct Milliseconds;

impl FormatTime for Milliseconds {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:.3}", Timestamp::now())
    }
}

#[cfg(test)]
mod filters;
#[cfg(test)]
pub(crate) mod tests;
