//! Runs `proof::oracles::parameters`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proof::oracles::parameters(data));
