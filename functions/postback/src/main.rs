//! Starts the function `postback`. Its behaviour is in the crates that are wired here.

use lambda::{environment::Environment, http, log, postback::PostbackFunction};
use lambda_http::{Error, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let function = PostbackFunction::wire(Environment::of_process())?;
    function.warm().await;
    http::run(service_fn(|request| function.handle(request))).await
}
