//! The rig that tests and benchmarks run GG3 Postback on.
//!
//! - [`runtime_api`] runs one real function binary, as Lambda would, and can kill it at any instant.
//! - [`proxy`] stands between a function and AWS: it counts calls, fails them by plan, and holds one while a test acts.
//! - [`stack`] finds the local stack that `make test` started, and makes clients for it.
//! - [`partner_simulator`] tells a partner's server what to answer, and asks what it received.
//! - [`operator`] runs the operator's command on that stack.
//! - [`payload`] builds the events that API Gateway, SQS and DynamoDB streams send to functions.
//!
//! Nothing here waits for time to pass: it waits for a condition, and gives up, saying what it waited for, after
//! [`PATIENCE`]. Everything runs on the caller's tokio runtime, so a test must not block its thread.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's support fails by panicking"
)]

use std::{future::Future, path::PathBuf, time::Duration};

mod loopback;
pub mod operator;
pub mod partner_simulator;
pub mod payload;
pub mod proxy;
pub mod runtime_api;
pub mod stack;

/// How long the rig waits for anything before it says that it will not happen: Lambda's own limit for a function's init.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What this future gives, or a panic that names what did not happen within [`PATIENCE`].
pub async fn within_patience<T>(awaited: &str, future: impl Future<Output = T>) -> T {
    let in_time = tokio::time::timeout(PATIENCE, future).await;
    in_time.unwrap_or_else(|_| panic!("within {PATIENCE:?}, it did not happen that {awaited}"))
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
