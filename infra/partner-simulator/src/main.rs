//! Runs the partner simulator as a program.

use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::Parser;
use partner_simulator::{Limits, Secret, Settings, serve};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// Runs a partner's server on loopback. It answers webhooks as its scripts say and lists the requests it received.
#[derive(Debug, Parser)]
#[command(name = "partner-simulator", version, about, max_term_width = 100)]
struct Arguments {
    /// The port to listen on; 0 chooses a free port.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// A secret (whsec_…) to verify signatures with; may be given several times. Other users of this machine can read
    /// command lines, so pass a secret that matters in the environment.
    #[arg(
        long = "verify-secret",
        value_name = "SECRET",
        env = "PARTNER_SIMULATOR_SECRETS",
        value_delimiter = ',',
        hide_env_values = true
    )]
    secrets: Vec<Secret>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let _ = writeln!(std::io::stderr(), "partner-simulator: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr().context("cannot find out the port")?;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    say(&format!("http://{address}"));
    let settings = Settings { secrets: arguments.secrets, limits: Limits::default() };
    tokio::select! {
        () = serve(listener, settings, say) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Prints a line. The simulator goes on if nobody reads its output any more.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
