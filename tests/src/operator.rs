//! Runs the operator's command as an operator types it.

use std::{
    collections::BTreeMap,
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

use domain::{
    audit::{Action, AuditRecord, Author, Channel, Operation, Subject},
    values::ids::Provider,
};

use crate::{built, now, stack::Stack};

/// Returns a command that runs `postbackctl` for this stack. The binary is the one that cargo built beside the test.
/// The environment holds only the stack.
pub fn command(stack: &Stack, arguments: &[&str]) -> Command {
    let environment: BTreeMap<String, String> = stack.aws_environment(&stack.aws_endpoint_url).into_iter().collect();
    let mut command = Command::new(built("postbackctl"));
    command.args(["--stack", &stack.stack_name]).args(arguments).env_clear().envs(environment);
    command
}

/// Runs `postbackctl` on this stack to its end.
pub fn postbackctl(stack: &Stack, arguments: &[&str]) -> Output {
    command(stack, arguments).output().expect("postbackctl is built: run `make test`")
}

/// Makes an audit record, with a unique id, for a test's change to this partner.
pub fn audit_record(provider: &str) -> AuditRecord {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let id = u64::from(std::process::id()) << 32 | u64::from(COUNT.fetch_add(1, Ordering::Relaxed));
    let author = Author::new("a test").expect("it is not blank");
    let provider = Provider::new(provider).expect("it is a slug");
    let operation = Operation::new(author, Channel::Postbackctl, None, id.to_be_bytes());
    operation.record(now(), Action::ChangePartner, Subject::Partner { provider })
}
