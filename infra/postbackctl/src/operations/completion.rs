//! `postbackctl completion`: prints a shell's completion script.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap_complete::{Shell, generate};

use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Prints the script of this shell.
    shell: Shell,
}

/// Prints the script for this command.
pub(crate) fn run(arguments: &Arguments, command: &mut clap::Command) -> Result<ExitCode> {
    let mut script = Vec::new();
    generate(arguments.shell, command, "postbackctl", &mut script);
    output::print(String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
