//! Commands about the webhooks that partners are owed.

pub(crate) mod deliveries;
pub(crate) mod events;
pub(crate) mod probe;
pub(crate) mod progress;
pub(crate) mod resend;
pub(crate) mod webhook;
