//! Tests the rig without AWS, the stack or any code of the product.

#![allow(clippy::unwrap_used, reason = "clippy exempts tests but not their helpers")]

mod fake_aws;
mod payload;
mod proxy;
mod runtime_api;
mod stack;
mod wire;

use tests::runtime_api::Settings;

/// Returns the settings of the function that carries out the order in its event.
fn echo() -> Settings {
    Settings::new(env!("CARGO_BIN_EXE_echo-function"))
}
