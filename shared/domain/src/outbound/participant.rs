//! Records which partners' links a GG3 user opened and how far the user has come, as a value that merges.
//!
//! A participant holds exactly the parts of its events that a campaign may still need, independent of their order. Two of
//! its parts only grow, and the third is reduced to what is still needed:
//!
//! - **openings**, for each partner: the earliest instant, the least total of clicks, the latest ids. They are minima
//!   and maxima.
//! - **reached**, for each partner: the names of its campaigns whose goal was reached. The set only grows.
//! - **facts**: clicks, completions and registrations, whichever links were opened. Each campaign that is *not* reached
//!   keeps the facts that can still decide it, whatever openings come later (`retention.rs`). Facts that no campaign keeps
//!   are dropped.
//!
//! The order does not matter for these reasons. More events can only turn "not reached" into "reached", because
//! openings only move the beginning earlier and the baseline of clicks lower. A campaign that is not reached in the end
//! was never reached before, so its facts were kept all along; and keeping from a union equals keeping from the kept
//! parts. A campaign that is reached in the end was reached at the latest with the last event, whichever came last. The
//! tests compare this with a plain replay of all events in the order of their time.

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

/// Sets how long after its occurrence an event is kept for an opening that arrives later.
pub const KEPT_FOR: Duration = Duration::from_hours(7 * 24);

/// Bounds a participant, in bytes of [`Participant::weight`]. A DynamoDB item has at most 400 KB.
///
/// The bound allows hundreds of partners and thousands of reached campaigns. No honest user has more.
pub const MAX_WEIGHT: usize = 200_000;

/// Holds a GG3 user as far as campaigns are concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    partners: BTreeMap<Provider, Attribution>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    clicks: BTreeSet<Clicks>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    quests: BTreeMap<QuestId, BTreeSet<UnixMillis>>,
}

/// Summarises a user's openings of one partner's links and the goals reached since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// Says when the earliest opening was.
    pub since: UnixMillis,
    /// Says from when events count: `since`, or later if that opening came so late that older events may have expired.
    counts_from: UnixMillis,
    /// Holds the total that clicks count from: the least total of any opening, usually the earliest's.
    pub baseline: u64,
    /// Holds the latest opening.
    pub latest: Opening,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    registered: BTreeSet<UnixMillis>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    reached: BTreeSet<CampaignName>,
}

/// Holds one opening. Openings order by instant and then by the event's id.
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
    /// Says when the last event occurred that the goal needed.
    pub occurred_at: UnixMillis,
}

/// Holds the result of applying events to a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Holds the new participant. If it changed, write it **after** everything owed is put and sent.
    pub participant: Participant,
    /// Says that the participant changed. Otherwise there is nothing to write and nothing is owed.
    pub changed: bool,
    /// Lists the newly owed webhooks, whose goals were not marked as reached before.
    pub owed: Vec<Owed>,
    /// Lists the events to dead-letter, because the participant would exceed [`MAX_WEIGHT`] with them.
    pub refused: Vec<ReportId>,
}

impl Participant {
    /// Applies events of this user in any order.
    ///
    /// The order changes neither the participant nor what is owed. Events are sorted by time anyway, so that within one
    /// batch `occurred_at` is as exact as if they had come in order.
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
        // Expired facts alone are no reason to write.
        let changed = after != before;
        Applied { participant: if changed { after } else { self.clone() }, changed, owed, refused }
    }

    /// Makes the participant that one event alone describes.
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

    /// Marks every newly reached goal and returns what is owed for it.
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

    /// Returns the instant of the last event that this goal needed, if the known facts reach it.
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

    /// Returns when this quest was first completed in a way that counts.
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

    /// Returns when the participant expires: never if it opened a partner's link, else when its last event becomes
    /// useless.
    pub fn expires_at(&self) -> Option<UnixMillis> {
        let latest = self.clicks.iter().map(|Clicks(at, _)| at).chain(self.quests.values().flatten()).max();
        latest.filter(|_| self.partners.is_empty()).map(|latest| latest.plus(KEPT_FOR))
    }

    /// Estimates the size as an item, in bytes. The estimate is never less than the size as JSON.
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

/// Counts the bytes of an id in JSON, where quotes and backslashes are escaped. Ids have no control characters.
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

    /// Returns true if an event at this instant counts for a campaign of this partner. Registrations do not use this.
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
