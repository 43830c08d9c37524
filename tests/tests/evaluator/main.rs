//! Tests the first half of media buying from outside: GG3's events and the deliveries owed for them. The function is
//! the real binary. If a test needs the wire or a crash, a proxy stands between the function and the stack.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod crashes;
mod events;
mod fixture;
mod queue;
mod races;
mod storage;
mod wire;
