//! API Gateway's payloads, by the law that the tests of `shared/lambda` hold the guard to.
#![no_main]

#[path = "../../../shared/lambda/tests/http/law.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    law::holds(data);
});
