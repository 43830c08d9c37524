//! The rules of GG3 Postback: what a postback is, when two are the same, what a tracking link says, who may call; what a
//! campaign asks for, and when a user has done it; when a webhook is sent, where it may lead, and how its delivery ends.
//!
//! This crate decides and never acts. It takes facts, `now` and random bytes as arguments and answers with values;
//! whoever calls it does the reading, the writing and the waiting. It is `no_std` on purpose: there is no clock, no
//! randomness, no environment and no network in reach. `cargo check -p domain`, part of `make lint`, builds it alone, so
//! that no other crate's features (a clock for jiff, say) can slip in by unification.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod address;
pub mod attempt;
pub mod audit;
pub mod campaign;
pub mod catalogue;
pub mod click;
pub mod conversion;
pub mod correction;
pub mod credential;
pub mod delivery;
pub mod event;
pub mod fault;
pub mod ids;
pub mod lookup;
pub mod moment;
pub mod money;
pub mod parameters;
pub mod participant;
pub mod partner;
pub mod placeholder;
pub mod postback;
mod prelude;
pub mod progress;
pub mod recipient;
pub mod refusal;
pub mod retry;
pub mod signature;
pub mod tracking_link;
pub mod webhook;

pub use jiff;
