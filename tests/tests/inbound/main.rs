//! The inbound flow from outside: contracts of the postback URL, tracking links and conversions, as a partner, a browser
//! and GG3 see them; and, with a proxy between a function and AWS, what only the wire shows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod clicks;
mod conversions;
mod fixture;
mod logs;
mod postbacks;
mod races;
mod wire;
