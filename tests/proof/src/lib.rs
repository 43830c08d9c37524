//! Proves that nothing is lost and nothing happens twice.
//!
//! - [`protocol`] checks every order in which the steps of evaluators, senders, an operator and a sweep can come,
//!   with crashes anywhere, over the domain's own transitions. It is exhaustive within stated bounds.
//! - [`faults`] runs the use cases over ports in memory, and fails, kills or holds up every call.
//! - [`transactions`] plays calls about one transaction and decisions on its conflicts in every order, with a crash or
//!   a failure at every call of a port, and compares the results with a plain reference.
//! - [`oracles`] states laws that hold for any bytes from outside. libFuzzer looks for exceptions.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "an impossible state must stop a test"
)]

pub mod faults;
pub mod oracles;
pub mod protocol;
pub mod transactions;
