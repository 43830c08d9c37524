use std::{
    collections::BTreeSet,
    io::{self, Write},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::Value;

use super::{
    filters::{Filter, Template},
    *,
};

/// Lists the fields that are metrics. Each field has the same name as its metric.
const METRICS: [&str; 31] = [
    "postbacks",
    "credentials_wrong",
    "statuses_not_agreed",
    "refusals_unkept",
    "clicks",
    "webhooks",
    "attempt_ms",
    "endpoint_changes",
    "conversions_sent",
    "conversions_set_aside",
    "conversions_unrecorded",
    "conversions_failed",
    "lookups_written",
    "lookups_set_aside",
    "lookups_failed",
    "archive_rows",
    "archive_failed",
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

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the lines that `logging` writes.
fn written(logging: impl FnOnce()) -> Vec<String> {
    let memory = Memory::default();
    let writer = memory.clone();
    subscriber::with_default(lines(String::new(), move || writer.clone()), logging);
    let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Returns the only line that `logging` writes.
pub(crate) fn line(logging: impl FnOnce()) -> Value {
    let [line] = written(logging).try_into().unwrap();
    serde_json::from_str(&line).unwrap()
}

/// Returns the sorted series in which the template's filters count this line, such as `postbacks by outcome`.
pub(crate) fn counted(line: &Value) -> Vec<String> {
    let module = line["target"].as_str().unwrap().strip_prefix("lambda::").unwrap();
    let words = module.split("::").next().unwrap().split('_');
    let function: String = words.map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    counted_in(&function, line)
}

fn counted_in(function: &str, line: &Value) -> Vec<String> {
    let filters = Template::deployed().filters_of(function);
    assert!(!filters.is_empty(), "no filter counts the lines of {function}");
    let mut series: Vec<String> = filters.iter().filter(|filter| filter.counts(line)).map(Filter::series).collect();
    series.sort();
    series
}

#[test]
fn a_line_is_flat_json_with_time_level_and_target() {
    let lines = written(|| tracing::info!(provider = "acme", postbacks = 1, "postback"));
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    let time = line["timestamp"].as_str().unwrap();
    let expected = format!(
        r#"{{"timestamp":"{time}","level":"INFO","message":"postback","provider":"acme","postbacks":1,"target":"{}"}}"#,
        module_path!()
    );
    assert_eq!(lines, [expected]);
    assert!(time.parse::<Timestamp>().is_ok() && time.len() == "2026-11-30T12:00:00.000Z".len(), "{time}");
}

#[test]
fn a_line_begins_with_the_deployed_commit() {
    let memory = Memory::default();
    let writer = memory.clone();
    let logging = lines("1da60ba1c2".to_owned(), move || writer.clone());
    subscriber::with_default(logging, || tracing::info!(clicks = 1, "click"));
    let line = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
    assert!(line.starts_with(r#"{"commit":"1da60ba1c2","timestamp":""#) && line.ends_with("}\n"), "{line}");
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["clicks"], 1);
}

#[test]
fn every_field_is_valid_json_for_any_content() {
    let nothing: Option<u64> = None;
    let fault = std::io::Error::other("\"quoted\"\n");
    let line = line(|| {
        let (text, shown) = ("a \"b\"\n\u{1}", format_args!("{}", "c\\d\n"));
        tracing::warn!(text, %shown, yes = true, below = -1, nothing, fault = &fault as &dyn std::error::Error, "words");
    });
    assert_eq!(line["text"], "a \"b\"\n\u{1}");
    assert_eq!(line["shown"], "c\\d\n");
    assert_eq!(line["fault"], "\"quoted\"\n");
    assert_eq!((line["yes"].as_bool(), line["below"].as_i64(), line.get("nothing")), (Some(true), Some(-1), None));
    assert_eq!(line["level"], "WARN");
}

#[test]
fn only_lines_of_our_crates_are_written() {
    let lines = written(|| {
        tracing::info!(clicks = 1, outcome = "expired", "click");
        tracing::info!(target: "lambda_runtime", clicks = 1, "of a library");
        tracing::error!(target: "lambda_runtime", "of a library");
        tracing::error!("of ours");
        let _span = tracing::error_span!("span").entered();
    });
    let messages = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["message"].clone());
    assert_eq!(messages.collect::<Vec<_>>(), ["click", "of ours"]);
}

#[test]
fn a_span_adds_nothing_to_a_line() {
    let line = line(|| {
        let _span = tracing::info_span!("span", query = "secret").entered();
        tracing::info!("words");
    });
    assert!(!line.to_string().contains("span") && !line.to_string().contains("secret"), "{line}");
}

#[test]
fn every_metric_has_a_filter_and_is_shown() {
    let template = Template::deployed();
    let filters = template.filters();
    let metrics: BTreeSet<&str> = filters.iter().map(|filter| filter.metric.as_str()).collect();
    // API Gateway writes the lines that this metric counts.
    assert_eq!(metrics, METRICS.into_iter().chain(["api_throttled"]).collect());
    let series: BTreeSet<String> = filters.iter().map(Filter::series).collect();
    let [alarmed, shown] = template.used();
    assert!(alarmed.len() >= 10 && alarmed.is_subset(&series), "{alarmed:?}");
    assert_eq!(shown, series);
}

/// Names the variable that tells this program that it is the child of [`a_writer_that_fails_does_not_kill`].
const CHILD: &str = "LOGS_WITH_A_WRITER_THAT_FAILS";

#[test]
fn a_writer_that_fails_does_not_kill() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    if std::env::var_os(CHILD).is_some() {
        return subscriber::with_default(lines(String::new(), || Broken), || {
            tracing::error!("words");
        });
    }
    // Nobody reads the child's standard error, so printing to it would panic.
    let (reader, stderr) = io::pipe().unwrap();
    drop(reader);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "--nocapture", "log::tests::a_writer_that_fails_does_not_kill"]).env(CHILD, "1");
    let output = child.stderr(stderr).stdout(Stdio::piped()).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && report.contains("1 passed"), "{report}");
}

mod stale {
    use app::{
        cache::{Cache, CachePolicy},
        ports::{Source, Unavailable},
    };

    use super::*;

    /// Loads once and then fails.
    #[derive(Default)]
    struct Once(Mutex<bool>);

    impl Source for Once {
        type Key = ();
        type Value = ();

        async fn load(&self, (): &()) -> Result<Option<()>, Unavailable> {
            let asked = std::mem::replace(&mut *self.0.lock().unwrap(), true);
            if asked { Err(Unavailable { service: "DynamoDB", reason: "down".into() }) } else { Ok(Some(())) }
        }
    }

    #[test]
    fn stale_configuration_is_counted_in_every_function() {
        let cache = Cache::new(Once::default(), CachePolicy::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let get = |second| runtime.block_on(cache.get(&(), Timestamp::from_second(second).unwrap())).unwrap();
        get(0);
        let line = line(|| assert!(get(600).is_some()));
        assert_eq!((line["target"].as_str(), line["configuration_stale"].as_u64()), (Some("app::cache"), Some(1)));
        for function in Template::deployed().functions() {
            assert_eq!(counted_in(function, &line), ["configuration_stale"], "{function}");
        }
    }
}
