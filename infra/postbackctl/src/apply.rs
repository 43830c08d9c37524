//! `postbackctl apply`: partners from files.

use std::{
    io::{BufRead, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use adapters::{
    dynamodb::{
        configuration::{Configuration, Written},
        item::{SYSTEM_OWNER, SecretsItem},
    },
    random,
};
use anyhow::{Result, bail};
use clap::Args;
use domain::{credential::Token, jiff::Timestamp};
use serde::Serialize;

use crate::{
    Connection, partner_files,
    plan::{Change, Entropy, NewCredential, Planned, plan},
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Partner files, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Only checks the files: no AWS, no change.
    #[arg(long)]
    check: bool,
    /// Does not ask.
    #[arg(long)]
    yes: bool,
    /// Answers in JSON. New secrets are in it, once: keep it safe.
    #[arg(long)]
    json: bool,
}

/// What was done, for programs.
#[derive(Debug, Serialize)]
struct Report {
    partners: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    provider: String,
    change: Change,
    token: Option<String>,
    signature_secret: Option<String>,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let files = partner_files::read(&arguments.paths)?;
    if arguments.check {
        eprintln!("{} partner files, all valid", files.len());
        return Ok(ExitCode::SUCCESS);
    }
    let configuration = Connection::open(stack).await?.configuration();
    let mut plans = Vec::new();
    for file in &files {
        let provider = file.partner.provider();
        let standing = configuration.partner(provider).await?;
        let secrets = configuration.secrets(&SecretsItem::partner_owner(provider)).await?;
        let entropy = Entropy { token: random::bytes()?, secret: random::bytes()? };
        plans.push(plan(file, standing.as_ref(), secrets.as_ref(), entropy, Timestamp::now())?);
    }
    show(&plans);
    let changes = plans.iter().filter(|planned| planned.change != Change::Unchanged).count();
    if changes > 0 && !arguments.yes && !confirm(changes)? {
        bail!("nothing was changed");
    }
    ensure_system_keys(&configuration).await?;
    let mut report = Report { partners: Vec::new() };
    for planned in plans {
        report.partners.push(write(&configuration, planned).await?);
    }
    tell(&report, arguments.json)?;
    Ok(ExitCode::SUCCESS)
}

fn show(plans: &[Planned]) {
    for Planned { change, item, differences, credential } in plans {
        let word = match change {
            Change::Created => "create",
            Change::Changed => "change",
            Change::Unchanged => "keep  ",
        };
        eprintln!("{word} {}", item.provider);
        if *change == Change::Changed {
            for line in differences {
                eprintln!("       {line}");
            }
            if credential.is_some() {
                eprintln!("       + a new credential");
            }
        }
    }
}

fn confirm(changes: usize) -> Result<bool> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        bail!("{changes} changes wait for a yes, and nobody is there to ask: run it with --yes");
    }
    eprint!("Make {changes} changes? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The system's own keys: made once, by whoever applies first.
async fn ensure_system_keys(configuration: &Configuration) -> Result<()> {
    if configuration.secrets(SYSTEM_OWNER).await?.is_some() {
        return Ok(());
    }
    let key = || -> Result<Vec<String>> { Ok(vec![Token::from_random(random::bytes()?).reveal().to_owned()]) };
    let item = SecretsItem {
        owner: SYSTEM_OWNER.to_owned(),
        click_keys: key()?,
        link_secrets: key()?,
        ..SecretsItem::default()
    };
    // Lost means that somebody else's are there now: they serve as well.
    configuration.put_secrets(&item, false).await?;
    Ok(())
}

/// Writes a partner's secret before the partner: one that can be seen can be called.
async fn write(configuration: &Configuration, planned: Planned) -> Result<Row> {
    let Planned { change, item, credential, .. } = planned;
    let provider = item.provider.to_string();
    let (mut token, mut signature_secret) = (None, None);
    match credential {
        Some(NewCredential::Token(made)) => token = Some(made.reveal().to_owned()),
        Some(NewCredential::Signature(made)) => {
            let owner = SecretsItem::partner_owner(&item.provider);
            let signature_secrets = vec![made.reveal().to_owned()];
            let secrets = SecretsItem { owner, signature_secrets, ..SecretsItem::default() };
            // A secret without a partner is left over from an attempt that was cut short: nobody knows it.
            configuration.put_secrets(&secrets, true).await?;
            signature_secret = Some(made.reveal().to_owned());
        }
        None => {}
    }
    if change != Change::Unchanged && configuration.put_partner(&item).await? == Written::Lost {
        bail!(
            "{provider} was changed by somebody else in the meantime; nothing of it was overwritten. Look, and apply again"
        );
    }
    Ok(Row { provider, change, token, signature_secret })
}

fn tell(report: &Report, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(report)?);
        return Ok(());
    }
    for row in &report.partners {
        let made = [("token", &row.token), ("signing secret", &row.signature_secret)];
        for (what, secret) in made.into_iter().filter_map(|(what, secret)| Some((what, secret.as_ref()?))) {
            println!("{}: {what} {secret}   (shown this once: hand it to the partner now)", row.provider);
        }
    }
    Ok(())
}
