//! The function `lookup-writer`: wiring only; what it does is in the crates that it wires.

use lambda::{environment::Environment, log, lookup_writer::LookupWriterFunction};
use lambda_runtime::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Environment::of_process();
    log::start(env.optional("LOG_LEVEL").as_deref());
    let function = LookupWriterFunction::wire(env)?;
    run(service_fn(|event| function.handle(event))).await
}
