//! Tests the console against the running stack: through the API and the sign-in page of Cognito, and as a function whose
//! AWS calls a proxy sees.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod api;
mod browser;
mod deployed;
mod wire;

#[allow(dead_code, reason = "these tests need only a part of the operator tests' command")]
#[path = "../operator/command.rs"]
mod command;
#[allow(dead_code, reason = "these tests need only a part of the inbound tests' fixture")]
#[path = "../inbound/fixture.rs"]
mod fixture;
#[path = "../operator/owed.rs"]
mod owed;
#[allow(dead_code, reason = "these tests need only a part of the operator tests' partner")]
#[path = "../operator/partner.rs"]
mod partner;
