//! Does nothing, to show the cost of Lambda's runtime itself.

use std::convert::Infallible;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Request {}

#[derive(Serialize)]
struct Response {
    #[serde(rename = "statusCode")]
    status: u16,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: LambdaEvent<Request>| Ok::<_, Infallible>(Response { status: 200 }))).await
}
