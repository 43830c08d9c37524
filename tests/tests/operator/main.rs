//! Tests the operator's command against the running stack.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod archive;
mod audits;
mod command;
mod corrections;
mod credentials;
#[allow(dead_code, reason = "these tests need only a part of the inbound tests' fixture")]
#[path = "../inbound/fixture.rs"]
mod fixture;
mod lists;
mod lookups;
mod owed;
mod pages;
mod partner;
mod pauses;
mod permitted;
mod persons;
#[allow(dead_code, reason = "what the tests of permissions share, of which these need a part")]
#[path = "../permissions/policies.rs"]
mod policies;
mod replays;
mod retention;
mod states;
mod system_keys;
mod traces;
mod webhooks;
mod writer;
