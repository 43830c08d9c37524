//! Webhooks that partners are owed: how far they are, and sending them again.

pub(crate) mod deliveries;
pub(crate) mod probe;
pub(crate) mod progress;
pub(crate) mod resend;
pub(crate) mod webhook;
