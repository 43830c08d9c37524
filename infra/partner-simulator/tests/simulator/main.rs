//! The simulator from outside: its own program, over sockets of the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod control;
mod misdeeds;
mod process;
mod program;
mod signatures;
