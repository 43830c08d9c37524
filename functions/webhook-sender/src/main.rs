//! Starts the function `webhook-sender`. Its behaviour is in the crates that are wired here.

use lambda::{environment::Environment, log, webhook_sender::WebhookSenderFunction};
use lambda_runtime::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let function = WebhookSenderFunction::wire(Environment::of_process())?;
    function.warm().await;
    run(service_fn(|event| function.handle(event))).await
}
