//! Builds the events that AWS services send to functions. The shapes follow AWS's documentation and, where that is
//! silent, the observed behaviour of the services.
//!
//! The events are plain JSON instead of the types that functions parse, because a mistake in those types must not
//! hide here.

mod http;
mod queue;
mod stream;

use jiff::Timestamp;

pub use self::{
    http::HttpRequest,
    queue::{Message, queue_event},
    stream::{Change, stream_event},
};

/// Returns the time of events for which a test sets no time. The time is fixed, so that a test sees the same events in
/// every run.
pub fn default_instant() -> Timestamp {
    Timestamp::constant(1_795_435_200, 0)
}
