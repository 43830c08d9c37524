//! Writes the logs with `tracing-subscriber`, one JSON line a record, with the event's fields at the top level.
//!
//! Only this project's crates may write. Libraries' lines would repeat URLs and bodies, which may hold secrets.
//!
//! Some fields are metrics: `template.yaml` has an `AWS::Logs::MetricFilter` for each of them. A line that must not be
//! counted leaves its metrics out. See `docs/adr/0001-metrics-from-log-lines.md`.

use std::{fmt, io};

use domain::jiff::Timestamp;
use tracing::{Metadata, Subscriber, subscriber};
use tracing_subscriber::{
    filter::filter_fn,
    fmt::{MakeWriter, format::Writer, layer, time::FormatTime},
    layer::SubscriberExt,
    registry,
};

/// Starts logging to standard output. Every line is written, because nearly all carry metrics and the others are errors.
pub fn start() {
    // A second start in one process keeps the first subscriber, so its error may be ignored.
    let _ = subscriber::set_global_default(lines(io::stdout));
}

/// Returns the subscriber that [`start`] installs, writing to `writer`.
fn lines<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let json = layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    // Errors of the writer are ignored. Otherwise the crate would print them, and printing panics if standard error
    // cannot be written either.
    let json = json.with_timer(Milliseconds).with_writer(writer).log_internal_errors(false);
    registry().with(json).with(filter_fn(|line| line.is_event() && is_ours(line)))
}

/// Compares the whole name of the crate. `lambda_runtime` quotes events in its lines, so it must not count as `lambda`.
fn is_ours(line: &Metadata<'_>) -> bool {
    matches!(line.target().split("::").next(), Some("adapters" | "app" | "lambda"))
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
