//! Starts the function `click`. Its behaviour is in the crates that are wired here.

use lambda::{click::ClickFunction, environment::Environment, http, log};
use lambda_http::{Error, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let function = ClickFunction::wire(Environment::of_process())?;
    function.warm().await;
    http::run(service_fn(|request| function.handle(request))).await
}
