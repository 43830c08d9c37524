//! Media buying's second half from outside: deliveries owed, and the webhooks that partners get for them. The functions are
//! the real binaries; where the wire or a crash matters, a proxy stands between them and the stack, and another between
//! them and the partner.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::print_stdout, reason = "a figure that is measured and asserted loosely, or not at all, is for people")]

mod batches;
mod configuration;
mod crashes;
mod deployed;
mod fixture;
mod hostile;
mod logs;
mod outages;
mod partner;
mod races;
mod sweep;
mod wire;
