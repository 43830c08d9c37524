//! The ports on DynamoDB, SQS and HTTP: the only place that knows an AWS type.

pub mod aws;
pub mod dynamodb;
pub mod random;
pub mod sqs;
pub mod system;
pub mod webhook;
