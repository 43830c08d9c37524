//! `postbackctl` as cargo built it beside the tests, with nothing of our own environment but the stack.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use tests::{proxy::Proxy, stack::Stack};

/// What came of a command.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The JSON that a command which succeeded printed.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|fault| panic!("{fault}: {}", self.out))
    }
}

pub(crate) fn postbackctl(stack: &Stack, arguments: &[&str]) -> Said {
    said(command(stack, arguments).output().expect("postbackctl is built: run `make test`"))
}

/// The same through a proxy that runs beside it.
pub(crate) async fn postbackctl_through(proxy: &Proxy, stack: &Stack, arguments: &[&str]) -> Said {
    let behind = Stack { aws_endpoint_url: proxy.endpoint_url(), ..stack.clone() };
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let run = move || postbackctl(&behind, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// The command under way; what it says is kept for [`interrupt`].
pub(crate) fn begin(stack: &Stack, arguments: &[&str]) -> Child {
    let mut command = command(stack, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("postbackctl is built: run `make test`")
}

/// Interrupts a command as Ctrl-C does, and waits for its end.
pub(crate) fn interrupt(child: Child) -> Said {
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    said(child.wait_with_output().unwrap())
}

pub(crate) fn command(stack: &Stack, arguments: &[&str]) -> Command {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(Path::parent).unwrap().join("postbackctl");
    let environment: BTreeMap<String, String> = stack.aws_environment(&stack.aws_endpoint_url).into_iter().collect();
    let mut command = Command::new(program);
    command.args(["--stack", &stack.stack_name]).args(arguments).env_clear().envs(environment);
    command
}

pub(crate) fn said(Output { status, stdout, stderr }: Output) -> Said {
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: status.code(), out: words(&stdout), err: words(&stderr) }
}
