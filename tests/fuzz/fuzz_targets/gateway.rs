//! Checks API Gateway's payloads by the law that the tests of `shared/lambda` use for the guard.
#![no_main]

#[path = "../../../shared/lambda/tests/http/law.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    law::holds(data);
});
