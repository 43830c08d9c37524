//! `postbackctl apply`: partners from files, and the catalogue of what all partners' campaigns ask for.

mod report;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use adapters::{
    dynamodb::{
        configuration::Configuration,
        item::{PartnerItem, SYSTEM_OWNER, SecretsItem},
    },
    random,
};
use anyhow::{Context, Result, anyhow, bail};
use app::ports::Replaced;
use clap::Args;
use domain::{
    audit::{Action, Operation, Subject},
    credential::Token,
    ids::Provider,
    jiff::Timestamp,
    webhook::{Allowance, Development},
};

use self::report::{Report, Row};
use crate::{
    Connection, ask,
    connection::Missing,
    partner_files::{self, ValidFile},
    plan::{Change, Clock, Entropy, NewCredential, Planned, Standing, plan},
    publish::{self, Catalogue},
    reason::Reason,
};

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
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
    /// How long before its beginning a campaign is published: at least the stack's own setting.
    #[arg(long, env = "GG3_CAMPAIGN_LEAD_SECONDS", default_value_t = 180, value_parser = clap::value_parser!(u64).range(..=86_400))]
    campaign_lead_seconds: u64,
    /// Takes webhooks to this machine's own addresses, by http and to any port: only where AWS itself is this machine.
    #[arg(long, env = "GG3_LOOPBACK_WEBHOOKS")]
    loopback_webhooks: bool,
    #[command(flatten)]
    reason: Reason,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let files = partner_files::read(&arguments.paths, allowance(arguments.loopback_webhooks)?)?;
    if arguments.check {
        eprintln!("{} partner files, all valid", files.len());
        return Ok(ExitCode::SUCCESS);
    }
    let lead = Duration::from_secs(arguments.campaign_lead_seconds);
    let connection = Connection::open(stack).await?;
    let (configuration, catalogue) = (connection.configuration(), connection.catalogue());
    let standing = standing(&configuration, &catalogue, &files).await?;
    let mut plans = plan_all(&files, &standing, lead)?;
    report::show(&plans);
    if arguments.paths.iter().any(|path| path.is_dir()) {
        report::show_unfiled(&unfiled(configuration.partners().await?, &files));
    }
    let changes = plans.iter().filter(|planned| planned.change != Change::Unchanged).count();
    if changes > 0 && !arguments.yes {
        ask::confirm(&format!("Make {changes} changes?"), false)?;
        // Whoever was asked may have thought for long: what must be ahead by now is looked at again.
        plans = plan_all(&files, &standing, lead)?;
    }
    let operation = connection.operation(arguments.reason.why).await?;
    ensure_system_keys(&configuration, &operation).await?;
    let mut report = Report::default();
    let done = change((&configuration, &catalogue), plans, lead, &operation, &mut report).await;
    // Whatever came of it: a secret that was made is told only here.
    report.tell(arguments.json)?;
    done.map(|()| report.exit_code())
}

/// How far webhooks may lead. The endpoint is looked for where the files are checked, so that `--check` needs no more.
fn allowance(loopback: bool) -> Result<Allowance> {
    if !loopback {
        return Ok(Allowance::PublicOnly);
    }
    let endpoint = std::env::var("AWS_ENDPOINT_URL").context("webhooks to this machine need AWS_ENDPOINT_URL")?;
    Ok(Allowance::Development(Development::try_new(&endpoint)?))
}

async fn standing(
    configuration: &Configuration,
    catalogue: &impl Catalogue,
    files: &[ValidFile],
) -> Result<Vec<Standing>> {
    let published = catalogue.load().await?;
    let campaigns = files.iter().any(|file| !file.partner.media_buying().campaigns().is_empty());
    if campaigns && published == publish::Standing::NoTable {
        bail!(Missing("there is no table for campaigns".to_owned()));
    }
    let mut standing = Vec::new();
    for file in files {
        let provider = file.partner.provider();
        let item = configuration.partner(provider).await?;
        let secrets = configuration.secrets(&SecretsItem::partner_owner(provider)).await?;
        standing.push(Standing { item, secrets, goals: published.partner(provider).cloned() });
    }
    Ok(standing)
}

/// The partners that are stored and have no file here.
fn unfiled(stored: Vec<PartnerItem>, files: &[ValidFile]) -> Vec<Provider> {
    let has_file = |provider: &Provider| files.iter().any(|file| file.partner.provider() == provider);
    let mut left: Vec<Provider> = stored.into_iter().map(|item| item.provider).filter(|name| !has_file(name)).collect();
    left.sort();
    left
}

/// What each file would change, or every fault of all the changes that are forbidden.
fn plan_all(files: &[ValidFile], standing: &[Standing], lead: Duration) -> Result<Vec<Planned>> {
    let clock = Clock { now: Timestamp::now(), lead };
    let (mut plans, mut faults) = (Vec::new(), Vec::new());
    for (file, standing) in files.iter().zip(standing) {
        let entropy = Entropy { token: random::bytes()?, secret: random::bytes()?, webhook_secret: random::bytes()? };
        match plan(file, standing, entropy, clock)? {
            Ok(planned) => plans.push(planned),
            Err(found) => faults.extend(file.located(&found)),
        }
    }
    if faults.is_empty() {
        Ok(plans)
    } else {
        bail!("nothing was changed; these changes are not allowed:\n  {}", faults.join("\n  "))
    }
}

/// Writes the partners, then publishes: a webhook that is owed finds its partner's configuration.
async fn change(
    (configuration, catalogue): (&Configuration, &impl Catalogue),
    plans: Vec<Planned>,
    lead: Duration,
    operation: &Operation,
    report: &mut Report,
) -> Result<()> {
    for planned in plans {
        write(configuration, planned, operation, &mut report.partners).await?;
    }
    let all = async || Ok(configuration.partners().await?);
    let outcome = publish::publish(catalogue, all, lead, || Timestamp::now().into(), operation).await;
    report.publishing = outcome.map_err(|fault| anyhow!("the partners are stored, but not published: {fault:#}"))?;
    Ok(())
}

/// The system's own keys: made once, by whoever applies first.
async fn ensure_system_keys(configuration: &Configuration, operation: &Operation) -> Result<()> {
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
    let audit = operation.record(Timestamp::now(), Action::CreateSystemKeys, Subject::SystemKeys);
    configuration.put_secrets_if_absent(&item, &audit).await?;
    Ok(())
}

/// Writes a partner, and its secret with it. The row is there whatever came of it: a secret that may be stored is told.
async fn write(
    configuration: &Configuration,
    planned: Planned,
    operation: &Operation,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let audit = planned.record(operation);
    let Planned { change, item, credential, webhook_secret, secrets, .. } = planned;
    let mut row = Row::of(change, &item)?;
    match credential {
        Some(NewCredential::Token(made)) => row.token = Some(made.reveal().to_owned()),
        Some(NewCredential::Signature(made)) => row.signature_secret = Some(made.reveal().to_owned()),
        None => {}
    }
    row.webhook_secret = webhook_secret.map(|made| made.reveal().to_owned());
    let provider = item.provider.clone();
    let written = if change == Change::Unchanged {
        Ok(Replaced::Done)
    } else {
        configuration.put_partner(&item, secrets.as_ref(), &audit).await
    };
    match written {
        Ok(Replaced::Done) => {
            rows.push(row);
            Ok(())
        }
        Ok(Replaced::Changed) => bail!(
            "{provider} was changed by somebody else in the meantime; nothing of it was overwritten. Look, and apply again"
        ),
        Err(unavailable) => {
            rows.push(row);
            Err(unavailable).with_context(|| format!("{provider} may or may not be written: apply again to see; if it is kept then, what is told here is good"))
        }
    }
}
