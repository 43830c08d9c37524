//! `postbackctl version`: says what is installed here, and what is deployed.

use std::process::ExitCode;

use anyhow::Result;

use crate::{connection::Connection, output::say};

pub(crate) async fn run(stack: &str) -> Result<ExitCode> {
    say!("postbackctl {}", env!("CARGO_PKG_VERSION"))?;
    let connection = Connection::open(stack).await?;
    let deployment = connection.deployment().await?;
    say!("{stack} {}", deployment.commit().unwrap_or("unknown"))?;
    Ok(ExitCode::SUCCESS)
}
