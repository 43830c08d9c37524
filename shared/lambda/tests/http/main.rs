//! API Gateway's payloads against the guard, and against `lambda_http` without it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod arbitrary;
mod fixtures;
mod law;
mod odd;
mod traps;
