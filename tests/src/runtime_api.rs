//! Runs one real function binary as Lambda does. The binary polls a [Runtime API] of its own on the loopback interface,
//! gets one event at a time, and can be killed at any instant.
//!
//! ```no_run
//! # async fn example() {
//! use serde_json::json;
//! use tests::runtime_api::Function;
//!
//! let function = Function::spawn("target/debug/postback", [("AWS_REGION", "us-east-1")]).await;
//! function.wait_until_ready().await.unwrap();
//! let answer = function.invoke(&json!({"version": "2.0"})).await.response();
//! # }
//! ```
//!
//! [Runtime API]: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

mod api;
mod function;
mod process;
mod settings;

pub use self::{
    function::{Function, Invocation, InvocationEnding},
    settings::{Settings, StartFailure},
};
