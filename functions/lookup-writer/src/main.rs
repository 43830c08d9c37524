//! Starts the function `lookup-writer`. Its behaviour is in the crates that are wired here.

use lambda::{environment::Environment, log, lookup_writer::LookupWriterFunction};
use lambda_runtime::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Environment::of_process();
    log::start(&env);
    let function = LookupWriterFunction::wire(env)?;
    run(service_fn(|event| function.handle(event))).await
}
