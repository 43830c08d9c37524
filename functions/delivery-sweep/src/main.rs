//! The function `delivery-sweep`: wiring only; what it does is in the crates that it wires.

use lambda::{delivery_sweep::DeliverySweepFunction, environment::Environment, log};
use lambda_runtime::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Environment::of_process();
    log::start(env.optional("LOG_LEVEL").as_deref());
    let function = DeliverySweepFunction::wire(env)?;
    run(service_fn(|event| function.handle(event))).await
}
