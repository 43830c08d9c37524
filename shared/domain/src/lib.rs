//! Holds the rules of GG3 Postback.
//!
//! The folders follow the two flows of the business, so that the place of a rule follows from the flow it belongs to:
//!
//! - [`inbound`]: a GG3 user follows a tracking link to a partner, and the partner reports with a postback that the user did
//!   the agreed thing there.
//! - [`outbound`]: a partner's user comes to GG3 and reaches a campaign's goal, and a webhook tells the partner.
//! - [`partner`]: the file with everything that was agreed with a partner, for both flows.
//! - [`audit`]: records of operators' changes to both flows.
//! - [`lookup`]: where stored things of both flows are found again.
//! - [`values`]: the types that all of them use, such as ids, money, time and signatures.
//!
//! Imports point one way: `lookup` and `partner` use the flows, the flows use `values`, and no flow uses the other.
//!
//! This crate decides and never acts. It takes facts, `now` and random bytes as arguments and returns values; the caller
//! does the reading, the writing and the waiting. It is `no_std` so that no clock, randomness, environment or network is in
//! reach. `cargo check -p domain`, part of `make lint`, builds it alone, so that no other crate's features (a clock for
//! jiff, for example) can slip in by unification.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod audit;
pub mod inbound;
pub mod lookup;
pub mod outbound;
pub mod partner;
mod prelude;
pub mod values;

pub use jiff;
