//! Runs a partner's server on loopback. It answers webhooks as its script says, well or badly, and lists the requests.
//!
//! - [`script`] describes scripts: the answers, one after another, and the secrets that verify signatures.
//! - [`received`] describes the requests, as they came.
//! - [`serve`] runs the server. The first segment of a path is a name, and each name has its own answers, secrets and
//!   requests, so that tests can run side by side.
//!
//! The simulator shares no code with the functions that call it. A request that verifies here is therefore signed as
//! Standard Webhooks prescribes.

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
