//! Tests the operator's command against the running stack.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod audits;
mod command;
mod corrections;
mod credentials;
#[allow(dead_code, reason = "these tests need only a part of the inbound tests' fixture")]
#[path = "../inbound/fixture.rs"]
mod fixture;
mod lists;
mod pages;
mod partner;
mod replays;
mod states;
mod traces;
mod webhooks;
mod writer;
