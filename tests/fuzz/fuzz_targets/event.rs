//! Runs `proof::oracles::event`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proof::oracles::event(data));
