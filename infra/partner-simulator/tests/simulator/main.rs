//! Tests the simulator from outside: each test runs the program and connects to it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod control;
mod misdeeds;
mod process;
mod program;
mod signatures;
