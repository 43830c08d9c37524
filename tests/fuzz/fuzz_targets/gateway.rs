//! API Gateway's payloads. The oracle stands here and not in `proof::oracles`, since it needs the crate of the functions,
//! and with it the AWS SDK.
#![no_main]

use std::net::IpAddr;

use domain::parameters::Parameters;
use lambda::gateway::Request;
use serde_json::Value;

libfuzzer_sys::fuzz_target!(|data: &[u8]| holds(data));

/// What was read of a payload is what a plain reading of its JSON says: the raw query, the address that the gateway saw and
/// no header's, the body's bytes whatever their clothes; and what follows is parsed whatever it is.
fn holds(data: &[u8]) {
    let Ok(request) = serde_json::from_slice::<Request>(data) else { return };
    // What is passed over need not even be JSON; then there is nothing to compare with.
    let Ok(payload) = serde_json::from_slice::<Value>(data) else { return };
    let context = &payload["requestContext"];
    assert_eq!(request.query(), payload["rawQueryString"].as_str().unwrap_or_default().as_bytes());
    assert_eq!(request.id(), context["requestId"].as_str().unwrap_or_default());
    let seen: Option<IpAddr> = context["http"]["sourceIp"].as_str().and_then(|address| address.parse().ok());
    assert!(seen.map_or(request.source().is_unspecified(), |seen| seen == request.source()));
    let body = payload["body"].as_str().unwrap_or_default();
    let bytes = match request.body() {
        Ok(bytes) if payload["isBase64Encoded"] == true => {
            assert_eq!(data_encoding::BASE64.encode(&bytes), body);
            bytes
        }
        Ok(bytes) => {
            assert_eq!(bytes, body.as_bytes());
            bytes
        }
        // What is no base 64 to one reader may be to another, which takes padding in the middle: the gateway sends none.
        Err(_) => return,
    };
    let sent = Parameters::split(request.query(), &bytes);
    let _ = (Parameters::size_faults(request.query(), &bytes), sent.name_faults(), sent.to_kept_text());
}
