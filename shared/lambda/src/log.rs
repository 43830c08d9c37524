//! Logs: JSON, one line a record at most, our own words only.
//!
//! Only this project's crates are heard. The libraries' lines would repeat URLs and bodies, and no line may hold a secret,
//! a query string or a token of a path.

use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Starts logging to standard output, at `LOG_LEVEL` (`error`, `warn`, `info`, `debug`; info unless it says so).
pub fn start(level: Option<&str>) {
    let level = level.and_then(|text| text.to_lowercase().parse().ok()).unwrap_or(LevelFilter::INFO);
    // By the whole name of the crate: `lambda` must not let `lambda_runtime` speak, which quotes events.
    let ours = filter_fn(|line| matches!(line.target().split("::").next(), Some("adapters" | "app" | "lambda")));
    let lines =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    // A second start in one process keeps the first: nothing is lost by it.
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours).with_filter(level)).try_init();
}
