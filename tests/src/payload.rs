//! The events that AWS services send to functions, in the shapes that AWS documents, and as the services really send
//! them where the documentation is silent.
//!
//! They are plain JSON, not the types that functions parse them with: a mistake in those must not hide here.

mod http;
mod queue;
mod stream;

use jiff::Timestamp;

pub use self::{
    http::HttpRequest,
    queue::{Message, queue_event},
    stream::{Change, stream_event},
};

/// The instant at which events happen unless a test says otherwise: fixed, so that a test sees the same every time.
pub fn default_instant() -> Timestamp {
    Timestamp::constant(1_795_435_200, 0)
}
