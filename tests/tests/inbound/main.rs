//! Tests the inbound flow from outside: postback URLs, tracking links and conversions, as a partner, a browser and GG3
//! see them. The tests of the wire put a proxy between a function and AWS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod click_rules;
mod clicks;
mod conversions;
mod fixture;
mod logs;
mod postbacks;
mod races;
mod rates;
mod senders;
mod wire;
