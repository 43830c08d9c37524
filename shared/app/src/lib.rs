//! The use cases of GG3 Postback: each reads what it needs through ports, lets `domain` decide, and does what was
//! decided. The clock is read and the random bytes are drawn by whoever calls.

pub mod accept_postback;
pub mod cache;
pub mod current_catalogue;
pub mod deliver_webhooks;
pub mod evaluate_events;
pub mod follow_click;
#[cfg(any(test, feature = "memory"))]
pub mod memory;
pub mod operators;
pub mod pages;
pub mod ports;
pub mod relay_conversions;
pub mod resolve_conflict;
pub mod sweep_deliveries;
pub mod write_lookups;
