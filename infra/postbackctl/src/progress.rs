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

use crate::{Connection, publish::Catalogue};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The GG3 user.
    #[arg(long)]
    user: String,
    /// One partner's campaigns only.
    #[arg(long)]
    provider: Option<String>,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let user = UserId::new(arguments.user).map_err(|fault| anyhow!("the user id {fault}"))?;
    let lines = lines(&connection, &user, arguments.provider.as_deref()).await?;
    if lines.is_empty() {
        eprintln!("no campaign is published{}", arguments.provider.map_or(String::new(), |name| format!(" of {name}")));
        return Ok(ExitCode::FAILURE);
    }
    for line in lines {
        println!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

/// One user's progress with one campaign.
#[derive(Debug)]
pub(crate) struct Line {
    provider: Provider,
    campaign: CampaignName,
    progress: Progress,
    delivery: Option<(DeliveryId, Status)>,
}

impl Line {
    /// Whose campaign it is.
    pub(crate) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// What is owed for it, once it is reached.
    pub(crate) fn delivery_id(&self) -> Option<&DeliveryId> {
        self.delivery.as_ref().map(|(id, _)| id)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.provider, self.campaign, self.progress)?;
        match &self.delivery {
            Some((id, status)) => write!(f, "; delivery {id} {status}"),
            None => Ok(()),
        }
    }
}

/// Every published campaign, of all partners or of one, with what the stored participant says of it.
pub(crate) async fn lines(connection: &Connection, user: &UserId, only: Option<&str>) -> Result<Vec<Line>> {
    let participant = connection.participants().read_one(user).await?.participant;
    let standing = connection.catalogue().load().await?;
    let Some(snapshot) = standing.snapshot() else { return Ok(Vec::new()) };
    let history = connection.history();
    let mut lines = explained(snapshot, &participant, only);
    for line in &mut lines {
        let id = DeliveryId::of(&line.provider, &line.campaign, user);
        line.delivery = history.delivery(&id).await?.map(|item| (id, item.status));
    }
    Ok(lines)
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
