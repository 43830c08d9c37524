//! Tests API Gateway's payloads with the guard, and with `lambda_http` alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod arbitrary;
mod fixtures;
mod law;
mod odd;
mod route;
mod traps;
