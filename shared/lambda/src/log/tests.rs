use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::*;

/// What is logged meanwhile, at this level.
fn written(level: LevelFilter, logging: impl FnOnce()) -> Vec<Value> {
    let written = Arc::new(Mutex::new(Vec::new()));
    let writing = written.clone();
    let lines = Lines::new("test", level, move |line: &[u8]| writing.lock().unwrap().extend_from_slice(line));
    subscriber::with_default(lines, logging);
    let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The one line that is logged meanwhile, once it is sure that `CloudWatch` can count it: every metric that it is counted as is
/// a number in it, and every dimension a text.
pub(crate) fn line(logging: impl FnOnce()) -> Value {
    let lines = written(LevelFilter::INFO, logging);
    let [line] = lines.try_into().unwrap();
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
        for dimension in directive["Dimensions"].as_array().unwrap().iter().flat_map(|set| set.as_array().unwrap()) {
            assert!(
                line[dimension.as_str().unwrap()].as_str().is_some_and(|text| !text.is_empty()),
                "{dimension}: {line}"
            );
        }
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_u64(), "{metric}: {line}");
        }
    }
    line
}

/// What a line is counted as: the names of its metrics, and the sets of its dimensions.
pub(crate) fn counted(line: &Value) -> (Vec<String>, Vec<String>) {
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let metrics = directive["Metrics"].as_array().into_iter().flatten();
    let names = metrics.map(|metric| metric["Name"].as_str().unwrap().to_owned()).collect();
    let sets = directive["Dimensions"].as_array().into_iter().flatten().map(|set| texts(set).join("+"));
    (names, sets.collect())
}

#[test]
fn a_counted_line_carries_its_metrics_as_cloudwatch_reads_them() {
    let line = line(|| {
        let counted = Counted::AttemptOfPartner.id();
        tracing::info!(provider = "acme", outcome = "gone", attempt_ms = 7_u32, webhooks = 1, counted, "attempt");
    });
    let directive = serde_json::json!({
        "Namespace": "test",
        "Dimensions": [["outcome"], ["outcome", "provider"]],
        "Metrics": [{"Name": "webhooks", "Unit": "Count"}, {"Name": "attempt_ms", "Unit": "Milliseconds"}],
    });
    assert_eq!(line["_aws"]["CloudWatchMetrics"], serde_json::json!([directive]));
    let timestamp: domain::jiff::Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
    assert_eq!(line["_aws"]["Timestamp"], timestamp.as_millisecond());
    assert_eq!((line["message"].as_str(), line["webhooks"].as_u64()), (Some("attempt"), Some(1)));
    assert!(line.get("counted").is_none());
}

#[test]
fn every_field_is_written_as_json_whatever_it_holds() {
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
    assert_eq!((line["level"].as_str(), line.get("_aws")), (Some("WARN"), None));
}

#[test]
fn what_is_counted_is_written_at_any_level_and_what_is_not_at_its_own() {
    let lines = written(LevelFilter::ERROR, || {
        tracing::info!("not heard");
        tracing::info!(clicks = 1, outcome = "expired", counted = Counted::Click.id(), "click");
        tracing::info!(target: "lambda_runtime", counted = 0_u64, "not ours");
    });
    assert_eq!(lines.iter().map(|line| line["message"].as_str().unwrap()).collect::<Vec<_>>(), ["click"]);
}

mod stale {
    use app::{
        cache::{Cache, CachePolicy},
        ports::{Source, Unavailable},
    };
    use domain::jiff::Timestamp;

    use super::*;

    /// Answers once, then never again.
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
    fn configuration_that_is_used_although_it_could_not_be_read_anew_is_counted() {
        let cache = Cache::new(Once::default(), CachePolicy::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let get = |second| runtime.block_on(cache.get(&(), Timestamp::from_second(second).unwrap())).unwrap();
        get(0);
        let line = line(|| assert!(get(3600).is_some()));
        assert_eq!(counted(&line).0, ["configuration_stale"]);
        assert_eq!(line["configuration_stale"], 1);
    }
}
