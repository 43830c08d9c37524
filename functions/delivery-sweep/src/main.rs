//! Starts the function `delivery-sweep`. Its behaviour is in the crates that are wired here.

use lambda::{delivery_sweep::DeliverySweepFunction, environment::Environment, log};
use lambda_runtime::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let function = DeliverySweepFunction::wire(Environment::of_process())?;
    run(service_fn(|event| function.handle(event))).await
}
