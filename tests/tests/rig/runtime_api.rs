//! Tests that a function runs as on Lambda and can be killed.

use std::{os::unix::process::ExitStatusExt as _, path::Path, time::Duration};

use serde_json::{Value, json};
use tests::{
    runtime_api::{InvocationEnding, Settings, StartFailure},
    within_patience,
};

use crate::echo;

const SIGKILL: i32 = 9;

fn context() -> Value {
    json!({"do": "context"})
}

#[tokio::test]
async fn a_function_answers_the_events_it_is_given() {
    let function = echo().spawn().await;
    let value = json!({"nested": [1, "two", null], "text": "naïve ☂"});
    for _ in 0..3 {
        assert_eq!(function.invoke(&json!({"do": "echo", "value": value})).await.response(), value);
    }
}

#[tokio::test]
async fn a_function_is_found_where_cargo_built_it() {
    Settings::built("echo-function").spawn().await.invoke(&context()).await.response();
}

#[tokio::test]
async fn a_failing_handler_is_a_function_error_and_the_process_lives() {
    let function = echo().spawn().await;
    for order in ["fail", "panic"] {
        let invocation = function.invoke(&json!({"do": order, "message": "no such luck"})).await;
        let InvocationEnding::FunctionError(error) = invocation.outcome else { panic!("{invocation:?}") };
        assert!(error["errorMessage"].as_str().unwrap().contains("no such luck"), "{error}");
    }
    function.invoke(&context()).await.response();
}

#[tokio::test]
async fn a_function_that_exits_during_an_event_has_died() {
    let function = echo().spawn().await;
    let order = json!({"do": "exit", "code": 3});
    for event in [order, context()] {
        let InvocationEnding::Died(status) = function.invoke(&event).await.outcome else {
            panic!("the function has not died")
        };
        assert_eq!(status.code(), Some(3));
    }
}

#[tokio::test]
async fn a_function_killed_in_the_middle_of_an_event_dies_of_sigkill() {
    let function = echo().spawn().await;
    let order = json!({"do": "hang"});
    let (invocation, killed) = tokio::join!(function.invoke(&order), async {
        function.wait_for_log(|line| line == "hanging").await.unwrap();
        function.kill().await
    });
    assert_eq!(killed.signal(), Some(SIGKILL));
    assert_eq!(invocation.outcome, InvocationEnding::Died(killed));
}

#[tokio::test]
async fn a_function_that_outlives_its_deadline_is_killed() {
    let function = echo().timeout(Duration::from_millis(200)).spawn().await;
    let invocation = function.invoke(&json!({"do": "hang"})).await;
    assert_eq!(invocation.outcome, InvocationEnding::TimedOut);
    assert!(invocation.took >= Duration::from_millis(200));
    assert_eq!(function.wait_for_end().await.signal(), Some(SIGKILL));
}

#[tokio::test]
async fn a_function_sees_the_deadline_that_its_timeout_sets() {
    let function = echo().timeout(Duration::from_mins(1)).spawn().await;
    let left_ms = function.invoke(&context()).await.response()["left_ms"].as_u64().unwrap();
    assert!((55_000..=60_000).contains(&left_ms), "{left_ms}");
}

#[tokio::test]
async fn events_given_at_once_are_handled_one_after_another() {
    let function = echo().spawn().await;
    let event = context();
    let (a, b, c) = tokio::join!(function.invoke(&event), function.invoke(&event), function.invoke(&event));
    let mut ids = [a, b, c].map(|invocation| invocation.response()["request_id"].as_str().unwrap().to_owned());
    ids.sort();
    assert_eq!(ids, [1, 2, 3].map(|number| format!("00000000-0000-4000-8000-{number:012x}")));
}

#[tokio::test]
async fn a_function_inherits_nothing_of_our_environment() {
    assert!(std::env::var_os("PATH").is_some());
    let function = echo().variable("OURS", "1").spawn().await;
    let names = function.invoke(&json!({"do": "environment"})).await.response();
    let mut names: Vec<String> = serde_json::from_value(names).unwrap();
    names.retain(|name| !name.starts_with("AWS_LAMBDA_"));
    // The runtime sets the trace id from the event.
    assert_eq!(names, ["OURS", "TZ", "_HANDLER", "_X_AMZN_TRACE_ID"]);
}

#[tokio::test]
async fn the_logs_of_a_dead_function_are_whole() {
    let function = echo().spawn().await;
    let stdout = (0..2_000).map(|number| format!("line {number}")).collect::<Vec<_>>().join("\n");
    function.invoke(&json!({"do": "log", "stdout": stdout, "stderr": "complaint"})).await.response();
    function.kill().await;
    let logs = function.logs();
    assert!(logs.contains(&"line 1999".to_owned()) && logs.contains(&"complaint".to_owned()));
    assert_eq!(logs.len(), 2_001);
    assert_eq!(function.wait_for_log(|line| line == "never written").await, None);
}

#[tokio::test]
async fn a_failing_init_is_reported_with_its_logs() {
    let function = echo().variable("FAIL_INIT", "no configuration").spawn().await;
    let failure = function.wait_until_ready().await.unwrap_err();
    let StartFailure::Died { status, logs } = failure else { panic!("{failure}") };
    assert!(!status.success());
    assert!(logs.contains(&"init: no configuration".to_owned()), "{logs:?}");
}

#[tokio::test]
async fn a_function_can_be_started_again_after_a_crash() {
    let settings = echo();
    let first = settings.spawn().await;
    first.wait_until_ready().await.unwrap();
    first.kill().await;
    let second = settings.spawn().await;
    assert_ne!(first.process_id(), second.process_id());
    second.invoke(&context()).await.response();
}

#[tokio::test]
async fn a_dropped_function_leaves_no_process() {
    let function = echo().spawn().await;
    function.wait_until_ready().await.unwrap();
    let process = format!("/proc/{}", function.process_id().unwrap());
    assert!(Path::new(&process).exists());
    drop(function);
    let gone = async {
        while Path::new(&process).exists() {
            tokio::task::yield_now().await;
        }
    };
    within_patience("the process is gone", gone).await;
}
