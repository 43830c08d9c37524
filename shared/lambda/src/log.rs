//! Writes the logs with `tracing-subscriber`, one JSON line a record, with the event's fields at the top level.
//!
//! Only this project's crates may write. Libraries' lines would repeat URLs and bodies, which may hold secrets.
//!
//! Each line begins with the commit that the function was deployed from, if its deployment said so.
//!
//! Some fields are metrics: `template.yaml` has an `AWS::Logs::MetricFilter` for each of them. A line that must not be
//! counted leaves its metrics out. See `docs/adr/0001-metrics-from-log-lines.md`.

use std::{fmt, io};

use domain::jiff::Timestamp;
use tracing::{Event, Metadata, Subscriber, subscriber};
use tracing_subscriber::{
    filter::filter_fn,
    fmt::{
        FmtContext, FormatEvent, FormatFields, MakeWriter,
        format::{Format, Json, Writer},
        layer,
        time::FormatTime,
    },
    layer::SubscriberExt,
    registry,
    registry::LookupSpan,
};

use crate::environment::Environment;

/// Starts logging to standard output. Every line is written, because nearly all carry metrics and the others are
/// errors. Each line has the commit of the environment variable `COMMIT`, if it is set.
pub fn start(env: &Environment) {
    let commit = env.optional("COMMIT").unwrap_or_default();
    // A second start in one process keeps the first subscriber, so its error may be ignored.
    let _ = subscriber::set_global_default(lines(commit, io::stdout));
}

/// Returns the subscriber that [`start`] installs, writing to `writer`.
fn lines<W>(commit: String, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let json = layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    // Errors of the writer are ignored. Otherwise the crate would print them, and printing panics if standard error
    // cannot be written either.
    let json = json.with_timer(Milliseconds).with_writer(writer).log_internal_errors(false);
    let json = json.map_event_format(|json| Stamped { commit, json });
    registry().with(json).with(filter_fn(|line| line.is_event() && is_ours(line)))
}

/// Compares the whole name of the crate, because the name `lambda_runtime` begins with our `lambda`. That crate quotes
/// events in its lines.
fn is_ours(line: &Metadata<'_>) -> bool {
    matches!(line.target().split("::").next(), Some("adapters" | "app" | "console_pages" | "lambda"))
}

/// Writes lines with the commit in front of the other fields. An empty commit is left out.
struct Stamped {
    commit: String,
    json: Format<Json, Milliseconds>,
}

impl<S, N> FormatEvent<S, N> for Stamped
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if self.commit.is_empty() {
            return self.json.format_event(context, to, event);
        }
        let mut line = String::new();
        self.json.format_event(context, Writer::new(&mut line), event)?;
        let fields = line.strip_prefix('{').ok_or(fmt::Error)?;
        write!(to, "{{\"commit\":\"{}\",{fields}", self.commit)
    }
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
