//! The rules of GG3 Postback: what a postback is, when two are the same, what a tracking link says, who may call; when a
//! webhook is sent, where it may lead, and how its delivery ends.
//!
//! This crate decides and never acts. It takes facts, `now` and random bytes as arguments and answers with values;
//! whoever calls it does the reading, the writing and the waiting. It is `no_std` on purpose: there is no clock, no
//! randomness, no environment and no network in reach, and `cargo check -p domain` proves it at every build.
//!
//! ```compile_fail
//! // Not even jiff's clock is there: its `std` feature is off for this crate.
//! let now = domain::jiff::Timestamp::now();
//! ```

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod address;
pub mod attempt;
pub mod click;
pub mod conversion;
pub mod credential;
pub mod delivery;
pub mod fault;
pub mod ids;
pub mod moment;
pub mod money;
pub mod parameters;
pub mod partner;
pub mod placeholder;
pub mod postback;
mod prelude;
pub mod refusal;
pub mod retry;
pub mod signature;
pub mod tracking_link;
pub mod webhook;

pub use jiff;
