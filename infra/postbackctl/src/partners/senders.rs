//! `postbackctl senders`: lists the presets, or shows one of them.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use partner_files::senders::{Kind, Sender, all, find, text};
use serde_json::json;

use crate::output::{self, counted};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// Prints the result as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Prints a preset: names, macros, status words, and the page on which each was read.
    Show {
        /// The preset, such as keitaro.
        sender: String,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let printed = match &arguments.action {
        Some(Action::Show { sender }) => show(sender, arguments.json)?,
        None if arguments.json => format!("{}\n", json!(all().map_err(|fault| anyhow!(fault))?)),
        None => all().map_err(|fault| anyhow!(fault))?.iter().map(line).collect(),
    };
    output::print(printed)?;
    Ok(ExitCode::SUCCESS)
}

fn show(name: &str, as_json: bool) -> Result<String> {
    let sender = find(name).map_err(|fault| anyhow!(fault))?;
    if as_json {
        return Ok(format!("{}\n", json!(sender)));
    }
    Ok(text(name).unwrap_or_default().to_owned())
}

fn line(sender: &Sender) -> String {
    let kind = match sender.kind {
        Kind::Tracker => "tracker",
        Kind::Network => "network",
        Kind::Offerwall => "offerwall",
    };
    let to_check = match sender.doubts() {
        0 => String::new(),
        names => format!("; {} to check", counted(names, "name")),
    };
    format!("{:<10}  {:<9}  {}, read on {}{to_check}\n", sender.name, kind, sender.title, sender.read())
}
