//! The rig itself keeps what it promises: no AWS, no stack, no code of the product's own.

#![allow(clippy::unwrap_used, reason = "clippy knows tests, but not what only tests call")]

mod fake_aws;
mod partner_simulator;
mod payload;
mod proxy;
mod runtime_api;
mod stack;
mod wire;

use tests::runtime_api::Settings;

/// The function that does what its events tell it to.
fn echo() -> Settings {
    Settings::new(env!("CARGO_BIN_EXE_echo-function"))
}
