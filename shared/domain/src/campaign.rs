//! Campaigns: what a partner's users must do at GG3, and which webhook says that they did.
//!
//! [`CampaignFile`] is what an operator writes and what is stored; [`Campaign`] is what it means. What a participant's
//! progress is measured by, the [`Terms`], is fixed once it is published: events that no campaign needs are not kept,
//! so a change could ask for events that are gone.

mod change;
mod goal;

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{CampaignName, EventLabel},
    moment::Moment,
    partner::{ConfigFault, Faults},
    prelude::*,
};

pub(crate) use self::change::check_published_terms;
pub use self::{
    change::{check_change, check_changes},
    goal::{Goal, GoalFile, MAX_CLICKS, MAX_QUESTS, QuestGroup},
};

/// The most campaigns of one partner, those archived included.
pub const MAX_CAMPAIGNS: usize = 1000;
/// The delay before the first resend where none is given.
pub const DEFAULT_INITIAL_INTERVAL_SECONDS: u64 = 600;
/// The longest delay before the first resend.
pub const MAX_INITIAL_INTERVAL_SECONDS: u64 = 6 * 60 * 60;

/// What an operator writes for the earliest instant that the campaign can start at: [`CampaignFile::dated`] puts it in.
pub const ON_PUBLISH: &str = "on_publish";

/// A campaign as an operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignFile {
    /// Its name, unique within the partner for ever.
    pub name: String,
    /// What must be done.
    pub goal: GoalFile,
    /// From when events count, RFC 3339, this instant included; or [`ON_PUBLISH`].
    pub active_from: String,
    /// Until when events count, RFC 3339, this instant included; without end when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_to: Option<String>,
    /// Whether its webhooks wait. Progress goes on.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub paused: bool,
    /// Whether it is over for good. What is still owed is cancelled.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub archived: bool,
    /// The delay before the first resend, in seconds.
    #[serde(default = "default_initial_interval")]
    pub initial_interval_seconds: u64,
    /// The webhook to call.
    pub webhook: WebhookFile,
    /// What the webhook calls the goal, unless the goal's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

fn default_initial_interval() -> u64 {
    DEFAULT_INITIAL_INTERVAL_SECONDS
}

impl CampaignFile {
    /// The file with an instant for [`ON_PUBLISH`]: the one that was published, or `soonest`.
    ///
    /// So one and the same file is published once, with the instant that it has in the end, and is unchanged after that.
    #[must_use]
    pub fn dated(mut self, published: &Campaigns, soonest: Moment) -> Self {
        if self.active_from == ON_PUBLISH {
            let name = CampaignName::new(self.name.as_str()).ok();
            let fixed = name.and_then(|name| published.get(&name)).map(|campaign| campaign.terms.active_from);
            self.active_from = fixed.unwrap_or(soonest).to_string();
        }
        self
    }
}

/// The webhook of a campaign as an operator writes it. Not looked into here: whom it may call is the partner's matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookFile {
    /// The URL's template.
    pub url: String,
    /// `GET` or `POST`.
    #[serde(default = "default_method")]
    pub method: String,
}

fn default_method() -> String {
    "GET".to_owned()
}

/// What progress is measured by: all that the evaluator needs to know of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What must be done.
    pub goal: Goal,
    /// From when events count, this instant included.
    pub active_from: Moment,
    /// Until when events count, this instant included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_to: Option<Moment>,
}

impl Terms {
    /// Whether what occurred then lies in the campaign's time.
    pub fn contain(&self, at: Moment) -> bool {
        self.active_from <= at && self.active_to.is_none_or(|to| at <= to)
    }
}

/// A campaign, valid.
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
    /// Its name.
    pub fn name(&self) -> &CampaignName {
        &self.name
    }

    /// What progress is measured by.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The campaign with the terms that were published of it.
    pub(crate) fn with_terms(&self, terms: Terms) -> Self {
        Self { terms, ..self.clone() }
    }

    /// Whether its webhooks wait.
    pub fn paused(&self) -> bool {
        self.paused
    }

    /// Whether it is over for good.
    pub fn archived(&self) -> bool {
        self.archived
    }

    /// The delay before the first resend.
    pub fn initial_interval(&self) -> Duration {
        self.initial_interval
    }

    /// The webhook, as it was written.
    pub fn webhook(&self) -> &WebhookFile {
        &self.webhook
    }

    /// What the webhook calls the goal.
    pub fn event(&self) -> &EventLabel {
        &self.event
    }

    /// Reads one campaign; faults are told with `path` before their place, as in `campaigns[0].goal.clicks`.
    pub(crate) fn parse(file: CampaignFile, path: &str, faults: &mut Faults) -> Option<Self> {
        let before = faults.0.len();
        let place = |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
        let name = faults.keep(&place("name"), CampaignName::new(file.name));
        let goal = Goal::parse(file.goal, &place("goal"), faults);
        let active_from = faults.keep(&place("active_from"), parse_moment(&file.active_from));
        let active_to = file.active_to.and_then(|text| faults.keep(&place("active_to"), parse_moment(&text)));
        if let (Some(from), Some(to)) = (active_from, active_to) {
            faults.require(from < to, &place("active_to"), "must be after active_from");
        }
        let seconds = file.initial_interval_seconds;
        let bounded = (1..=MAX_INITIAL_INTERVAL_SECONDS).contains(&seconds);
        faults.require(bounded, &place("initial_interval_seconds"), "must be 1 to 21600 seconds (6 hours)");
        faults.require(!file.webhook.url.trim().is_empty(), &place("webhook.url"), "is empty");
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

/// All campaigns of a partner, by name.
pub type Campaigns = BTreeMap<CampaignName, Campaign>;

/// Reads all campaigns of a partner, or tells every fault of all of them: places begin with `campaigns[0]`.
pub fn parse_campaigns(files: Vec<CampaignFile>) -> Result<Campaigns, Vec<ConfigFault>> {
    let mut faults = Faults::default();
    let campaigns = parse_all(files, "campaigns", &mut faults);
    if faults.0.is_empty() { Ok(campaigns) } else { Err(faults.0) }
}

/// Reads all campaigns of a partner, those without fault; places begin with `path`.
pub(crate) fn parse_all(files: Vec<CampaignFile>, path: &str, faults: &mut Faults) -> Campaigns {
    let mut campaigns = Campaigns::new();
    let mut names = BTreeSet::new();
    faults.require(files.len() <= MAX_CAMPAIGNS, path, "a partner has at most 1000");
    for (at, file) in files.into_iter().enumerate() {
        let path = format!("{path}[{at}]");
        faults.require(names.insert(file.name.clone()), &format!("{path}.name"), "stands twice");
        if let Some(campaign) = Campaign::parse(file, &path, faults) {
            campaigns.insert(campaign.name.clone(), campaign);
        }
    }
    campaigns
}

fn parse_moment(text: &str) -> Result<Moment, &'static str> {
    let timestamp: Timestamp =
        text.parse().map_err(|_| "must be an instant such as 2026-11-23T12:00:00Z, or on_publish")?;
    Ok(Moment::from(timestamp))
}

#[cfg(test)]
mod tests;
