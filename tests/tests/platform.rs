//! Runs the examples for GG3's platform, in each language that is installed, against queues of the local stack.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::print_stderr, reason = "a test reports the examples that it cannot run")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use domain::{
    outbound::{
        event::{Event, EventKind, Parsed},
        timing::Timing,
    },
    values::money::Amount,
};
use tests::{eventually, fresh, now, stack::Stack};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn stack() -> Stack {
    Stack::from_env().unwrap_or_else(|fault| panic!("{fault}"))
}

/// Returns the folder in which the TypeScript examples can run, or `None` if npm is not installed or cannot install
/// their packages.
fn typescript() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || {
        let folder = repository().join("target/examples-platform");
        fs::create_dir_all(&folder).unwrap();
        for entry in fs::read_dir(repository().join("infra/examples/platform")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
            }
        }
        let install = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).output();
        match install {
            Ok(output) if output.status.success() => Some(folder),
            Ok(output) => {
                eprintln!("the TypeScript examples are not run: {}", String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(fault) => {
                eprintln!("the TypeScript examples are not run, because npm does not run: {fault}");
                None
            }
        }
    };
    FOLDER.get_or_init(install).as_deref()
}

/// Returns the example in each language that is installed. Python is required.
fn installed(python: &str, ts: &str) -> Vec<Command> {
    let root = repository();
    let mut in_python = Command::new(root.join(".venv/local/bin/python"));
    in_python.arg(root.join("infra/examples/platform").join(python));
    let in_typescript = typescript().map(|folder| {
        let mut command = Command::new(folder.join("node_modules/.bin/tsx"));
        command.arg(folder.join(ts));
        command
    });
    [in_python].into_iter().chain(in_typescript).collect()
}

/// Runs the example against this queue.
async fn run(mut command: Command, stack: &Stack, queue: &str, store: &Path) -> String {
    command.envs(stack.aws_environment(&stack.aws_endpoint_url)).env("QUEUE_URL", queue).env("STORE", store);
    command.env("no_proxy", "*");
    let shown = format!("{command:?}");
    let run = tokio::task::spawn_blocking(move || command.output());
    let Output { status, stdout, stderr } = run.await.unwrap().unwrap();
    assert!(status.success(), "{shown}\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

#[test]
fn the_typescript_examples_have_no_fault_of_types() {
    let Some(folder) = typescript() else { return };
    let Output { status, stdout, .. } =
        Command::new(folder.join("node_modules/.bin/tsc")).current_dir(folder).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stdout));
}

#[tokio::test]
async fn every_example_sends_an_event_that_is_read() {
    let stack = stack();
    for mut command in installed("send_event.py", "send-event.ts") {
        let queue = stack.create_queue("gg3-events").await;
        command.args(["user.registered", "gg3-żółw", r#"{"method": "google"}"#]);
        let shown = run(command, &stack, &queue, Path::new("/nonexistent")).await;
        let sent = eventually("the event arrives", async || {
            stack.sqs().receive_message().queue_url(&queue).send().await.unwrap().messages?.pop()?.body
        })
        .await;
        let Ok(Parsed::Event(event)) = Event::parse(sent.as_bytes(), now().into(), &Timing::default()) else {
            panic!("{sent}")
        };
        assert_eq!(event.user_id.as_str(), "gg3-żółw");
        assert_eq!(event.kind, EventKind::Registered { tracking: None, total_clicks: 0 });
        assert!(shown.contains(event.id.as_str()), "{shown}");
    }
}

#[tokio::test]
async fn every_example_keeps_the_valid_conversions_exactly() {
    let stack = stack();
    let folder = repository().join("shared/domain/examples/conversions");
    let mut samples: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    // A floating-point number would lose the last digits of these two.
    let exact = samples.iter().find(|sample| sample.contains("\"77\"") && sample.contains("40.00")).unwrap().clone();
    samples.push(exact.replace("\"77\"", "\"78\"").replace("40.00", "900719925474099.12345678"));
    samples.push(exact.replace("\"77\"", "\"79\"").replace("40.00", "0.1"));
    // The adjustment of a rejected transaction counts as nothing, as the transaction does.
    let adjusted = samples.iter().find(|sample| sample.contains("\"r-77\"")).unwrap().clone();
    samples.push(adjusted.replace("\"r-77\"", "\"r-78\"").replace("\"77\"", "\"123123124\"").replace("globex", "acme"));
    // 999.00 is the correction, 40.00 less 25.00 is approved, and the rejected transaction counts as nothing.
    let expected = Amount::sum(["999", "15", "900719925474099.12345678", "0.1"].map(|one| Amount::parse(one).unwrap()));
    for (at, command) in installed("read_conversions.py", "read-conversions.ts").into_iter().enumerate() {
        let queue = stack.create_queue("gg3-conversions").await;
        // Each language gets the messages in another order, and every message twice.
        samples.sort();
        if at % 2 == 1 {
            samples.reverse();
        }
        for sample in samples.iter().chain(&samples) {
            stack.sqs().send_message().queue_url(&queue).message_body(sample).send().await.unwrap();
        }
        let store = std::env::temp_dir().join(fresh("conversions"));
        let shown = run(command, &stack, &queue, &store).await;
        fs::remove_file(&store).unwrap();
        let total = shown.trim().strip_prefix("USD ").unwrap_or_else(|| panic!("{shown}"));
        assert_eq!(Amount::parse(total), Ok(expected), "{shown}");
        let left = stack.sqs().receive_message().queue_url(&queue).send().await.unwrap();
        assert!(left.messages.is_none_or(|messages| messages.is_empty()), "read messages are deleted");
    }
}
