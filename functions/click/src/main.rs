//! The function `click`: wiring only; what it does is in the crates that it wires.

use lambda::{click::ClickFunction, environment::Environment, log};
use lambda_runtime::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Environment::of_process();
    log::start(&env);
    let function = ClickFunction::wire(env)?;
    function.warm().await;
    run(service_fn(|event| function.handle(event))).await
}
