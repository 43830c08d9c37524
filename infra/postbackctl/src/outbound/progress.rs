//! `postbackctl progress`: a GG3 user's progress with each campaign, and the webhooks owed for it.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use app::operators::progress::{CampaignProgress, UserProgress, of_user};
use clap::Args;
use domain::values::ids::UserId;
use serde_json::json;

use crate::{
    Connection, ask,
    operations::timeline::warn_unread_partners,
    output::{counted, say},
    terminal::printable,
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Shows this GG3 user.
    #[arg(long)]
    user: String,
    /// Shows all campaigns of this partner, instead of those of partners whose link the user opened.
    #[arg(long)]
    provider: Option<String>,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let user = UserId::try_from(arguments.user).map_err(|fault| anyhow!("the user id {fault}"))?;
    let provider = arguments.provider.as_deref().map(ask::provider).transpose()?;
    let (participants, catalogues) = (connection.participants(), connection.catalogues());
    let records = connection.delivery_records();
    let ports = (&records, &connection.partners(), &connection.endpoints());
    let progress = of_user(&participants, &catalogues, ports, (&user, provider.as_ref()), ask::now().into()).await?;
    let UserProgress { participant, campaigns, left_out, unread_partners } = progress;
    warn_unread_partners(&unread_partners);
    if campaigns.is_empty() && left_out == 0 {
        eprintln!("no campaign is published{}", provider.map_or(String::new(), |name| format!(" of {name}")));
        return Ok(ExitCode::FAILURE);
    }
    if participant.is_none() {
        eprintln!(
            "nothing is known of GG3 user {}; no campaign could need any of the stored events",
            printable(user.as_str())
        );
        return Ok(ExitCode::FAILURE);
    }
    if campaigns.is_empty() {
        eprintln!("GG3 user {} opened no partner's link", printable(user.as_str()));
    } else if left_out > 0 {
        eprintln!("{} of other partners left out; --provider shows them", counted(left_out, "campaign"));
    }
    if arguments.json {
        say!("{}", json!({ "user_id": user, "campaigns": campaigns }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for campaign in &campaigns {
        say!("{}", printable(&line(campaign)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the progress with a campaign in a line.
pub(crate) fn line(campaign: &CampaignProgress) -> String {
    let CampaignProgress { provider, campaign, progress, delivery } = campaign;
    let delivery = delivery.as_ref().map(|owed| {
        let waits = super::waits(owed.wait);
        format!("; delivery {} {}{waits}", owed.delivery_id, owed.status)
    });
    format!("{provider}, {campaign}: {progress}{}", delivery.unwrap_or_default())
}
