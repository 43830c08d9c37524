//! Runs `proof::oracles::webhook`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proof::oracles::webhook(data));
