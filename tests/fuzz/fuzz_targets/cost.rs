//! Bounds the work of the inbound path for each byte of input, by `proof::oracles::cost`.
//!
//! Work is the number of loads from memory. `make fuzz` builds this target with `-sanitizer-coverage-trace-loads`, so that
//! each load of the code under test calls one of the functions below. The count is the same on every machine. Code of
//! the standard library that is compiled already is not counted.
#![no_main]

use core::{
    ffi::c_void,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Counts the loads. Adding is no load, so counting does not call itself.
static LOADS: AtomicU64 = AtomicU64::new(0);

macro_rules! counted {
    ($($name:ident),*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(_: *const c_void) {
            LOADS.fetch_add(1, Relaxed);
        }
    )*};
}
counted!(
    __sanitizer_cov_load1,
    __sanitizer_cov_load2,
    __sanitizer_cov_load4,
    __sanitizer_cov_load8,
    __sanitizer_cov_load16
);

/// The largest body that is read.
const BYTES: usize = 16 * 1024;
/// The greatest number of loads for each byte, and those that do not depend on the input. Each value is read up to five
/// times, as it came and with each decoding, and each time as it is written and without escapes. 8 KB of `%` and 8 KB of
/// `+` took 1,370 loads for each byte, of which macros beside a prefix were a part that is now bounded.
const LOADS_A_BYTE: u64 = 2_000;
const LOADS_ALWAYS: u64 = 200_000;

fn loads(data: &[u8]) -> u64 {
    let before = LOADS.load(Relaxed);
    proof::oracles::cost(data);
    LOADS.load(Relaxed) - before
}

/// Repeats the part before the first zero byte over the first half, the part before the second zero byte over the other
/// half, and ends with the rest. A pattern that is costly in a short input is more so in a long one. No pattern is cut,
/// because its cut end can decide how the whole input is read.
fn repeated(data: &[u8], bytes: usize) -> Vec<u8> {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let [first, second, end] = [(); 3].map(|()| parts.next().unwrap_or_default());
    let second = if second.is_empty() { first } else { second };
    let half = bytes.saturating_sub(end.len()) / 2;
    let halves = [first, second].into_iter().flat_map(|unit| unit.repeat(half / unit.len().max(1)));
    halves.chain(end.iter().copied()).collect()
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let [quarter, whole] = [BYTES / 4, BYTES].map(|bytes| loads(&repeated(data, bytes)));
    assert!(whole > 0, "no load is counted: build with -sanitizer-coverage-trace-loads, as `make fuzz` does");
    let bound = LOADS_A_BYTE * BYTES as u64 + LOADS_ALWAYS;
    assert!(whole <= bound, "{whole} loads for {BYTES} bytes; at most {bound} are allowed");
    // For 4 times the bytes, linear work takes 4 times as much and quadratic work 16 times.
    let linear = quarter * 8 + LOADS_ALWAYS;
    assert!(whole <= linear, "{whole} loads for {BYTES} bytes and {quarter} for a quarter of them: that is not linear");
});
