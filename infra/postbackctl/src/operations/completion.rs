//! `postbackctl completion`: prints a shell's completion script.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Completes for this shell.
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut command = crate::Command::command();
    let mut script = Vec::new();
    generate(arguments.shell, &mut command, "postbackctl", &mut script);
    output::print(String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
