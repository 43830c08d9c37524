//! Plays the examples of the partners' document on a local stack, and shows what was stored of each.

#![allow(clippy::print_stdout, reason = "printing the story is its purpose")]

mod http;
mod media_buying;
mod narrator;
mod operator;
mod postbacks;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use adapters::{
    aws::{AwsSettings, CallLimits, http_client},
    dynamodb::catalogue::DynamoCatalogues,
};
use anyhow::{Context, Result};
use aws_config::BehaviorVersion;
use clap::Parser;
use serde::Deserialize;

use crate::{narrator::Narrator, operator::Operator};

/// Bounds every wait of the story.
const PATIENCE: Duration = Duration::from_secs(30);

/// Plays the examples of the partners' document on a local stack, and shows what happened.
#[derive(Debug, Parser)]
struct Arguments {
    /// The stack's description, as `make up` writes it.
    #[arg(long, default_value = ".stack/stack.json")]
    stack_file: PathBuf,
    /// The operator's command. The default is the one beside this program.
    #[arg(long)]
    postbackctl: Option<PathBuf>,
    /// Writes the whole story into this file, with every request, answer and stored item.
    #[arg(long, default_value = ".stack/story.log")]
    log: PathBuf,
    /// Shortens lines on the terminal to this many characters.
    #[arg(long, default_value_t = 100)]
    width: usize,
}

/// Holds the part of the stack's description that the story needs.
#[derive(Debug, Deserialize)]
struct Stack {
    #[serde(rename = "stack_name")]
    name: String,
    tables: BTreeMap<String, String>,
    queues: BTreeMap<String, String>,
    partner_simulator_url: String,
    sample_partners: BTreeMap<String, SamplePartner>,
}

#[derive(Debug, Deserialize)]
struct SamplePartner {
    postback_url: String,
    #[serde(default)]
    signature_secret: Option<String>,
    #[serde(default)]
    landings: BTreeMap<String, String>,
}

impl Stack {
    fn queue(&self, name: &str) -> Result<&str> {
        self.queues.get(name).map(String::as_str).with_context(|| format!("the stack has no queue {name}"))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // reqwest is built without a TLS provider, so that ring is the only one. A second installation changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Arguments { stack_file, postbackctl, log, width } = Arguments::parse();
    let text = std::fs::read_to_string(&stack_file)
        .with_context(|| format!("cannot read {}: is the stack up? (make up)", stack_file.display()))?;
    let stack: Stack = serde_json::from_str(&text).with_context(|| format!("cannot read {}", stack_file.display()))?;
    let http = http_client(None).context("cannot make an HTTP client for AWS")?;
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).load().await;
    let settings = AwsSettings::from(config);
    let sqs = settings.sqs(CallLimits::BACKGROUND);
    let catalogue = stack.tables.get("catalogue").context("the stack has no table catalogue")?;
    let catalogues = DynamoCatalogues::new(settings.dynamodb(CallLimits::BACKGROUND), catalogue.clone());
    let operator = Operator::new(postbackctl, &stack.name)?;
    let mut narrator = Narrator::new(&log, width)?;
    let client = http::client()?;
    let inbound = postbacks::play(&stack, &client, &sqs, &operator, &mut narrator).await?;
    let outbound = media_buying::play(&stack, &client, &sqs, (&catalogues, &operator), &mut narrator).await?;
    narrator.heading("What happened")?;
    for line in inbound.into_iter().chain(outbound) {
        narrator.line(&line)?;
    }
    let asked = ["report", "conversions", "--from", "1d", "--partner", "acme", "--by", "partner,currency"];
    let report = operator.until(&asked, &["acme", "USD"]).await?;
    for line in report.lines().filter(|line| line.starts_with("partner") || line.contains("USD")) {
        narrator.line(line)?;
    }
    Ok(())
}
