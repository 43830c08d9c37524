//! The operator's command against the running stack: complaints, corrections and listings of the inbound flow, from what
//! partners sent to what GG3 gets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod command;
mod corrections;
#[allow(dead_code, reason = "what the inbound tests share, of which these need a part")]
#[path = "../inbound/fixture.rs"]
mod fixture;
mod lists;
mod partner;
mod replays;
mod traces;
mod writer;
