//! Logs: JSON, one line a record at most, our own words only.
//!
//! Only this project's crates are heard. The libraries' lines would repeat URLs and bodies, and no line may hold a secret,
//! a query string or a token of a path. Nobody asks for spans here, so that a subscriber of our own, which has none, does
//! in a third of the instructions what `tracing-subscriber` does with its registry and its layers.

use std::{
    fmt,
    io::{self, Write as _},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

use crate::now;

/// Starts logging to standard output, at `LOG_LEVEL` (`error`, `warn` or `info`; info unless it says so). Of what is below
/// that nothing is compiled into a release: `release_max_level_info` in Cargo.toml.
pub fn start(level: Option<&str>) {
    let level = level.and_then(|text| text.to_lowercase().parse().ok()).unwrap_or(LevelFilter::INFO);
    // A second start in one process keeps the first: nothing is lost by it.
    let _ = tracing::subscriber::set_global_default(Lines { level });
}

/// Writes our own events as lines.
#[derive(Debug)]
struct Lines {
    level: LevelFilter,
}

impl Subscriber for Lines {
    /// By the whole name of the crate: `lambda` must not let `lambda_runtime` speak, which quotes events.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let krate = metadata.target().split("::").next();
        metadata.is_event() && metadata.level() <= &self.level && matches!(krate, Some("adapters" | "app" | "lambda"))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        let line = Line::of(event, &now().to_string());
        // Who cannot log cannot say so either.
        let _ = io::stdout().lock().write_all(&line);
    }

    // No span is ever enabled.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// A line while its fields are written.
struct Line(Vec<u8>);

impl Line {
    /// The whole line of an event.
    fn of(event: &Event<'_>, timestamp: &str) -> Vec<u8> {
        let metadata = event.metadata();
        let mut line = Self(Vec::with_capacity(320));
        line.0.push(b'{');
        line.text("timestamp", timestamp);
        line.text("level", level_name(*metadata.level()));
        event.record(&mut line);
        line.text("target", metadata.target());
        line.0.extend_from_slice(b"}\n");
        line.0
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.json(name);
        self.0.push(b':');
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.json(value);
    }

    fn plain(&mut self, name: &str, value: impl fmt::Display) {
        self.name(name);
        // Writing to memory does not fail.
        let _ = write!(self.0, "{value}");
    }

    fn json(&mut self, text: &str) {
        // Writing to memory does not fail, and a text is always JSON.
        let _ = serde_json::to_writer(&mut self.0, text);
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field.name(), &format!("{value:?}"));
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing::{error, info, info_span};

    use super::*;

    /// Keeps lines instead of writing them.
    struct Kept {
        lines: Lines,
        kept: Arc<Mutex<Vec<Vec<u8>>>>,
    }

    impl Subscriber for Kept {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            self.lines.enabled(metadata)
        }

        fn event(&self, event: &Event<'_>) {
            self.kept.lock().unwrap().push(Line::of(event, "then"));
        }

        fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
            panic!("a span was enabled: {span:?}")
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }

    fn logged(level: LevelFilter, log: impl FnOnce()) -> Vec<Value> {
        let kept = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let subscriber = Kept { lines: Lines { level }, kept: Arc::clone(&kept) };
        tracing::subscriber::with_default(subscriber, log);
        kept.lock().unwrap().iter().map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    #[test]
    fn an_event_is_one_line_of_json_whatever_its_values_are() {
        let text = "a\n\"b\"\u{1}é";
        let lines = logged(LevelFilter::INFO, || {
            info!(text, %text, count = 3_u8, less = -1, yes = true, none = None::<&str>, list = ?["x"], "words");
        });
        let fields = json!({
            "timestamp": "then", "level": "INFO", "message": "words", "target": "lambda::log::tests", "text": text,
            "count": 3, "less": -1, "yes": true, "list": "[\"x\"]",
        });
        assert_eq!(lines, [fields]);
    }

    #[test]
    fn only_our_crates_are_heard_and_only_at_the_level_or_above() {
        let lines = logged(LevelFilter::ERROR, || {
            let _span = info_span!("a span").entered();
            info!("too low");
            error!(target: "lambda_runtime::runtime", "quotes events");
            error!(target: "hyper", "quotes URLs");
            error!(target: "app::cache", "ours");
        });
        assert_eq!(lines.iter().map(|line| &line["message"]).collect::<Vec<_>>(), ["ours"]);
    }
}
