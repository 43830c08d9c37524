//! Starts the function `console`. Its behaviour is in the crates that are wired here.

use console_pages::function::{self, ConsoleFunction};
use lambda::{environment::Environment, log};
use lambda_http::{Error, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Environment::of_process();
    log::start(&env);
    let console = ConsoleFunction::wire(env)?;
    function::run(service_fn(|request| console.handle(request))).await
}
