//! Starts the function `event-evaluator`. Its behaviour is in the crates that are wired here.

use lambda::{environment::Environment, event_evaluator::EventEvaluatorFunction, log};
use lambda_runtime::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let function = EventEvaluatorFunction::wire(Environment::of_process())?;
    function.warm().await;
    run(service_fn(|event| function.handle(event))).await
}
