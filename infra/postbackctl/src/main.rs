//! `postbackctl`: the operator's command of GG3 Postback.

#![allow(clippy::print_stderr, reason = "a command talks to its caller")]

mod ask;
mod change;
mod connection;
mod coverage;
mod inbound;
mod operations;
mod outbound;
mod output;
mod pace;
mod page;
mod partners;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use connection::Connection;
// The text that a terminal may show is the text that a page may show.
use domain::values::printable as terminal;
use output::Unwritten;

/// Operates GG3 Postback: sets up partners, shows what happened, and repairs what failed.
#[derive(Debug, Parser)]
#[command(name = "postbackctl", version, about, max_term_width = 100)]
struct Command {
    /// Works on the stack of this name.
    #[arg(long, global = true, value_name = "NAME", env = "GG3_STACK", default_value = "gg3-postback")]
    stack: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Creates or changes partners from files. Shows the changes and asks first. Prints new secrets once.
    Apply(partners::apply::Arguments),
    /// Makes a new token or secret for a partner and prints it once. The previous one stays valid.
    Rotate(partners::rotate::Arguments),
    /// Pauses the webhooks of all campaigns of a partner, or with --inbound its postback URL.
    Pause(partners::pause::Arguments),
    /// Ends a pause of a partner.
    Resume(partners::pause::Arguments),
    /// Sends a partner a test of its notices, which tell it what becomes of its webhooks.
    Notify(partners::notify::Arguments),
    /// Makes a link that lets a person of a partner into the partner's portal once, within 15 minutes.
    Portal(partners::portal::Arguments),
    /// Builds a tracking link: to a partner's landing page, or from a partner's pages to GG3.
    Link(partners::link::Arguments),
    /// Sends recorded conversions to GG3 again.
    Conversions(inbound::conversions::Arguments),
    /// Reports conversions, refusals, webhooks or funnels of a period, from the archive.
    Report(Box<operations::report::Arguments>),
    /// Compares a partner's list of transactions with the recorded ones.
    Reconcile(inbound::reconcile::Arguments),
    /// Shows the history of a transaction, a click, a user or a delivery.
    Trace(operations::trace::Arguments),
    /// Lists accepted transactions, as they are now.
    Postbacks(inbound::postbacks::Arguments),
    /// Lists or resolves conflicts: postbacks that contradict recorded ones.
    Conflicts(inbound::conflicts::Arguments),
    /// Lists refused calls, or handles one of them again.
    Refusals(inbound::refusals::Arguments),
    /// Shows a GG3 user's progress with each campaign, and the webhooks owed for it.
    Progress(outbound::progress::Arguments),
    /// Checks or sends events of GG3's platform.
    Events(outbound::events::Arguments),
    /// Lists deliveries, which are the webhooks owed to partners, with their state, or only overdue ones.
    Deliveries(outbound::deliveries::Arguments),
    /// Sends deliveries again, in another round of attempts: named ones, or all that failed in a period.
    Resend(outbound::resend::Arguments),
    /// Sends a partner a test webhook, and shows the partner's answer.
    Probe(outbound::probe::Arguments),
    /// Prints a partner's integration guide as Markdown, with its URLs, parameters, links and webhooks.
    Kit(partners::kit::Arguments),
    /// Lists the presets of senders (trackers, networks, offerwalls) that a partner file may name, or prints one.
    Senders(partners::senders::Arguments),
    /// Examines a partner: its calls, webhooks, credential and dead letters, each with what to do.
    Doctor(operations::doctor::Arguments),
    /// Shows the messages in the dead-letter queues, each with its reason. Removes none.
    DeadLetters(operations::dead_letters::Arguments),
    /// Moves messages from a dead-letter queue back to the queue that processes them. Fix the cause first.
    Redrive(operations::redrive::Arguments),
    /// Rebuilds the lookups, by which lists, traces and replays find stored items.
    Lookups(operations::lookups::Arguments),
    /// Shows or erases everything that is stored about a person.
    Person(operations::person::Arguments),
    /// Lists the changes that operators made: who, when, what and why.
    Audit(operations::audit::Arguments),
    /// Computes the AWS cost of a million postbacks, events, deliveries and resends.
    Cost(Box<operations::cost::Arguments>),
    /// Prints a shell's completion script for this command.
    Completion(operations::completion::Arguments),
    /// Prints the version of this command and the commit that the stack was deployed from.
    Version,
    /// Checks a deployment from outside. Records nothing except the click of --click-url.
    Smoke(operations::smoke::Arguments),
}

/// The exit code that shells report for a program that was ended by a closed pipe: 128 and the number of SIGPIPE.
const CLOSED_PIPE: u8 = 141;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Command { stack, action } = Command::parse();
    // reqwest is built without a TLS provider, so that ring is the only one. Installing ring a second time changes
    // nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = match action {
        Action::Apply(arguments) => partners::apply::run(&stack, arguments).await,
        Action::Rotate(arguments) => partners::rotate::run(&stack, arguments).await,
        Action::Pause(arguments) => partners::pause::run(&stack, arguments, true).await,
        Action::Resume(arguments) => partners::pause::run(&stack, arguments, false).await,
        Action::Notify(arguments) => partners::notify::run(&stack, arguments).await,
        Action::Portal(arguments) => partners::portal::run(&stack, arguments).await,
        Action::Link(arguments) => partners::link::run(&stack, arguments).await,
        Action::Trace(arguments) => operations::trace::run(&stack, arguments).await,
        Action::Postbacks(arguments) => inbound::postbacks::run(&stack, arguments).await,
        Action::Conflicts(arguments) => inbound::conflicts::run(&stack, arguments).await,
        Action::Refusals(arguments) => inbound::refusals::run(&stack, arguments).await,
        Action::Conversions(arguments) => inbound::conversions::run(&stack, arguments).await,
        Action::Report(arguments) => operations::report::run(&stack, *arguments).await,
        Action::Reconcile(arguments) => inbound::reconcile::run(&stack, arguments).await,
        Action::Progress(arguments) => outbound::progress::run(&stack, arguments).await,
        Action::Events(arguments) => outbound::events::run(&stack, arguments).await,
        Action::Deliveries(arguments) => outbound::deliveries::run(&stack, arguments).await,
        Action::Resend(arguments) => outbound::resend::run(&stack, arguments).await,
        Action::Probe(arguments) => Box::pin(outbound::probe::run(&stack, arguments)).await,
        Action::Kit(arguments) => partners::kit::run(&stack, arguments).await,
        Action::Senders(arguments) => partners::senders::run(&arguments),
        Action::Doctor(arguments) => Box::pin(operations::doctor::run(&stack, arguments)).await,
        Action::DeadLetters(arguments) => operations::dead_letters::run(&stack, arguments).await,
        Action::Redrive(arguments) => operations::redrive::run(&stack, arguments).await,
        Action::Lookups(arguments) => operations::lookups::run(&stack, arguments).await,
        Action::Person(arguments) => Box::pin(operations::person::run(&stack, arguments)).await,
        Action::Audit(arguments) => operations::audit::run(&stack, arguments).await,
        Action::Cost(arguments) => operations::cost::run(&arguments),
        Action::Completion(arguments) => operations::completion::run(&arguments, &mut Command::command()),
        Action::Version => operations::version::run(&stack).await,
        Action::Smoke(arguments) => operations::smoke::run(arguments).await,
    };
    match done {
        Ok(code) => code,
        Err(fault) if fault.downcast_ref().is_some_and(Unwritten::is_closed) => ExitCode::from(CLOSED_PIPE),
        Err(fault) => {
            connection::complain(&stack, fault).await;
            ExitCode::FAILURE
        }
    }
}
