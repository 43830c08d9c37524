//! The rig that tests and benchmarks run GG3 Postback on.
//!
//! - [`runtime_api`] runs one real function binary, as Lambda would, and can kill it at any instant.
//! - [`proxy`] stands between a function and AWS: it counts calls, fails them by plan, and holds one while a test acts.
//! - [`queue`] reads what arrives on a queue.
//! - [`stack`] finds the local stack that `make test` started, and makes clients for it.
//! - [`partner_simulator`] tells a partner's server what to answer, and asks what it received.
//! - [`operator`] runs the operator's command on that stack.
//! - [`payload`] builds the events that API Gateway, SQS and DynamoDB streams send to functions.
//!
//! Nothing here waits for time to pass: it waits for a condition, and gives up, saying what it waited for, after
//! [`PATIENCE`], or [`STACK_PATIENCE`] where the stack is to act by itself. Everything runs on the caller's tokio runtime,
//! so a test must not block its thread.

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
pub mod operator;
pub mod partner_simulator;
pub mod payload;
pub mod proxy;
pub mod queue;
pub mod runtime_api;
pub mod stack;

/// How long the rig waits for anything before it says that it will not happen: Lambda's own limit for a function's init.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long anything may take that goes through the emulator's own queues, streams and functions: it polls them about once a
/// second.
pub const STACK_PATIENCE: Duration = Duration::from_mins(1);

/// How often is asked for what the stack comes to by itself.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What this future gives, or a panic that names what did not happen within [`PATIENCE`].
pub async fn within_patience<T>(awaited: &str, future: impl Future<Output = T>) -> T {
    let in_time = tokio::time::timeout(PATIENCE, future).await;
    in_time.unwrap_or_else(|_| panic!("within {PATIENCE:?}, it did not happen that {awaited}"))
}

/// What this comes to answer, asked again and again; or a panic that names what did not happen within [`STACK_PATIENCE`].
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
    in_time.unwrap_or_else(|_| panic!("within {STACK_PATIENCE:?}, it did not happen that {awaited}"))
}

/// What time it is, to the millisecond.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Timestamp::from_millisecond(since.try_into().expect("it is not yet the year 10000")).expect("nor was it ever")
}

/// A name that no other test and no earlier run has used.
pub fn fresh(prefix: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // Several processes of tests may run at the same time.
    format!("{prefix}-{}-{}-{count}", now().as_millisecond(), std::process::id())
}

/// The program of this name as cargo built it last, in the profile that this one is built in.
pub fn built(name: &str) -> PathBuf {
    // A test is target/<profile>/deps/<test>, a program target/<profile>/<name>.
    let mut path = std::env::current_exe().expect("a process knows its own path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push(name);
    assert!(path.exists(), "{} is not there: run `cargo build -p {name}` first", path.display());
    path
}
