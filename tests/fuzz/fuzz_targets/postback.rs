//! Runs `proof::oracles::postback`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proof::oracles::postback(data));
