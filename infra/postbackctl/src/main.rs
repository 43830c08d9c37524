//! `postbackctl`: the operator's command of GG3 Postback.

#![allow(clippy::print_stderr, reason = "a command talks to whoever called it")]

mod ask;
mod connection;
mod inbound;
mod operations;
mod outbound;
mod output;
mod pace;
mod page;
mod partners;
mod reason;
mod standing;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use connection::Connection;
use output::Unwritten;

/// Sets up partners, builds tracking links, shows what happened.
#[derive(Debug, Parser)]
#[command(name = "postbackctl", version, about, max_term_width = 100)]
struct Command {
    /// The stack; its tables are called <stack>-partners and so on.
    #[arg(long, global = true, env = "GG3_STACK", default_value = "gg3-postback")]
    stack: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Shows what partner files would change, asks, then changes it.
    Apply(partners::apply::Arguments),
    /// Makes another token or signing secret for a partner; the one before it stays good.
    Rotate(partners::rotate::Arguments),
    /// Builds a tracking link: to a partner's landing page, or for a partner's own pages.
    Link(partners::link::Arguments),
    /// Sends GG3 again what was recorded in a time.
    Conversions(inbound::conversions::Arguments),
    /// Compares a partner's own list of its transactions with what is recorded.
    Reconcile(inbound::reconcile::Arguments),
    /// Shows what happened to a transaction, a click, a user or a delivery, from what was stored.
    Trace(operations::trace::Arguments),
    /// Lists postbacks that contradict recorded ones, and resolves them.
    Conflicts(inbound::conflicts::Arguments),
    /// Lists calls that were refused, and sends what was refused again.
    Refusals(inbound::refusals::Arguments),
    /// Shows how far a GG3 user has come with each campaign, what is missing, and which webhooks are owed.
    Progress(outbound::progress::Arguments),
    /// Lists webhooks owed to partners and how far they are, or what is overdue.
    Deliveries(outbound::deliveries::Arguments),
    /// Opens another round of attempts, of one delivery or of all that failed in a time.
    Resend(outbound::resend::Arguments),
    /// Sends a partner a test webhook, as the real ones are sent, and shows what came of it.
    Probe(outbound::probe::Arguments),
    /// Prints what to send a partner: its URLs, parameters, links and webhooks, with examples, as Markdown.
    Kit(partners::kit::Arguments),
    /// Lists the presets of senders (trackers, networks, offerwalls) that a partner file may name, or prints one.
    Senders(partners::senders::Arguments),
    /// Shows what is in the dead-letter queues and why, and leaves it there.
    DeadLetters(operations::dead_letters::Arguments),
    /// Puts dead letters back on the queue that they belong to, once their cause is mended.
    Redrive(operations::redrive::Arguments),
    /// Lists who changed what, when and why.
    Audit(operations::audit::Arguments),
    /// Computes what a million postbacks, events, deliveries and resends cost on AWS, on paper.
    Cost(Box<operations::cost::Arguments>),
    /// Prints the shell's completion of this command.
    Completion(operations::completion::Arguments),
    /// Checks a deployment from outside, recording nothing.
    Smoke(operations::smoke::Arguments),
}

/// The code of a program that a closed pipe has ended, as shells have it: 128 and SIGPIPE.
const CLOSED_PIPE: u8 = 141;

/// Tells why something was not done, in as many lines as it takes.
async fn complain(stack: &str, fault: anyhow::Error) {
    let fault = format!("{:#}", connection::explained(stack, fault).await);
    let lines: Vec<String> = fault.lines().map(terminal::printable).collect();
    eprintln!("postbackctl: {}", lines.join("\n"));
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Command { stack, action } = Command::parse();
    // reqwest is built without a TLS provider, so that there is only one: ring. A second installation changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = match action {
        Action::Apply(arguments) => partners::apply::run(&stack, arguments).await,
        Action::Rotate(arguments) => partners::rotate::run(&stack, arguments).await,
        Action::Link(arguments) => partners::link::run(&stack, arguments).await,
        Action::Trace(arguments) => operations::trace::run(&stack, arguments).await,
        Action::Conflicts(arguments) => inbound::conflicts::run(&stack, arguments).await,
        Action::Refusals(arguments) => inbound::refusals::run(&stack, arguments).await,
        Action::Conversions(arguments) => inbound::conversions::run(&stack, arguments).await,
        Action::Reconcile(arguments) => inbound::reconcile::run(&stack, arguments).await,
        Action::Progress(arguments) => outbound::progress::run(&stack, arguments).await,
        Action::Deliveries(arguments) => outbound::deliveries::run(&stack, arguments).await,
        Action::Resend(arguments) => outbound::resend::run(&stack, arguments).await,
        Action::Probe(arguments) => Box::pin(outbound::probe::run(&stack, arguments)).await,
        Action::Kit(arguments) => partners::kit::run(&stack, arguments).await,
        Action::Senders(arguments) => partners::senders::run(&arguments),
        Action::DeadLetters(arguments) => operations::dead_letters::run(&stack, arguments).await,
        Action::Redrive(arguments) => operations::redrive::run(&stack, arguments).await,
        Action::Audit(arguments) => operations::audit::run(&stack, arguments).await,
        Action::Cost(arguments) => operations::cost::run(&arguments),
        Action::Completion(arguments) => operations::completion::run(&arguments),
        Action::Smoke(arguments) => operations::smoke::run(arguments).await,
    };
    match done {
        Ok(code) => code,
        Err(fault) if fault.downcast_ref().is_some_and(Unwritten::is_closed) => ExitCode::from(CLOSED_PIPE),
        Err(fault) => {
            complain(&stack, fault).await;
            ExitCode::FAILURE
        }
    }
}
