//! Proof that nothing is lost and nothing happens twice, for whoever does not believe it.
//!
//! - [`protocol`]: every order in which the steps of evaluators, senders, an operator and a sweep can come, with crashes
//!   anywhere, over the domain's own transitions. Exhaustive, within bounds that are stated.
//! - [`faults`]: the use cases themselves over ports in memory, with every call failed, killed or held up.
//! - [`oracles`]: what must hold of any bytes from outside, for libFuzzer to look for exceptions to.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "it is a test: what cannot be must stop it"
)]

pub mod faults;
pub mod oracles;
pub mod protocol;
