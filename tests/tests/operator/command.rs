//! Runs the `postbackctl` that cargo built beside the tests. The environment holds only the stack.

use std::{
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tests::{operator::command, proxy::Proxy, stack::Stack};

/// Bounds the time until a command shows an earlier event. The emulator polls queues and streams about once a second.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Holds the exit code and the texts of a command that has ended.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Finished {
    /// Returns the printed JSON. Panics if the command failed.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|fault| panic!("{fault}: {}", self.out))
    }
}

pub(crate) fn postbackctl(stack: &Stack, arguments: &[&str]) -> Finished {
    finished(command(stack, arguments).output().expect("postbackctl is built: run `make test`"))
}

/// Runs the command through a proxy, without blocking the proxy's runtime.
pub(crate) async fn postbackctl_through(proxy: &Proxy, stack: &Stack, arguments: &[&str]) -> Finished {
    let behind = Stack { aws_endpoint_url: proxy.endpoint_url(), ..stack.clone() };
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let run = move || postbackctl(&behind, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Repeats a command until its JSON satisfies the condition, and returns the JSON. Text that is not JSON counts as
/// null.
pub(crate) async fn eventually(stack: &Stack, arguments: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let output = postbackctl(stack, arguments);
        let found = serde_json::from_str(&output.out).unwrap_or(Value::Null);
        if wanted(&found) {
            return found;
        }
        let (out, err) = (output.out, output.err);
        assert!(begun.elapsed() < PATIENCE, "within {PATIENCE:?}, {arguments:?} printed only {out}{err}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Starts a command. [`interrupt`] returns its output.
pub(crate) fn begin(stack: &Stack, arguments: &[&str]) -> Child {
    let mut command = command(stack, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("postbackctl is built: run `make test`")
}

/// Interrupts a command as Ctrl-C does, waits for its end, and returns its output.
pub(crate) fn interrupt(child: Child) -> Finished {
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    finished(child.wait_with_output().unwrap())
}

pub(crate) fn finished(Output { status, stdout, stderr }: Output) -> Finished {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Finished { code: status.code(), out: text(&stdout), err: text(&stderr) }
}
