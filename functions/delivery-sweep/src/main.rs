//! Starts the function `delivery-sweep`. Its behaviour is in the crates that are wired here.

use lambda::{delivery_sweep::DeliverySweepFunction, environment::Environment, log};
use lambda_runtime::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Environment::of_process();
    log::start(&env);
    let function = DeliverySweepFunction::wire(env)?;
    run(service_fn(|event| function.handle(event))).await
}
