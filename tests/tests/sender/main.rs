//! Tests the second half of media buying from outside: deliveries and the webhooks that partners receive. The functions
//! are the real binaries. If a test needs the wire or a crash, one proxy stands between the functions and the stack,
//! and another proxy between the functions and the partner.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::print_stdout, reason = "measured figures are printed for people")]

mod batches;
mod configuration;
mod crashes;
mod deployed;
mod endpoints;
mod fixture;
mod hostile;
mod logs;
mod outages;
mod partner;
mod races;
mod sweep;
mod wire;
