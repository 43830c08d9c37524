//! Implements the ports on DynamoDB, SQS, Firehose, Athena, CloudWatch and HTTP. Only this crate uses AWS types.

pub mod athena;
pub mod aws;
pub mod cloudwatch;
pub mod deployed;
pub mod dynamodb;
pub mod firehose;
pub mod random;
pub mod sqs;
pub mod system;
pub mod webhook;
