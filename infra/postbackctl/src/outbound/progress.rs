//! `postbackctl progress`: how far a GG3 user has come, what is missing, and which webhooks are owed.

use std::{fmt, process::ExitCode};

use anyhow::{Result, anyhow};
use clap::Args;
use domain::{
    catalogue::Snapshot,
    delivery::Status,
    ids::{CampaignName, DeliveryId, Provider, UserId},
    participant::Participant,
    progress::{Progress, explain},
};
use serde::Serialize;
use serde_json::json;

use crate::{Connection, output::say, publish::Catalogue, terminal::printable};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The GG3 user.
    #[arg(long)]
    user: String,
    /// One partner's campaigns only.
    #[arg(long)]
    provider: Option<String>,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let user = UserId::new(arguments.user).map_err(|fault| anyhow!("the user id {fault}"))?;
    let (lines, is_known) = told(&connection, &user, arguments.provider.as_deref()).await?;
    if lines.is_empty() {
        eprintln!("no campaign is published{}", arguments.provider.map_or(String::new(), |name| format!(" of {name}")));
        return Ok(ExitCode::FAILURE);
    }
    if !is_known {
        eprintln!(
            "nothing is known of GG3 user {}: no event that any campaign could need was stored",
            printable(user.as_str())
        );
        return Ok(ExitCode::FAILURE);
    }
    if arguments.json {
        say!("{}", json!({ "user_id": user, "campaigns": lines }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in lines {
        say!("{}", printable(&line.to_string()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One user's progress with one campaign.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    provider: Provider,
    campaign: CampaignName,
    #[serde(flatten)]
    progress: Progress,
    delivery: Option<Owed>,
}

/// The delivery that a reached goal has made.
#[derive(Debug, Serialize)]
struct Owed {
    delivery_id: DeliveryId,
    status: Status,
}

impl Line {
    /// Whose campaign it is.
    pub(crate) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// What is owed for it, once it is reached.
    pub(crate) fn delivery_id(&self) -> Option<&DeliveryId> {
        self.delivery.as_ref().map(|owed| &owed.delivery_id)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.provider, self.campaign, self.progress)?;
        match &self.delivery {
            Some(Owed { delivery_id, status }) => write!(f, "; delivery {delivery_id} {status}"),
            None => Ok(()),
        }
    }
}

/// Every published campaign, of all partners or of one, with what the stored participant says of it.
pub(crate) async fn lines(connection: &Connection, user: &UserId, only: Option<&str>) -> Result<Vec<Line>> {
    told(connection, user, only).await.map(|(lines, _)| lines)
}

/// The same, and whether anything is stored of the user at all.
async fn told(connection: &Connection, user: &UserId, only: Option<&str>) -> Result<(Vec<Line>, bool)> {
    let stored = connection.participants().read_one(user).await?;
    let is_known = stored.version.is_some();
    let standing = connection.catalogue().load().await?;
    let Some(snapshot) = standing.snapshot() else { return Ok((Vec::new(), is_known)) };
    let history = connection.history();
    let mut lines = explained(snapshot, &stored.participant, only);
    for line in &mut lines {
        let id = DeliveryId::of(&line.provider, &line.campaign, user);
        let found = history.delivery(&id).await?;
        line.delivery = found.map(|item| Owed { delivery_id: id, status: item.status });
    }
    Ok((lines, is_known))
}

fn explained(snapshot: &Snapshot, participant: &Participant, only: Option<&str>) -> Vec<Line> {
    let partners = snapshot.partners.iter().filter(|(provider, _)| only.is_none_or(|only| provider.as_str() == only));
    let campaigns = partners.flat_map(|(provider, goals)| goals.campaigns.iter().map(move |named| (provider, named)));
    let line = |(provider, (name, terms)): (&Provider, (&CampaignName, _))| Line {
        provider: provider.clone(),
        campaign: name.clone(),
        progress: explain(participant, provider, name, terms),
        delivery: None,
    };
    campaigns.map(line).collect()
}
