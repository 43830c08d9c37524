//! The operator's command, as an operator types it.

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

/// Makes the audit record of a change that a test makes to this partner; no other test's has its id.
pub fn audit_record(provider: &str) -> AuditRecord {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let id = u64::from(std::process::id()) << 32 | u64::from(COUNT.fetch_add(1, Ordering::Relaxed));
    let author = Author::new("a test").expect("it is not blank");
    let provider = Provider::new(provider).expect("it is a slug");
    let operation = Operation::new(author, Channel::Postbackctl, None, id.to_be_bytes());
    operation.record(now(), Action::ChangePartner, Subject::Partner { provider })
}
