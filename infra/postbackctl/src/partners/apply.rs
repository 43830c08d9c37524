//! `postbackctl apply`: stores partners from files, and publishes the campaigns of all partners.

mod report;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use adapters::{random, system::System};
use anyhow::{Context, Result, anyhow, bail};
use app::operators::{
    apply_partners::{self, ApplyFault, LookFault},
    lookup_coverage,
    plan_partners::{Change, CredentialBytes, PlanFault, PlanTime, Planned, Proposed, StoredState, plan_all},
    publish_campaigns::PublishFault,
};
use clap::Args;
use domain::{
    jiff::Timestamp,
    outbound::webhook::{Allowance, Development},
    values::ids::Provider,
};
use partner_files::ValidFile;

use self::report::Report;
use crate::{Connection, ask, change::Confirmed, connection::Missing, output::counted};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Partner files, or folders of partner files.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Checks the files and changes nothing. Needs no AWS.
    #[arg(long)]
    check: bool,
    /// Requires that campaigns are published at least this many seconds before they begin. Must not be less than the stack's
    /// parameter `CampaignLeadSeconds`.
    #[arg(long, value_name = "SECONDS", env = "GG3_CAMPAIGN_LEAD_SECONDS", default_value_t = 180, value_parser = clap::value_parser!(u64).range(..=86_400))]
    campaign_lead_seconds: u64,
    /// Allows webhooks to this machine, by http and to any port. Works only with a local AWS endpoint.
    #[arg(long, env = "GG3_LOOPBACK_WEBHOOKS")]
    loopback_webhooks: bool,
    #[command(flatten)]
    confirmed: Confirmed,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let files = partner_files::read(&arguments.paths, allowance(arguments.loopback_webhooks)?)?;
    files.iter().flat_map(ValidFile::notes).for_each(|note| eprintln!("note: {note}"));
    if arguments.check {
        eprintln!("{}, all valid", counted(files.len(), "partner file"));
        return Ok(ExitCode::SUCCESS);
    }
    let lead = Duration::from_secs(arguments.campaign_lead_seconds);
    let connection = Connection::open(stack).await?;
    let (partners, catalogue) = (connection.configuration(), connection.catalogue());
    let proposed: Vec<Proposed<'_>> = files.iter().map(ValidFile::proposed).collect();
    let operation = connection.operation(arguments.confirmed.change.why).await?;
    let providers: Vec<&Provider> = proposed.iter().map(|file| file.partner.provider()).collect();
    // The plan depends on the stored secrets.
    let moved = apply_partners::split_secrets(&partners, &providers, (&operation, ask::now())).await?;
    if moved > 0 {
        eprintln!(
            "moved the secrets of {}, which an older version had stored, to an item for each purpose",
            counted(moved, "owner")
        );
    }
    let stored = apply_partners::look((&partners, &catalogue), &proposed).await.map_err(unlooked)?;
    let mut plans = plan(&files, &stored, lead)?;
    report::show(&plans);
    if arguments.paths.iter().any(|path| path.is_dir()) {
        report::show_unfiled(&apply_partners::without_file(&partners, &proposed).await?);
    }
    let changes = plans.iter().filter(|planned| planned.change != Change::Unchanged).count();
    if changes > 0 && !arguments.confirmed.yes {
        ask::confirm(&format!("Make {}?", counted(changes, "change")))?;
        // The operator may have taken long to answer. Times that must lie in the future are therefore checked again.
        plans = plan(&files, &stored, lead)?;
    }
    // Partners must not wait for the lookups.
    if let Err(fault) = lookup_coverage::begin(&connection.lookups(), ask::now()).await {
        eprintln!("{fault}; if lists warn of missing lookups later, run `postbackctl lookups rebuild`");
    }
    let random = [random::bytes()?, random::bytes()?, random::bytes()?];
    apply_partners::ensure_system_keys(&partners, random, (&operation, ask::now())).await?;
    let applied = apply_partners::apply((&partners, &catalogue), &System, plans, lead, &operation).await;
    let report = Report::of(applied.partners, applied.publication)?;
    // A new secret is printed only here, so it is printed even after a fault.
    report.show(arguments.confirmed.change.json)?;
    applied.fault.map_or_else(|| Ok(report.exit_code()), |fault| Err(unapplied(fault)))
}

/// Returns the addresses that webhooks may call. Reads only the environment, so that `--check` needs no AWS.
fn allowance(loopback: bool) -> Result<Allowance> {
    if !loopback {
        return Ok(Allowance::PublicOnly);
    }
    let endpoint = std::env::var("AWS_ENDPOINT_URL").context("--loopback-webhooks needs AWS_ENDPOINT_URL")?;
    Ok(Allowance::Development(Development::try_new(&endpoint)?))
}

/// Plans the change of each file. If some changes are not allowed, fails and names every fault with its line.
fn plan(files: &[ValidFile], stored: &[StoredState], lead: Duration) -> Result<Vec<Planned>> {
    let random_bytes = || -> Result<CredentialBytes> {
        Ok(CredentialBytes { token: random::bytes()?, secret: random::bytes()?, webhook_secret: random::bytes()? })
    };
    let proposed = files.iter().zip(stored).map(|(file, stored)| Ok((file.proposed(), stored, random_bytes()?)));
    let proposed = proposed.collect::<Result<Vec<_>>>()?;
    let forbidden = match plan_all(proposed, PlanTime { now: Timestamp::now(), lead }) {
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
            "another operator changed {provider} in the meantime; nothing was overwritten. Look at it, then apply again"
        ),
        ApplyFault::Unclear(provider, unavailable) => anyhow::Error::from(unavailable).context(format!(
            "it is unknown if {provider} was written; apply again. If nothing changes then, the printed secrets are valid"
        )),
        ApplyFault::Unpublished(PublishFault::Unavailable(unavailable)) => {
            anyhow::Error::from(unavailable).context("the partners are stored, but not published")
        }
        fault @ ApplyFault::Unpublished(PublishFault::Races) => fault.into(),
    }
}

#[cfg(test)]
mod tests;
