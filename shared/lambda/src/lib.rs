//! Holds the code that functions share: configuration from the environment, one log line a record, clients built once,
//! and the translation between Lambda's events and the use cases.

pub mod batch;
pub mod click;
pub mod conversion_relay;
pub mod delivery_sweep;
pub mod environment;
pub mod event_evaluator;
pub mod http;
pub mod log;
pub mod lookup_writer;
#[cfg(test)]
mod openapi;
pub mod postback;
pub mod problem;
pub mod queue;
pub mod webhook_sender;

pub use adapters::system;
use domain::jiff::Timestamp;

/// Returns the current time, cut to the millisecond, so that stored and answered times are equal.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
