//! `postbackctl apply`: partners from files, and the catalogue of what all partners' campaigns ask for.

mod report;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use adapters::{random, system::System};
use anyhow::{Context, Result, anyhow, bail};
use app::operators::{
    apply_partners::{self, ApplyFault, LookFault},
    plan_partners::{Change, Clock, Entropy, PlanFault, Planned, Proposed, Standing, plan_all},
    publish_campaigns::PublishFault,
};
use clap::Args;
use domain::{
    jiff::Timestamp,
    outbound::webhook::{Allowance, Development},
    values::ids::Provider,
};

use self::report::Report;
use super::partner_files::{self, ValidFile};
use crate::{Connection, ask, connection::Missing, reason::Reason};

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
    let (partners, catalogue) = (connection.configuration(), connection.catalogue());
    let proposed: Vec<Proposed<'_>> = files.iter().map(ValidFile::proposed).collect();
    let operation = connection.operation(arguments.reason.why).await?;
    let providers: Vec<&Provider> = proposed.iter().map(|file| file.partner.provider()).collect();
    // What is planned depends on the secrets that stand.
    let moved = apply_partners::split_secrets(&partners, &providers, (&operation, ask::now())).await?;
    if moved > 0 {
        eprintln!(
            "moved the secrets of {moved} owners, which an older version had stored, to an item for each purpose"
        );
    }
    let standing = apply_partners::look((&partners, &catalogue), &proposed).await.map_err(unlooked)?;
    let mut plans = plan(&files, &standing, lead)?;
    report::show(&plans);
    if arguments.paths.iter().any(|path| path.is_dir()) {
        report::show_unfiled(&apply_partners::without_file(&partners, &proposed).await?);
    }
    let changes = plans.iter().filter(|planned| planned.change != Change::Unchanged).count();
    if changes > 0 && !arguments.yes {
        ask::confirm(&format!("Make {changes} changes?"), false)?;
        // The answer may have taken long: what must lie ahead is checked again.
        plans = plan(&files, &standing, lead)?;
    }
    let random = [random::bytes()?, random::bytes()?];
    apply_partners::ensure_system_keys(&partners, random, (&operation, ask::now())).await?;
    let applied = apply_partners::apply((&partners, &catalogue), &System, plans, lead, &operation).await;
    let report = Report::of(applied.partners, applied.publication)?;
    // A secret that was made is told only here, so it is told whatever went wrong.
    report.tell(arguments.json)?;
    applied.fault.map_or_else(|| Ok(report.exit_code()), |fault| Err(unapplied(fault)))
}

/// Returns how far webhooks may lead. The endpoint is looked for where the files are checked, so that `--check` needs no more.
fn allowance(loopback: bool) -> Result<Allowance> {
    if !loopback {
        return Ok(Allowance::PublicOnly);
    }
    let endpoint = std::env::var("AWS_ENDPOINT_URL").context("webhooks to this machine need AWS_ENDPOINT_URL")?;
    Ok(Allowance::Development(Development::try_new(&endpoint)?))
}

/// Returns what each file would change, or every fault of all the changes that are not allowed, with its line.
fn plan(files: &[ValidFile], standing: &[Standing], lead: Duration) -> Result<Vec<Planned>> {
    let entropy = || -> Result<Entropy> {
        Ok(Entropy { token: random::bytes()?, secret: random::bytes()?, webhook_secret: random::bytes()? })
    };
    let proposed = files.iter().zip(standing).map(|(file, standing)| Ok((file.proposed(), standing, entropy()?)));
    let proposed = proposed.collect::<Result<Vec<_>>>()?;
    let forbidden = match plan_all(proposed, Clock { now: Timestamp::now(), lead }) {
        Ok(plans) => return Ok(plans),
        Err(PlanFault::Forbidden(forbidden)) => forbidden,
        Err(fault @ PlanFault::Unreadable { .. }) => return Err(fault.into()),
    };
    let located = forbidden.iter().flat_map(|(provider, faults)| {
        let file = files.iter().find(|file| file.partner.provider() == provider);
        file.map(|file| file.located(faults)).unwrap_or_default()
    });
    bail!("nothing was changed; these changes are not allowed:\n  {}", located.collect::<Vec<_>>().join("\n  "))
}

fn unlooked(fault: LookFault) -> anyhow::Error {
    match fault {
        LookFault::Unavailable(unavailable) => unavailable.into(),
        LookFault::NoCatalogue => Missing(fault.to_string()).into(),
    }
}

fn unapplied(fault: ApplyFault) -> anyhow::Error {
    match fault {
        ApplyFault::Changed(provider) => anyhow!(
            "{provider} was changed by somebody else in the meantime; nothing of it was overwritten. Look, and apply again"
        ),
        ApplyFault::Unclear(provider, unavailable) => anyhow::Error::from(unavailable).context(format!(
            "{provider} may or may not be written: apply again to see; if it is kept then, what is told here is good"
        )),
        ApplyFault::Unpublished(PublishFault::Unavailable(unavailable)) => {
            anyhow::Error::from(unavailable).context("the partners are stored, but not published")
        }
        fault @ ApplyFault::Unpublished(PublishFault::Races) => fault.into(),
    }
}

#[cfg(test)]
mod tests;
