//! Runs `proof::oracles::address`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proof::oracles::address(data));
