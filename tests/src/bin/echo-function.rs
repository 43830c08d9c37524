//! A function that does what its event tells it to: what the rig's own tests drive.

#![allow(clippy::panic, clippy::print_stderr, clippy::print_stdout, reason = "its events ask for it")]

use std::{future::pending, process};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

/// What an event may tell it to do.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Order {
    /// Answer this.
    Echo { value: Value },
    /// Fail with this message.
    Fail { message: String },
    /// Panic with this message.
    Panic { message: String },
    /// Say so in the log, and never answer.
    Hang,
    /// End the process with this code.
    Exit { code: i32 },
    /// Write these lines, then answer.
    Log { stdout: String, stderr: String },
    /// Answer with the names of all environment variables.
    Environment,
    /// Answer with how many milliseconds are left until the deadline, and with the request's id.
    Context,
    /// Call an AWS service once, and answer with its answer's status.
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
