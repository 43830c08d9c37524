//! The rig that tests and benchmarks run GG3 Postback on.
//!
//! - [`runtime_api`] runs one real function binary, as Lambda would, and can kill it at any instant.
//! - [`proxy`] stands between a function and AWS: it counts calls, fails them by plan, and holds one while a test acts.
//! - [`queue`] reads what arrives on a queue.
//! - [`stack`] finds the local stack that `make test` started, and makes clients for it.
//! - [`partner_simulator`] tells a partner's server what to answer, and asks what it received.
//! - [`node`] installs the packages of npm that tests use.
//! - [`operator`] runs the operator's command on that stack.
//! - [`payload`] builds the events that API Gateway, SQS and DynamoDB streams send to functions.
//!
//! No function here waits for a fixed time. Each waits for a condition, and panics with the condition's name after
//! [`PATIENCE`], or after [`STACK_PATIENCE`] if the stack must act by itself. Everything runs on the caller's tokio
//! runtime, so a test must not block its thread.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's support fails by panicking"
)]

use std::{
    future::Future,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jiff::Timestamp;

mod loopback;
pub mod node;
pub mod operator;
pub mod partner_simulator;
pub mod payload;
pub mod proxy;
pub mod queue;
pub mod runtime_api;
pub mod stack;

/// Bounds every wait of the rig. It equals Lambda's limit for a function's init.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Bounds every wait for the emulator's queues, streams and functions. The emulator polls them about once a second.
pub const STACK_PATIENCE: Duration = Duration::from_mins(1);

/// Sets the pause between two questions to the stack.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Returns the future's value. Panics with the name of the condition if the value takes longer than [`PATIENCE`].
pub async fn within_patience<T>(awaited: &str, future: impl Future<Output = T>) -> T {
    let in_time = tokio::time::timeout(PATIENCE, future).await;
    in_time.unwrap_or_else(|_| panic!("timed out after {PATIENCE:?} while waiting until {awaited}"))
}

/// Asks repeatedly until there is an answer. Panics with the name of the condition after [`STACK_PATIENCE`].
pub async fn eventually<T>(awaited: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    let in_time = tokio::time::timeout(STACK_PATIENCE, asking).await;
    in_time.unwrap_or_else(|_| panic!("timed out after {STACK_PATIENCE:?} while waiting until {awaited}"))
}

/// Returns the time in whole milliseconds.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Timestamp::from_millisecond(since.try_into().expect("the time fits")).expect("the year is below 10000")
}

/// Returns a name that no other test and no earlier run has used.
pub fn fresh(prefix: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // Several test processes may run at the same time, so the name holds the process id.
    format!("{prefix}-{}-{}-{count}", now().as_millisecond(), std::process::id())
}

/// Returns the path of the program that cargo built last, in the profile of the running program.
pub fn built(name: &str) -> PathBuf {
    // A test is in target/<profile>/deps, and a program is in target/<profile>.
    let mut path = std::env::current_exe().expect("a process knows its own path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push(name);
    assert!(path.exists(), "{} does not exist; run `cargo build -p {name}` first", path.display());
    path
}
