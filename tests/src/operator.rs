//! The operator's command, as an operator types it.

use std::{
    collections::BTreeMap,
    process::{Command, Output},
};

use crate::{built, stack::Stack};

/// Runs `postbackctl` on this stack as cargo built it beside the test, with nothing of our own environment but the stack.
pub fn postbackctl(stack: &Stack, arguments: &[&str]) -> Output {
    let environment: BTreeMap<String, String> = stack.aws_environment(&stack.aws_endpoint_url).into_iter().collect();
    Command::new(built("postbackctl"))
        .args(["--stack", &stack.stack_name])
        .args(arguments)
        .env_clear()
        .envs(environment)
        .output()
        .expect("postbackctl is built: run `make test`")
}
