//! Holds the rules of GG3 Postback.
//!
//! The folders follow the two flows of the business. Each rule is in the folder of the flow to which it belongs:
//!
//! - [`inbound`]: a GG3 user follows a tracking link to a partner, and the partner reports with a postback that the
//!   user did the agreed action there.
//! - [`outbound`]: a partner's user comes to GG3 and reaches a campaign's goal, and a webhook tells the partner.
//! - [`partner`]: the file with everything that was agreed with a partner, for both flows.
//! - [`audit`]: records of operators' changes to both flows.
//! - [`session`]: sessions of operators and partners in the console.
//! - [`retention`]: how long records are kept that expire.
//! - [`lookup`]: entries that tell where the stored items of both flows are.
//! - [`archive`]: rows of what happened in both flows, for reports.
//! - [`values`]: the types that all other modules use, such as ids, money, time and signatures.
//!
//! Imports point one way: `archive`, `lookup` and `partner` use the flows, the flows use `values`, and no flow uses the other.
//!
//! This crate decides and never acts. It takes facts, `now` and random bytes as arguments and returns values; the
//! caller does the reading, the writing and the waiting. It is `no_std`, so that no clock, randomness, environment or
//! network is in reach. `make lint` checks it alone with `cargo check -p domain`, because Cargo would otherwise also
//! enable the features that other crates ask for, such as a clock for jiff.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod archive;
pub mod audit;
pub mod erasure;
pub mod inbound;
pub mod lookup;
pub mod named_request;
pub mod outbound;
pub mod partner;
mod prelude;
pub mod retention;
pub mod session;
pub mod values;

pub use jiff;
