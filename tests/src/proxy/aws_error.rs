//! Builds AWS's errors as they appear on the wire.
//!
//! DynamoDB speaks AWS JSON 1.0. The error's name is in `__type`, after the name of its model, and a header holds the
//! CRC-32 of the body. SQS speaks the same protocol and repeats the name in a header of its older one. Hyper sets the
//! correct `Date` header, from which SDKs notice that their clock is wrong.

use http_body_util::Full;
use hyper::Response;
use serde_json::{Value, json};

use super::{Call, Service};
use crate::loopback::WholeResponse;

/// Describes an AWS error that a plan gives to a client.
#[derive(Debug, Clone, PartialEq)]
pub struct AwsError {
    status: u16,
    /// Names the error's model if it is not the service's own.
    model: Option<&'static str>,
    name: String,
    message: String,
    /// Names the field that lists the throttled resource, and the reason. The case of the field differs between errors.
    reasons: Option<(&'static str, &'static str)>,
}

impl AwsError {
    /// Makes an error of the service's own model, such as `ResourceNotFoundException` with 400.
    pub fn new(status: u16, name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, model: None, name: name.into(), message: message.into(), reasons: None }
    }

    /// Reports that a table or a hot partition has used up its capacity. SDKs repeat the call.
    pub fn provisioned_throughput_exceeded() -> Self {
        let message = "The level of configured provisioned throughput for the table was exceeded. \
                       Consider increasing your provisioning level with the UpdateTable API.";
        let mut error = Self::new(400, "ProvisionedThroughputExceededException", message);
        error.reasons = Some(("ThrottlingReasons", "TableWriteProvisionedThroughputExceeded"));
        error
    }

    /// Reports that an on-demand table grows more slowly than its load. SDKs repeat the call.
    pub fn throttling() -> Self {
        let message = "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically \
                       scaling your table or index so please try again shortly.";
        let mut error = Self::new(400, "ThrottlingException", message);
        error.model = Some("com.amazon.coral.availability");
        error.reasons = Some(("throttlingReasons", "TableWriteKeyRangeThroughputExceeded"));
        error
    }

    /// Reports that SQS throttles this client. SDKs repeat the call.
    pub fn request_throttled() -> Self {
        Self::new(400, "RequestThrottled", "Request is throttled.")
    }

    /// Reports that DynamoDB failed. It may or may not have processed the call. SDKs repeat the call.
    pub fn internal_server_error() -> Self {
        Self::new(500, "InternalServerError", "The request processing has failed because of an unknown error.")
    }

    /// Reports that the service is down. SDKs repeat the call.
    pub fn service_unavailable() -> Self {
        let mut error = Self::new(503, "ServiceUnavailableException", "Service is unavailable, please try again.");
        error.model = Some("com.amazon.coral.availability");
        error
    }

    /// Returns the error with which this service throttles.
    pub(super) fn throttling_of(service: Service) -> Self {
        match service {
            Service::DynamoDb => Self::provisioned_throughput_exceeded(),
            Service::Sqs => Self::request_throttled(),
            Service::Firehose | Service::Other => Self::throttling(),
        }
    }

    /// Returns the HTTP answer to this call.
    pub(super) fn answer(&self, call: &Call) -> WholeResponse {
        let model = self.model.unwrap_or(match call.service {
            Service::DynamoDb => "com.amazonaws.dynamodb.v20120810",
            Service::Sqs => "com.amazonaws.sqs",
            Service::Firehose | Service::Other => "com.amazon.coral.service",
        });
        let mut body = json!({"__type": format!("{model}#{}", self.name), "message": self.message});
        if let Some((field, reason)) = self.reasons
            && let Value::Object(fields) = &mut body
        {
            let table = call.table_or_queue.as_deref().unwrap_or("unknown");
            let resource = format!("arn:aws:dynamodb:us-east-1:000000000000:table/{table}");
            fields.insert(field.into(), json!([{"reason": reason, "resource": resource}]));
        }
        let body = body.to_string();
        let mut answer = Response::builder()
            .status(self.status)
            .header("Server", "Server")
            .header("Content-Type", "application/x-amz-json-1.0")
            .header("x-amzn-RequestId", format!("{:0>52}", call.number));
        if call.service == Service::Sqs {
            let fault = if self.status < 500 { "Sender" } else { "Receiver" };
            answer = answer.header("x-amzn-query-error", format!("{};{fault}", self.name));
        } else {
            answer = answer.header("x-amz-crc32", crc32(body.as_bytes()).to_string());
        }
        answer.body(Full::new(body.into())).expect("the plan's status is a valid HTTP status")
    }
}

/// Computes the CRC-32 of Ethernet and zip.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}
