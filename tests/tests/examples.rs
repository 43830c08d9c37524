//! Runs the examples that partners copy, in each language that is installed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::print_stderr, reason = "a test reports the examples that it cannot run")]

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, http::Uri};
use domain::inbound::parameters::{self, Parameters};
use serde_json::Value;
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command};

/// Lists, for each file ending, the command that runs such a file and the programs that the command needs.
const LANGUAGES: [(&str, &[&str], &[&str]); 5] = [
    ("sh", &["bash"], &["bash", "curl", "openssl"]),
    ("py", &["python3"], &["python3"]),
    ("mjs", &["node"], &["node"]),
    ("php", &["php"], &["php"]),
    ("go", &["go", "run"], &["go"]),
];

const SAMPLE: &str = "user_id=12345&click_id=67890&transaction_id=123123123&currency=USD&amount_decimal=100.00";

fn vectors(file: &str, list: &str) -> Vec<Value> {
    let path = repository().join("shared/domain/vectors").join(file);
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    vectors[list].as_array().unwrap().clone()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the example's command in each language that has the example and is installed.
fn installed(example: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for (ending, command, needs) in LANGUAGES {
        let file = repository().join("infra/examples").join(format!("{example}.{ending}"));
        if !file.exists() {
            continue;
        }
        if let Some(missing) = needs.iter().find(|program| !is_on_path(program)) {
            eprintln!("{example}.{ending} is not run, because {missing} is not installed");
            continue;
        }
        let words = command.iter().copied().chain([file.to_str().unwrap()]);
        commands.push(words.map(str::to_owned).collect());
    }
    assert!(
        commands.iter().any(|command: &Vec<String>| command[0] == "python3"),
        "no example ran in Python; install python3"
    );
    commands
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

async fn run(command: &[String], arguments: &[&str], environment: &[(&str, &str)], input: &str) -> String {
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .args(arguments)
        .envs(environment.iter().copied())
        .env("no_proxy", "*")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program need not read its input. In that case the write fails, which is no fault.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Answers every request with a receipt, and records the requested URIs.
struct Receiver {
    base: String,
    received: Arc<Mutex<Vec<Uri>>>,
}

impl Receiver {
    async fn start() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let keep = async |State(received): State<Arc<Mutex<Vec<Uri>>>>, uri: Uri| {
            received.lock().unwrap().push(uri);
            r#"{"status":"accepted"}"#
        };
        let router = Router::new().fallback(keep).with_state(Arc::clone(&received));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, received }
    }

    fn take(&self) -> Uri {
        let mut received = std::mem::take(&mut *self.received.lock().unwrap());
        assert_eq!(received.len(), 1, "an example sends one request");
        received.remove(0)
    }
}

/// Returns the decoded parameters of a query as `name=value`, which are the examples' arguments.
fn arguments(query: &str) -> Vec<String> {
    let decoded = |text: &str| parameters::decode(text.as_bytes()).unwrap();
    let pair = |segment: &str| {
        let (name, value) = segment.split_once('=').unwrap_or((segment, ""));
        format!("{}={}", decoded(name), decoded(value))
    };
    query.split('&').map(pair).collect()
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn every_example_sends_its_arguments_and_shows_the_answer() {
    let receiver = Receiver::start().await;
    let url = format!("{}/postback/acme/token", receiver.base);
    for command in installed("postback-token") {
        let shown = run(&command, &borrowed(&arguments(SAMPLE)), &[("POSTBACK_URL", &url)], "").await;
        assert!(shown.contains("200") && shown.contains(r#"{"status":"accepted"}"#), "{command:?}: {shown}");
        let uri = receiver.take();
        assert_eq!(uri.path(), "/postback/acme/token", "{command:?}");
        let sent = Parameters::split(uri.query().unwrap().as_bytes(), b"");
        assert_eq!(sent.canonical(&[]), Parameters::split(SAMPLE.as_bytes(), b"").canonical(&[]), "{command:?}");
    }
}

#[tokio::test]
async fn every_example_signs_every_vector_as_published() {
    let receiver = Receiver::start().await;
    for command in installed("postback-signed") {
        for vector in vectors("signature.json", "postbacks") {
            let text = |name: &str| vector[name].as_str().unwrap();
            let url = format!("{}/postback/{}", receiver.base, text("provider"));
            let environment =
                [("POSTBACK_URL", url.as_str()), ("PROVIDER", text("provider")), ("SECRET", text("secret"))];
            let shown = run(&command, &borrowed(&arguments(text("query"))), &environment, "").await;
            assert!(shown.contains("200"), "{command:?}: {shown}");
            let uri = receiver.take();
            let sent = Parameters::split(uri.query().unwrap().as_bytes(), b"");
            let context = format!("{command:?}, {}: {uri}", text("what"));
            assert_eq!(sent.canonical(&[("provider", text("provider"))]), text("canonical"), "{context}");
            assert_eq!(sent.raw("signature"), Some(text("signature").as_bytes()), "{context}");
        }
    }
}

#[tokio::test]
async fn every_example_recognises_our_webhooks() {
    for command in installed("webhook") {
        for vector in vectors("webhook-signature.json", "webhooks") {
            let text = |name: &str| vector[name].as_str().unwrap();
            let now = vector["received_at"].as_i64().unwrap().to_string();
            let headers = [text("webhook-id"), text("webhook-timestamp"), text("webhook-signature"), &now];
            let shown = run(&command, &headers, &[("SECRET", text("secret"))], text("payload")).await;
            let expected = if vector["valid"].as_bool().unwrap() { "ours" } else { "not ours" };
            assert_eq!(shown.trim(), expected, "{command:?}: {}", text("what"));
        }
    }
}
