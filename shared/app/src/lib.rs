//! The use cases of GG3 Postback. Each use case reads data through ports, lets `domain` decide, and carries out the
//! decision. The caller passes in the present instant and random bytes, or a port for them.

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
pub mod sign_in;
pub mod sweep_deliveries;
pub mod write_lookups;
