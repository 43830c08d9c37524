//! Runs a function that carries out the order in its event. The tests of the rig use this function.

#![allow(clippy::panic, clippy::print_stderr, clippy::print_stdout, reason = "its events order panics and output")]

use std::{future::pending, process};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

/// Lists the orders that an event may contain.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Order {
    /// Answers with this value.
    Echo { value: Value },
    /// Fails with this message.
    Fail { message: String },
    /// Panics with this message.
    Panic { message: String },
    /// Logs that it hangs, and never answers.
    Hang,
    /// Ends the process with this code.
    Exit { code: i32 },
    /// Writes these lines, then answers.
    Log { stdout: String, stderr: String },
    /// Answers with the names of all environment variables.
    Environment,
    /// Answers with the request's id and the milliseconds left until the deadline.
    Context,
    /// Calls an AWS service once, and answers with the status of the service's answer.
    Call { endpoint_url: String, target: String, body: Value },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if let Ok(message) = std::env::var("FAIL_INIT") {
        eprintln!("init: {message}");
        return Err(message.into());
    }
    let client = tests::stack::http_client();
    lambda_runtime::run(service_fn(|event| obey(&client, event))).await
}

async fn obey(client: &reqwest::Client, event: LambdaEvent<Order>) -> Result<Value, Error> {
    match event.payload {
        Order::Echo { value } => Ok(value),
        Order::Fail { message } => Err(message.into()),
        Order::Panic { message } => panic!("{message}"),
        Order::Hang => {
            println!("hanging");
            pending().await
        }
        Order::Exit { code } => process::exit(code),
        Order::Log { stdout, stderr } => {
            println!("{stdout}");
            eprintln!("{stderr}");
            Ok(Value::Null)
        }
        Order::Environment => Ok(std::env::vars().map(|(name, _)| name).collect()),
        Order::Context => {
            let left = event.context.deadline().duration_since(std::time::SystemTime::now())?;
            Ok(json!({"left_ms": left.as_millis(), "request_id": event.context.request_id}))
        }
        Order::Call { endpoint_url, target, body } => {
            let request = client.post(endpoint_url).header("x-amz-target", target).body(body.to_string());
            let answer = request.send().await?;
            Ok(json!({"status": answer.status().as_u16(), "body": answer.text().await?}))
        }
    }
}
