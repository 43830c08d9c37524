//! Commands about the webhooks that partners are owed.

pub(crate) mod deliveries;
pub(crate) mod events;
pub(crate) mod probe;
pub(crate) mod progress;
pub(crate) mod resend;
pub(crate) mod webhook;

use app::operators::waiting::Wait;

/// Returns what a delivery waits for besides its time, as the end of a line, or nothing.
pub(crate) fn waits(wait: Wait) -> String {
    if wait.is_none() { String::new() } else { format!(", {wait}") }
}
