//! Runs `proof::oracles::retry_after`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proof::oracles::retry_after(data));
