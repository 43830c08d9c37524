//! Starts the function `lookup-writer`. Its behaviour is in the crates that are wired here.

use lambda::{environment::Environment, log, lookup_writer::LookupWriterFunction};
use lambda_runtime::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let function = LookupWriterFunction::wire(Environment::of_process())?;
    run(service_fn(|event| function.handle(event))).await
}
