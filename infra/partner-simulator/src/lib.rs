//! A partner's server on loopback: it answers webhooks as its script says, well or badly, and tells which requests came.
//!
//! - [`script`] holds what it follows: answers, one after another, and the secrets to verify signatures with.
//! - [`received`] is what can be asked: every request, as it came.
//! - [`serve`] is the server. The first segment of a path is a name, and each name has answers, secrets and requests of
//!   its own, so that tests run side by side.
//!
//! It shares no code with what calls it: a request that verifies here was signed as Standard Webhooks says.

mod answer;
mod control;
mod limits;
mod memory;
mod name;
pub mod received;
pub mod script;
mod server;
mod signature;

pub use limits::Limits;
pub use server::{Settings, serve};
pub use signature::{Secret, SecretFault};
