//! Participants: which partners' links a GG3 user opened and how far the user has come, as a value that merges.
//!
//! A participant says of a set of events exactly what some campaign may still ask about it, and nothing about the order
//! in which they came. It has two parts that only ever join, and one that is thinned:
//!
//! - **openings**, for each partner: the earliest instant, the least total of clicks, the latest ids. Minima and maxima.
//! - **reached**, for each partner: the names of its campaigns whose goal was reached. A set that only grows.
//! - **facts**: clicks, completions, registrations, whoever's links were opened. Of these, each campaign that is *not*
//!   reached keeps what decides it whatever openings are still to come (`thin.rs`); what no campaign keeps is dropped.
//!
//! Why any order gives the same: whether a goal is reached only ever turns from no to yes as events are added, because
//! openings only move the beginning earlier and the clicks' baseline lower. So a campaign that is not reached in the end
//! was not reached before, its facts were kept all along, and what each campaign keeps of a union is what it keeps of
//! what it kept of the parts. And a campaign that is reached in the end was reached at the latest by the event that came
//! last, whichever that was. The tests compare this with a plain replay of all events in the order of their time.

mod thin;

use alloc::collections::{BTreeMap, BTreeSet};
use core::{cmp::Reverse, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    campaign::{Goal, Terms},
    catalogue::{Admitted, Fresh},
    event::{Event, EventKind, Ids, Tracking},
    ids::{CampaignName, Provider, QuestId, ReportId},
    moment::Moment,
    prelude::*,
};

/// How long, from when it occurred, an event is kept for an opening that came after it.
pub const KEPT_FOR: Duration = Duration::from_hours(7 * 24);

/// The most that a participant holds, in bytes of [`Participant::weight`]. An item of DynamoDB has at most 400 KB.
///
/// Hundreds of partners and thousands of reached campaigns; one that is fuller than that is nobody's honest user.
pub const MAX_WEIGHT: usize = 200_000;

/// A GG3 user, as far as campaigns are concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    partners: BTreeMap<Provider, Attribution>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    clicks: BTreeSet<Clicks>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    quests: BTreeMap<QuestId, BTreeSet<Moment>>,
}

/// What a user's openings of one partner's links amount to, and what came of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// The earliest opening.
    pub since: Moment,
    /// From when events count: `since`, unless that opening came so late that older events may have been let go.
    counts_from: Moment,
    /// What clicks count from: the least total of any opening, which is the earliest's unless totals went backwards.
    pub baseline: u64,
    /// The latest opening.
    pub latest: Opening,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    registered: BTreeSet<Moment>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    reached: BTreeSet<CampaignName>,
}

/// One opening. The order is theirs: by instant, then by the event's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Opening {
    /// When.
    pub at: Moment,
    /// The event that told of it.
    pub event: ReportId,
    /// The partner's ids.
    #[serde(flatten)]
    pub ids: Ids,
}

/// A running total of clicks at an instant; stored as a pair of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Clicks(pub(crate) Moment, pub(crate) u64);

/// A webhook that is owed: this participant has reached that campaign's goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The partner.
    pub provider: Provider,
    /// Its campaign.
    pub campaign: CampaignName,
    /// The latest opening's ids.
    pub ids: Ids,
    /// The latest instant that the goal needed.
    pub occurred_at: Moment,
}

/// What applying events to a participant came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The participant as it is then: to be written, if it changed, **after** everything owed is put and sent.
    pub participant: Participant,
    /// Whether it is another one than before. If not, there is nothing to write and nothing is owed.
    pub changed: bool,
    /// What is owed now and was not marked as reached before.
    pub owed: Vec<Owed>,
    /// Events that were left out because the participant would exceed [`MAX_WEIGHT`]: to be dead-lettered.
    pub refused: Vec<ReportId>,
}

impl Participant {
    /// Applies events of this user, in whatever order they came.
    ///
    /// The order does not matter for the participant or for what is owed. They are taken by their time all the same,
    /// so that within one batch `occurred_at` is as exact as if they had come in order.
    #[must_use]
    pub fn apply<'a>(&self, events: impl IntoIterator<Item = &'a Admitted>, fresh: &Fresh<'_>) -> Applied {
        let mut events: Vec<&Event> = events.into_iter().map(Admitted::event).collect();
        events.sort_by_key(|event| (event.occurred_at, Reverse(event.tracking().is_some()), &event.id));
        let before = self.clone().thinned(fresh);
        let (mut after, mut owed, mut refused) = (before.clone(), Vec::new(), Vec::new());
        for event in events {
            let mut next = after.clone();
            next.join(Self::of(event, fresh.now()));
            let reached = next.reach(fresh);
            let next = next.thinned(fresh);
            if next.weight() > MAX_WEIGHT && next.weight() > after.weight() {
                refused.push(event.id.clone());
            } else {
                owed.extend(reached);
                after = next;
            }
        }
        // What merely expired meanwhile is no reason to write.
        let changed = after != before;
        Applied { participant: if changed { after } else { self.clone() }, changed, owed, refused }
    }

    /// What one event says, by itself.
    fn of(event: &Event, now: Moment) -> Self {
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

    /// Marks every goal that is reached and was not marked, and tells what is owed for them.
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

    /// The latest instant that this goal needed, if the facts at hand reach it.
    fn reached_at(&self, attribution: &Attribution, terms: &Terms) -> Option<Moment> {
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

    /// When this quest was first completed in a way that counts.
    pub(crate) fn completed_at(&self, attribution: &Attribution, terms: &Terms, quest: &QuestId) -> Option<Moment> {
        self.completions(quest).find(|at| attribution.counts(terms, *at))
    }

    pub(crate) fn completions(&self, quest: &QuestId) -> impl Iterator<Item = Moment> {
        self.quests.get(quest).into_iter().flatten().copied()
    }

    pub(crate) fn clicks(&self) -> impl DoubleEndedIterator<Item = Clicks> {
        self.clicks.iter().copied()
    }

    /// The partners whose links it opened, by name.
    pub fn attributions(&self) -> impl Iterator<Item = (&Provider, &Attribution)> {
        self.partners.iter()
    }

    /// What the user's openings of this partner's links amount to: nothing, if there was none.
    pub fn attribution(&self, provider: &Provider) -> Option<&Attribution> {
        self.partners.get(provider)
    }

    /// Whether this campaign's goal was reached, ever.
    pub fn has_reached(&self, provider: &Provider, campaign: &CampaignName) -> bool {
        self.partners.get(provider).is_some_and(|attribution| attribution.reached.contains(campaign))
    }

    /// All that was ever reached.
    pub fn reached(&self) -> impl Iterator<Item = (&Provider, &CampaignName)> {
        let reached = |(provider, attribution)| Attribution::reached(attribution).map(move |name| (provider, name));
        self.partners.iter().flat_map(reached)
    }

    /// When it may be deleted: never, once a partner's link was opened; else when its last event is of no use any more.
    pub fn expires_at(&self) -> Option<Moment> {
        let latest = self.clicks.iter().map(|Clicks(at, _)| at).chain(self.quests.values().flatten()).max();
        latest.filter(|_| self.partners.is_empty()).map(|latest| latest.plus(KEPT_FOR))
    }

    /// About how many bytes it takes as an item: never less than it does as JSON.
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

/// The bytes of an id within JSON: quotes and backslashes are escaped there, and ids have no control characters.
fn json_bytes(id: &str) -> usize {
    id.len() + id.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

impl Attribution {
    fn opened(event: &Event, tracking: &Tracking, total_clicks: u64, now: Moment) -> Self {
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

    /// Whether what occurred then counts for a campaign of this partner. A registration counts by its own tracking.
    pub(crate) fn counts(&self, terms: &Terms, at: Moment) -> bool {
        self.counts_from <= at && terms.contain(at)
    }

    /// The names of this partner's campaigns that were reached.
    pub fn reached(&self) -> impl Iterator<Item = &CampaignName> {
        self.reached.iter()
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
