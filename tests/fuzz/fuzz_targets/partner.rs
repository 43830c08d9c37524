//! Runs `proof::oracles::partner`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proof::oracles::partner(data));
