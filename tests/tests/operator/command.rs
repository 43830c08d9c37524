//! `postbackctl` as cargo built it beside the tests, with nothing of our own environment but the stack.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tests::stack::Stack;

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
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(Path::parent).unwrap().join("postbackctl");
    let environment: BTreeMap<String, String> = stack.aws_environment(&stack.aws_endpoint_url).into_iter().collect();
    let mut command = Command::new(program);
    command.args(["--stack", &stack.stack_name]).args(arguments).env_clear().envs(environment);
    let Output { status, stdout, stderr } = command.output().expect("postbackctl is built: run `make test`");
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: status.code(), out: words(&stdout), err: words(&stderr) }
}
