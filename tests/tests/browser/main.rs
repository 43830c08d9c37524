//! Tests the console's pages as people use them: in Chromium, on the running stack, at the width of a desktop and of a
//! phone. Pictures of the pages are put in `target/screenshots`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod driver;
mod operator;
mod portal;

#[allow(dead_code, reason = "these tests need only a part of the operator tests' command")]
#[path = "../operator/command.rs"]
mod command;
#[allow(dead_code, reason = "these tests need only a part of the inbound tests' fixture")]
#[path = "../inbound/fixture.rs"]
mod fixture;
#[allow(dead_code, reason = "these tests need only a part of the operator tests' deliveries")]
#[path = "../operator/owed.rs"]
mod owed;
#[allow(dead_code, reason = "these tests need only a part of the operator tests' partner")]
#[path = "../operator/partner.rs"]
mod partner;

const DESKTOP: driver::Size = (1280, 900);
const PHONE: driver::Size = (390, 844);
