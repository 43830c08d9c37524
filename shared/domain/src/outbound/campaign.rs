//! Describes campaigns. A campaign has a goal that a partner's users can reach at GG3, and a webhook that tells the
//! partner.
//!
//! An operator writes a [`CampaignFile`], which is also the stored form; a [`Campaign`] is the checked form. The
//! [`Terms`] measure progress, and are fixed once they are published. The evaluator drops events that no campaign
//! needs, so changed terms could need events that were dropped.

mod change;
mod goal;

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::prelude::*;
use crate::values::config_fault::{ConfigFault, Faults};
use crate::values::ids::{CampaignName, EventLabel};
use crate::values::time::UnixMillis;

pub(crate) use self::change::check_published_terms;
pub use self::{
    change::{check_change, check_changes},
    goal::{Goal, GoalFile, MAX_CLICKS, MAX_QUESTS, QuestGroup},
};

/// Bounds the number of a partner's campaigns, archived ones included.
pub const MAX_CAMPAIGNS: usize = 1000;
/// Sets the delay before the first resend if the file gives none, in seconds.
pub const DEFAULT_INITIAL_INTERVAL_SECONDS: u64 = 600;
/// Bounds the delay before the first resend, in seconds.
pub const MAX_INITIAL_INTERVAL_SECONDS: u64 = 6 * 60 * 60;

/// Means the earliest possible start in a campaign's file. [`CampaignFile::dated`] replaces this word by an instant.
pub const ON_PUBLISH: &str = "on_publish";

/// Holds a campaign as an operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignFile {
    /// Names the campaign. The name is unique within the partner and never used again.
    pub name: String,
    /// Says what a user must do.
    pub goal: GoalFile,
    /// Holds the first instant at which events count, in RFC 3339, or [`ON_PUBLISH`].
    pub active_from: String,
    /// Holds the last instant at which events count, in RFC 3339. If it is absent, the campaign has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_to: Option<String>,
    /// Makes the campaign's webhooks wait. Users' progress is still recorded.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub paused: bool,
    /// Ends the campaign for good. Owed deliveries are cancelled.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub archived: bool,
    /// Gives the delay before the first resend, in seconds.
    #[serde(default = "default_initial_interval")]
    pub initial_interval_seconds: u64,
    /// Describes the webhook to call.
    pub webhook: WebhookFile,
    /// Holds the name of the goal in webhooks, if it is not the default name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

fn default_initial_interval() -> u64 {
    DEFAULT_INITIAL_INTERVAL_SECONDS
}

impl CampaignFile {
    /// Replaces [`ON_PUBLISH`] by the published instant, or by `soonest` if the campaign was never published.
    ///
    /// Applying the same file a second time therefore changes nothing.
    #[must_use]
    pub fn dated(mut self, published: &Campaigns, soonest: UnixMillis) -> Self {
        if self.active_from == ON_PUBLISH {
            let name = CampaignName::new(self.name.as_str()).ok();
            let fixed = name.and_then(|name| published.get(&name)).map(|campaign| campaign.terms.active_from);
            self.active_from = fixed.unwrap_or(soonest).to_string();
        }
        self
    }
}

/// Holds a campaign's webhook as an operator writes it. The URL is checked with the partner's media buying section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookFile {
    /// Holds the template of the URL.
    pub url: String,
    /// Says `GET` or `POST`.
    #[serde(default = "default_method")]
    pub method: String,
}

fn default_method() -> String {
    "GET".to_owned()
}

/// Holds the terms by which progress is measured. The evaluator knows only the terms of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Says what a user must do.
    pub goal: Goal,
    /// Holds the first instant at which events count.
    pub active_from: UnixMillis,
    /// Holds the last instant at which events count. If it is absent, the campaign has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_to: Option<UnixMillis>,
}

impl Terms {
    /// Returns true if events at this instant count for the campaign.
    pub fn contain(&self, at: UnixMillis) -> bool {
        self.active_from <= at && self.active_to.is_none_or(|to| at <= to)
    }
}

/// Says if the webhooks of a campaign are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignState {
    /// The campaign's webhooks are sent.
    Open,
    /// The campaign's webhooks wait.
    Paused,
    /// The campaign has ended, and its owed deliveries are cancelled.
    Archived,
}

/// Holds a campaign that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    name: CampaignName,
    terms: Terms,
    paused: bool,
    archived: bool,
    initial_interval: Duration,
    webhook: WebhookFile,
    event: EventLabel,
}

impl Campaign {
    /// Returns the campaign's name.
    pub fn name(&self) -> &CampaignName {
        &self.name
    }

    /// Returns the terms by which progress is measured.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Replaces the terms with the published terms.
    pub(crate) fn with_terms(&self, terms: Terms) -> Self {
        Self { terms, ..self.clone() }
    }

    /// Returns true if the campaign's webhooks wait.
    pub fn paused(&self) -> bool {
        self.paused
    }

    /// Lets the campaign's webhooks wait.
    pub(crate) fn pause(&mut self) {
        self.paused = true;
    }

    /// Returns true if the campaign has ended for good.
    pub fn archived(&self) -> bool {
        self.archived
    }

    /// Returns the state. A campaign that is both archived and paused counts as archived.
    pub fn state(&self) -> CampaignState {
        match self {
            Self { archived: true, .. } => CampaignState::Archived,
            Self { paused: true, .. } => CampaignState::Paused,
            _ => CampaignState::Open,
        }
    }

    /// Returns the delay before the first resend.
    pub fn initial_interval(&self) -> Duration {
        self.initial_interval
    }

    /// Returns the webhook as it was written.
    pub fn webhook(&self) -> &WebhookFile {
        &self.webhook
    }

    /// Returns the name of the goal in webhooks.
    pub fn event(&self) -> &EventLabel {
        &self.event
    }

    /// Checks one campaign and adds its faults to `faults`. `path` is the beginning of each fault's place, as in
    /// `campaigns[0].goal.clicks`.
    pub(crate) fn parse(file: CampaignFile, path: &str, faults: &mut Faults) -> Option<Self> {
        let before = faults.0.len();
        let place = |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
        let name = faults.keep(&place("name"), CampaignName::new(file.name));
        let goal = Goal::parse(file.goal, &place("goal"), faults);
        let active_from = faults.keep(&place("active_from"), parse_moment(&file.active_from, FROM));
        let active_to = file.active_to.and_then(|text| faults.keep(&place("active_to"), parse_moment(&text, TO)));
        if let (Some(from), Some(to)) = (active_from, active_to) {
            faults.require(from < to, &place("active_to"), "must be after active_from");
        }
        let seconds = file.initial_interval_seconds;
        let bounded = (1..=MAX_INITIAL_INTERVAL_SECONDS).contains(&seconds);
        faults.require(bounded, &place("initial_interval_seconds"), "must be 1 to 21600 seconds (6 hours)");
        faults.require(!file.webhook.url.trim().is_empty(), &place("webhook.url"), "must not be empty");
        let event = file.event.or_else(|| goal.as_ref().map(|goal| goal.name().to_owned()));
        let event = event.and_then(|event| faults.keep(&place("event"), EventLabel::new(event)));
        let (name, goal, active_from, event) = (name?, goal?, active_from?, event?);
        (faults.0.len() == before).then(|| Self {
            name,
            terms: Terms { goal, active_from, active_to },
            paused: file.paused,
            archived: file.archived,
            initial_interval: Duration::from_secs(seconds),
            webhook: file.webhook,
            event,
        })
    }
}

impl TryFrom<CampaignFile> for Campaign {
    type Error = Vec<ConfigFault>;

    fn try_from(file: CampaignFile) -> Result<Self, Vec<ConfigFault>> {
        let mut faults = Faults::default();
        Self::parse(file, "", &mut faults).ok_or(faults.0)
    }
}

/// Holds a partner's campaigns by name.
pub type Campaigns = BTreeMap<CampaignName, Campaign>;

#[cfg(test)]
pub(crate) fn parse_campaigns(files: Vec<CampaignFile>) -> Result<Campaigns, Vec<ConfigFault>> {
    let mut faults = Faults::default();
    let campaigns = parse_all(files, "campaigns", &mut faults);
    if faults.0.is_empty() { Ok(campaigns) } else { Err(faults.0) }
}

/// Reads all campaigns of a partner and returns those without faults. Places begin with `path`.
pub(crate) fn parse_all(files: Vec<CampaignFile>, path: &str, faults: &mut Faults) -> Campaigns {
    let mut campaigns = Campaigns::new();
    let mut names = BTreeSet::new();
    faults.require(files.len() <= MAX_CAMPAIGNS, path, "must have at most 1000 campaigns");
    for (at, file) in files.into_iter().enumerate() {
        let path = format!("{path}[{at}]");
        faults.require(names.insert(file.name.clone()), &format!("{path}.name"), "is used twice; rename one");
        if let Some(campaign) = Campaign::parse(file, &path, faults) {
            campaigns.insert(campaign.name.clone(), campaign);
        }
    }
    campaigns
}

const FROM: &str = "must be an instant such as 2026-11-23T12:00:00Z, or on_publish";
const TO: &str = "must be an instant such as 2026-11-23T12:00:00Z; leave it out for no end";

fn parse_moment(text: &str, words: &'static str) -> Result<UnixMillis, &'static str> {
    let timestamp: Timestamp = text.parse().map_err(|_| words)?;
    Ok(UnixMillis::from(timestamp))
}

#[cfg(test)]
mod tests;
