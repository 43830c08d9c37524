//! Records the partners' links that a GG3 user opened, and the user's progress. Two records of a user can be merged.
//!
//! A participant holds exactly the parts of the user's events that a campaign may still need, independent of the order
//! of the events. There are three parts. The first two only grow, and the third is reduced to what is still needed:
//!
//! - **openings**, for each partner: the earliest instant, the least total of clicks, the latest ids. They are minima
//!   and maxima.
//! - **reached**, for each partner: the names of the partner's campaigns with a reached goal. The set only grows.
//! - **facts**: clicks, completions and registrations, even if no link was opened yet. For each campaign that is *not*
//!   reached, the facts are kept that may decide it together with any later opening (`retention.rs`). All other facts
//!   are dropped.
//!
//! The order does not matter for these reasons. More events can only turn "not reached" into "reached", because an
//! opening can only move the beginning earlier and the baseline of clicks lower. A campaign that is not reached in the
//! end was never reached before, so its facts were always kept. If facts are dropped from two parts before they are
//! merged, the result is the same as if they are dropped after. A campaign that is reached in the end is reached at the
//! latest when the last event arrives, in whatever order the events came. The tests compare this with a plain replay of
//! all events in the order of their time.

mod retention;

use alloc::collections::{BTreeMap, BTreeSet};
use core::{cmp::Reverse, time::Duration};

use serde::{Deserialize, Serialize};

use crate::outbound::agreed_ids::PartnerIds;
use crate::outbound::campaign::{Goal, Terms};
use crate::outbound::catalogue::{Admitted, Fresh};
use crate::outbound::event::{Event, EventKind, Tracking};
use crate::prelude::*;
use crate::values::ids::{CampaignName, Provider, QuestId, ReportId};
use crate::values::time::UnixMillis;

/// Sets how long an event is kept after it occurred, in case an opening arrives later.
pub const KEPT_FOR: Duration = Duration::from_hours(7 * 24);

/// Bounds a participant, in bytes of [`Participant::weight`]. A DynamoDB item has at most 400 KB.
///
/// The bound allows hundreds of partners and thousands of reached campaigns. No honest user has more.
pub const MAX_WEIGHT: usize = 200_000;

/// Holds the facts about a GG3 user that campaigns need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    partners: BTreeMap<Provider, Attribution>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    clicks: BTreeSet<Clicks>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    quests: BTreeMap<QuestId, BTreeSet<UnixMillis>>,
}

/// Summarises a user's openings of one partner's links, and the goals that the user has reached since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// Holds the instant of the earliest opening.
    pub since: UnixMillis,
    /// Holds the instant from which events count. It is later than `since` if the opening was reported so late that
    /// older events may have expired.
    counts_from: UnixMillis,
    /// Holds the total from which clicks count. It is the least total of all openings, which is usually the total of
    /// the earliest opening.
    pub baseline: u64,
    /// Holds the latest opening.
    pub latest: Opening,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    registered: BTreeSet<UnixMillis>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    reached: BTreeSet<CampaignName>,
}

/// Holds one opening. Openings are ordered by instant, then by the id of the event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Opening {
    /// Says when the link was opened.
    pub at: UnixMillis,
    /// Identifies the event that reported the opening.
    pub event: ReportId,
    /// Holds the partner's ids.
    #[serde(flatten)]
    pub ids: PartnerIds,
}

/// Holds a running total of clicks at an instant. It is stored as a pair of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Clicks(pub(crate) UnixMillis, pub(crate) u64);

/// Describes a webhook that is owed because the participant has reached the campaign's goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// Names the partner.
    pub provider: Provider,
    /// Names the campaign.
    pub campaign: CampaignName,
    /// Holds the ids of the latest opening.
    pub ids: PartnerIds,
    /// Holds the instant of the last event that the goal needed.
    pub occurred_at: UnixMillis,
}

/// Holds the result of applying events to a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Holds the new participant. If it changed, the caller must write it **after** everything owed is put and sent.
    pub participant: Participant,
    /// Is true if the participant changed. Otherwise nothing needs to be written and nothing is owed.
    pub changed: bool,
    /// Lists the newly owed webhooks. Their goals were not marked as reached before.
    pub owed: Vec<Owed>,
    /// Lists the events that must be dead-lettered, because they would make the participant exceed [`MAX_WEIGHT`].
    pub refused: Vec<ReportId>,
}

impl Participant {
    /// Applies events of this user in any order.
    ///
    /// The order affects neither the participant nor the owed webhooks. Events of one batch are sorted by time, so that
    /// `occurred_at` is as exact as if they had come in order.
    #[must_use]
    pub fn apply<'a>(&self, events: impl IntoIterator<Item = &'a Admitted>, fresh: &Fresh<'_>) -> Applied {
        let mut events: Vec<&Event> = events.into_iter().map(Admitted::event).collect();
        events.sort_by_key(|event| (event.occurred_at, Reverse(event.tracking().is_some()), &event.id));
        let before = self.clone().retained(fresh);
        let (mut after, mut owed, mut refused) = (before.clone(), Vec::new(), Vec::new());
        for event in events {
            let mut next = after.clone();
            next.join(Self::of(event, fresh.now()));
            let reached = next.reach(fresh);
            let next = next.retained(fresh);
            if next.weight() > MAX_WEIGHT && next.weight() > after.weight() {
                refused.push(event.id.clone());
            } else {
                owed.extend(reached);
                after = next;
            }
        }
        // Expired facts alone are no reason to write the participant.
        let changed = after != before;
        Applied { participant: if changed { after } else { self.clone() }, changed, owed, refused }
    }

    /// Makes the participant that a single event describes.
    fn of(event: &Event, now: UnixMillis) -> Self {
        let at = event.occurred_at;
        let mut alone = Self::default();
        match &event.kind {
            EventKind::LinkOpened { tracking, total_clicks }
            | EventKind::Registered { tracking: Some(tracking), total_clicks } => {
                let mut attribution = Attribution::opened(event, tracking, *total_clicks, now);
                if let EventKind::Registered { .. } = event.kind {
                    attribution.registered.insert(at);
                }
                alone.partners.insert(tracking.provider.clone(), attribution);
            }
            EventKind::Registered { tracking: None, .. } => {}
            EventKind::ButtonClicked { total_clicks } => {
                alone.clicks.insert(Clicks(at, *total_clicks));
            }
            EventKind::QuestCompleted { quest } => {
                alone.quests.insert(quest.clone(), [at].into());
            }
        }
        alone
    }

    fn join(&mut self, other: Self) {
        for (provider, theirs) in other.partners {
            match self.partners.get_mut(&provider) {
                Some(ours) => ours.join(theirs),
                None => {
                    self.partners.insert(provider, theirs);
                }
            }
        }
        self.clicks.extend(other.clicks);
        for (quest, instants) in other.quests {
            self.quests.entry(quest).or_default().extend(instants);
        }
    }

    /// Marks every newly reached goal and returns the webhook that is owed for each.
    fn reach(&mut self, fresh: &Fresh<'_>) -> Vec<Owed> {
        let mut owed = Vec::new();
        for (provider, attribution) in &self.partners {
            let Some(goals) = fresh.catalogue().partner(provider) else { continue };
            let open = goals.campaigns.iter().filter(|(name, _)| !attribution.reached.contains(*name));
            owed.extend(open.filter_map(|(name, terms)| {
                Some(Owed {
                    provider: provider.clone(),
                    campaign: name.clone(),
                    ids: attribution.latest.ids.clone(),
                    occurred_at: self.reached_at(attribution, terms)?,
                })
            }));
        }
        for Owed { provider, campaign, .. } in &owed {
            if let Some(attribution) = self.partners.get_mut(provider) {
                attribution.reached.insert(campaign.clone());
            }
        }
        owed
    }

    /// Returns the instant of the last event that this goal needed, or `None` if the known facts do not reach the goal.
    fn reached_at(&self, attribution: &Attribution, terms: &Terms) -> Option<UnixMillis> {
        match &terms.goal {
            Goal::Registration => attribution.registered.iter().find(|at| terms.contain(**at)).copied(),
            Goal::Ggstrike(clicks) => {
                let mut counting = self.clicks.iter().filter(|Clicks(at, _)| attribution.counts(terms, *at));
                let reaches = |total: u64| total.saturating_sub(attribution.baseline) >= clicks.get();
                counting.find(|Clicks(_, total)| reaches(*total)).map(|Clicks(at, _)| *at)
            }
            Goal::MainQuest(_) | Goal::MainQuests(_) => {
                let instants = terms.goal.quests().map(|quest| self.completed_at(attribution, terms, quest));
                instants.collect::<Option<Vec<_>>>()?.into_iter().max()
            }
        }
    }

    /// Returns the instant of the first completion of this quest that counts.
    pub(crate) fn completed_at(&self, attribution: &Attribution, terms: &Terms, quest: &QuestId) -> Option<UnixMillis> {
        self.completions(quest).find(|at| attribution.counts(terms, *at))
    }

    pub(crate) fn completions(&self, quest: &QuestId) -> impl Iterator<Item = UnixMillis> {
        self.quests.get(quest).into_iter().flatten().copied()
    }

    pub(crate) fn clicks(&self) -> impl DoubleEndedIterator<Item = Clicks> {
        self.clicks.iter().copied()
    }

    /// Returns the partners whose links the user opened, by name.
    pub fn attributions(&self) -> impl Iterator<Item = (&Provider, &Attribution)> {
        self.partners.iter()
    }

    /// Returns the latest opening of each partner's link, unless it was already the latest `before`.
    pub fn openings_since<'a>(&'a self, before: Option<&'a Self>) -> impl Iterator<Item = (&'a Provider, &'a Opening)> {
        let known = move |provider: &Provider| Some(&before?.attribution(provider)?.latest);
        let latest = self.partners.iter().map(|(provider, attribution)| (provider, &attribution.latest));
        latest.filter(move |(provider, latest)| known(provider) != Some(*latest))
    }

    /// Returns the summary of the user's openings of this partner's links, if there were any.
    pub fn attribution(&self, provider: &Provider) -> Option<&Attribution> {
        self.partners.get(provider)
    }

    /// Returns true if this campaign's goal was ever reached.
    pub fn has_reached(&self, provider: &Provider, campaign: &CampaignName) -> bool {
        self.partners.get(provider).is_some_and(|attribution| attribution.reached.contains(campaign))
    }

    /// Returns every campaign that was ever reached.
    pub fn reached(&self) -> impl Iterator<Item = (&Provider, &CampaignName)> {
        let reached = |(provider, attribution)| Attribution::reached(attribution).map(move |name| (provider, name));
        self.partners.iter().flat_map(reached)
    }

    /// Returns the instant at which the participant's last event becomes useless. Returns `None` if the user opened a
    /// partner's link, because such a participant never expires, or if there is no event.
    pub fn expires_at(&self) -> Option<UnixMillis> {
        let latest = self.clicks.iter().map(|Clicks(at, _)| at).chain(self.quests.values().flatten()).max();
        latest.filter(|_| self.partners.is_empty()).map(|latest| latest.plus(KEPT_FOR))
    }

    /// Estimates the size of the participant as an item, in bytes. The estimate is at least the size of the participant
    /// as JSON.
    pub fn weight(&self) -> usize {
        const NUMBER: usize = 24;
        let partners = self.partners.iter().map(|(provider, attribution)| {
            let ids = &attribution.latest.ids;
            let click_id = ids.click_id.as_ref().map_or(0, |id| json_bytes(id.as_str()));
            let user_id = ids.user_id.as_ref().map_or(0, |id| json_bytes(id.as_str()));
            let reached: usize = attribution.reached.iter().map(|name| name.as_str().len() + 4).sum();
            let event = json_bytes(attribution.latest.event.as_str());
            provider.as_str().len() + event + click_id + user_id + reached + 256 + attribution.registered.len() * NUMBER
        });
        let quests = self.quests.iter().map(|(quest, at)| json_bytes(quest.as_str()) + 8 + at.len() * NUMBER);
        partners.chain(quests).sum::<usize>() + self.clicks.len() * 2 * NUMBER + 64
    }
}

/// Counts the bytes of an id in JSON. Quotes and backslashes are escaped there, and ids have no control characters.
fn json_bytes(id: &str) -> usize {
    id.len() + id.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

impl Attribution {
    fn opened(event: &Event, tracking: &Tracking, total_clicks: u64, now: UnixMillis) -> Self {
        let at = event.occurred_at;
        Self {
            since: at,
            counts_from: at.max(now.minus(KEPT_FOR)),
            baseline: total_clicks,
            latest: Opening { at, event: event.id.clone(), ids: tracking.ids.clone() },
            registered: BTreeSet::new(),
            reached: BTreeSet::new(),
        }
    }

    fn join(&mut self, other: Self) {
        self.since = self.since.min(other.since);
        self.counts_from = self.counts_from.min(other.counts_from);
        self.baseline = self.baseline.min(other.baseline);
        if other.latest > self.latest {
            self.latest = other.latest;
        }
        self.registered.extend(other.registered);
        self.reached.extend(other.reached);
    }

    /// Returns true if a click or a completion at this instant counts for a campaign of this partner. Registrations
    /// follow another rule.
    pub(crate) fn counts(&self, terms: &Terms, at: UnixMillis) -> bool {
        self.counts_from <= at && terms.contain(at)
    }

    /// Returns the names of this partner's reached campaigns.
    pub fn reached(&self) -> impl Iterator<Item = &CampaignName> {
        self.reached.iter()
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
