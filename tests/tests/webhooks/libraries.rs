//! Verifies webhooks with the libraries of Standard Webhooks, by the examples that partners copy.
//!
//! The library of Python is installed once, under `.venv`, and again if its pinned version changes.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::LazyLock,
};

use axum::http::{HeaderMap, HeaderName, Method};
use domain::outbound::webhook;
use serde_json::Value;
use tests::{
    node::libraries,
    partner_simulator::{Request, Script},
};

use super::{Fixture, NEWER, SECRET};

/// Includes the example for Rust, as partners copy it.
#[path = "../../../infra/examples/webhook-library.rs"]
#[allow(unreachable_pub, reason = "partners copy the file as it is")]
mod example;

/// Replaces the clock of Node.
const NODE_CLOCK: &str = "data:text/javascript,const at = process.env.NOW * 1000; if (at) Date.now = () => at;";

/// Replaces the clock of the Python library, and runs the example.
const PYTHON_CLOCK: &str = "
import datetime, os, runpy, sys
import standardwebhooks.webhooks as library
class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        at = os.environ.get('NOW')
        return datetime.datetime.fromtimestamp(float(at), tz) if at else datetime.datetime.now(tz)
library.datetime = Clock
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn example(name: &str) -> PathBuf {
    repository().join("infra/examples").join(name)
}

fn done(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Holds the Python that has the library.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
    let make = ["-m", "infra.local", "virtualenv", "libraries", "requirements-libraries.txt"];
    done(Command::new("python3").args(make).current_dir(repository()));
    repository().join(".venv/libraries/bin/python")
});

/// Holds the folder beside which Node finds the library, or nothing on a machine without Node.
static NODE: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let folder = libraries()?.to_owned();
    // Node looks for a library beside the file that imports it.
    fs::copy(example("webhook-library.mjs"), folder.join("webhook-library.mjs")).unwrap();
    Some(folder)
});

/// Holds a webhook as a partner receives it.
struct Received<'a> {
    method: &'a str,
    target: &'a str,
    headers: [&'a str; 3],
    body: &'a str,
}

const HEADERS: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

impl Received<'_> {
    fn of(request: &Request) -> Received<'_> {
        let Request { method, target, body, .. } = request;
        Received { method, target, headers: HEADERS.map(|name| request.header(name).unwrap()), body }
    }

    /// Returns each library's name with its verdict. `now` replaces the clock.
    fn verdicts(&self, secret: &str, now: Option<i64>) -> Vec<(&'static str, bool)> {
        let mut verdicts = Vec::from([("Python", self.judged(&mut Self::python(), secret, now))]);
        if let Some(folder) = NODE.as_ref() {
            let mut node = Command::new("node");
            node.args(["--import", NODE_CLOCK]).arg(folder.join("webhook-library.mjs"));
            verdicts.push(("Node", self.judged(&mut node, secret, now)));
        }
        // The crate's clock cannot be replaced.
        if now.is_none() {
            let mut headers = HeaderMap::new();
            for (name, value) in HEADERS.iter().zip(self.headers) {
                headers.insert(HeaderName::from_static(name), value.parse().unwrap());
            }
            let method = Method::from_bytes(self.method.as_bytes()).unwrap();
            let verified = example::verify(secret, &method, self.target, &headers, self.body.as_bytes());
            verdicts.push(("Rust", verified.is_ok()));
        }
        verdicts
    }

    fn python() -> Command {
        let mut python = Command::new(PYTHON.as_path());
        python.args(["-c", PYTHON_CLOCK]).arg(example("webhook-library.py"));
        python
    }

    /// Runs an example. It prints one word, or fails with the error of its library.
    fn judged(&self, program: &mut Command, secret: &str, now: Option<i64>) -> bool {
        let now = now.map(|now| now.to_string()).unwrap_or_default();
        program.args([self.method, self.target]).args(self.headers).envs([("SECRET", secret), ("NOW", &now)]);
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.spawn().unwrap();
        // An example need not read its input. In that case the write fails, which is no fault.
        let _ = child.stdin.take().unwrap().write_all(self.body.as_bytes());
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let (said, fault) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        let verified = status.success() && said.trim() == "ours";
        assert!(verified || fault.contains("WebhookVerificationError"), "{program:?}\n{said}{fault}");
        verified
    }
}

#[test]
fn each_library_judges_each_vector_as_published() {
    let vectors = fs::read_to_string(repository().join("shared/domain/vectors/webhook-signature.json")).unwrap();
    let vectors: Value = serde_json::from_str(&vectors).unwrap();
    for vector in vectors["webhooks"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap();
        let body = if text("method") == "GET" { "" } else { text("payload") };
        let received = Received { method: text("method"), target: text("target"), headers: HEADERS.map(text), body };
        for (library, verdict) in received.verdicts(text("secret"), vector["received_at"].as_i64()) {
            assert_eq!(Some(verdict), vector["valid"].as_bool(), "{library}: {}", text("what"));
        }
    }
}

#[tokio::test]
async fn each_library_verifies_what_a_partner_receives() {
    let fixture = Fixture::start().await;
    fixture.partner.set_script("libraries", &Script::secrets([])).await;
    for method in [webhook::Method::Get, webhook::Method::Post] {
        for click_id in ["c-1", "%7B a+b&c=é\"\\☂/?#"] {
            fixture.send("libraries", method, click_id).await;
            let request = fixture.partner.requests("libraries").await.requests.pop().unwrap();
            let received = Received::of(&request);
            for secret in [SECRET, NEWER] {
                for (library, verdict) in received.verdicts(secret, None) {
                    assert!(verdict, "{library}: {request:?}");
                }
            }
            let other = received.verdicts("whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", None);
            assert!(other.iter().all(|(_, verdict)| !verdict), "{other:?}");
        }
    }
}
