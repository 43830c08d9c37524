//! The snapshot of all partners' goals that the evaluator holds, and how old it may be when something is dropped for it.

mod agreed_ids;
mod publishing;

use alloc::collections::BTreeMap;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    campaign::{Campaigns, Goal, Terms},
    event::{Event, EventFault, EventFaultCode, EventKind, Tracking},
    ids::{CampaignName, Provider, QuestId},
    moment::Moment,
    prelude::*,
};

pub use self::{
    agreed_ids::{AgreedIds, NoIdAgreed, TrackingId},
    publishing::{Held, Next, as_published, next_goals},
};

/// What the evaluator knows of one partner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerGoals {
    /// The ids that its tracking links bring.
    #[serde(default)]
    pub ids: AgreedIds,
    /// Its campaigns. Those archived are not among them, those paused are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub campaigns: BTreeMap<CampaignName, Terms>,
}

impl PartnerGoals {
    /// What is published of a partner.
    pub fn of(ids: AgreedIds, campaigns: &Campaigns) -> Self {
        let live = campaigns.values().filter(|campaign| !campaign.archived());
        let campaigns = live.map(|campaign| (campaign.name().clone(), campaign.terms().clone())).collect();
        Self { ids, campaigns }
    }
}

/// A campaign, by whose it is and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The partner.
    pub provider: Provider,
    /// The campaign's name.
    pub name: CampaignName,
    /// What progress is measured by.
    pub terms: Terms,
}

/// All partners' goals at one instant, indexed by what they need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Snapshot", into = "Snapshot")]
pub struct Catalogue {
    snapshot: Snapshot,
    strikes: Vec<Listed>,
    by_quest: BTreeMap<QuestId, Vec<Listed>>,
}

/// A catalogue as it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Counts up with each publishing.
    pub version: u64,
    /// When it was published.
    pub published_at: Moment,
    /// All partners.
    pub partners: BTreeMap<Provider, PartnerGoals>,
}

impl From<Snapshot> for Catalogue {
    fn from(snapshot: Snapshot) -> Self {
        let (mut strikes, mut by_quest) = (Vec::new(), BTreeMap::<QuestId, Vec<Listed>>::new());
        for (provider, goals) in &snapshot.partners {
            for (name, terms) in &goals.campaigns {
                let listed = || Listed { provider: provider.clone(), name: name.clone(), terms: terms.clone() };
                if let Goal::Ggstrike(_) = terms.goal {
                    strikes.push(listed());
                }
                for quest in terms.goal.quests() {
                    by_quest.entry(quest.clone()).or_default().push(listed());
                }
            }
        }
        Self { snapshot, strikes, by_quest }
    }
}

impl From<Catalogue> for Snapshot {
    fn from(catalogue: Catalogue) -> Self {
        catalogue.snapshot
    }
}

impl Catalogue {
    /// Which publishing this is.
    pub fn version(&self) -> u64 {
        self.snapshot.version
    }

    /// When it was published.
    pub fn published_at(&self) -> Moment {
        self.snapshot.published_at
    }

    /// What is known of a partner.
    pub fn partner(&self, provider: &Provider) -> Option<&PartnerGoals> {
        self.snapshot.partners.get(provider)
    }

    /// All campaigns that count clicks.
    pub fn strikes(&self) -> &[Listed] {
        &self.strikes
    }

    /// All campaigns that ask for this quest.
    pub fn wanting(&self, quest: &QuestId) -> &[Listed] {
        self.by_quest.get(quest).map_or(&[], Vec::as_slice)
    }

    /// The catalogue as something that may be dropped for: none if it is older than that.
    ///
    /// `loaded_at` is read before the pointer to the current version is, and `now` after the participant was read:
    /// both the older way round. A clock that was set back makes it stale.
    pub fn fresh(&self, loaded_at: Moment, now: Moment, timing: &Timing) -> Option<Fresh<'_>> {
        let in_time = loaded_at <= now && now <= loaded_at.plus(timing.max_age);
        in_time.then_some(Fresh { catalogue: self, now })
    }
}

/// How old a catalogue may be, how far ahead events may be dated, and how long before its start a campaign is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    lead: Duration,
    max_age: Duration,
    max_ahead: Duration,
}

/// A lead that is too short for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the lead of a campaign must be at least the catalogue's greatest age and what events may be ahead, together")]
pub struct LeadTooShort;

impl Timing {
    /// These three, if they fit.
    ///
    /// An event that counts for a new campaign is dated `lead` after its publishing or later, so it is evaluated at the
    /// earliest `lead - max_ahead` after it; the catalogue it may be dropped for was loaded at most `max_age` before.
    /// Where that is not before the publishing, the campaign is in it. The same holds for an end that moves.
    pub fn try_new(lead: Duration, max_age: Duration, max_ahead: Duration) -> Result<Self, LeadTooShort> {
        let needed = max_age.checked_add(max_ahead).ok_or(LeadTooShort)?;
        if lead >= needed { Ok(Self { lead, max_age, max_ahead }) } else { Err(LeadTooShort) }
    }

    /// How long before it starts a campaign is published.
    pub fn lead(&self) -> Duration {
        self.lead
    }

    /// How old a catalogue may be when something is dropped for it.
    pub fn max_age(&self) -> Duration {
        self.max_age
    }

    /// How far ahead of its arrival an event may be dated.
    pub fn max_ahead(&self) -> Duration {
        self.max_ahead
    }
}

impl Default for Timing {
    /// 3 minutes, 2 minutes, 30 seconds.
    fn default() -> Self {
        Self { lead: Duration::from_mins(3), max_age: Duration::from_mins(2), max_ahead: Duration::from_secs(30) }
    }
}

/// A catalogue that is fresh enough to drop something for, and the instant at which it was.
///
/// Nothing is applied to a participant without one, so no stale catalogue ever drops anything.
#[derive(Debug, Clone, Copy)]
pub struct Fresh<'a> {
    catalogue: &'a Catalogue,
    now: Moment,
}

/// An event that a fresh catalogue has let in: its partner is known, and its opening has the agreed ids and no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted(Event);

impl Admitted {
    /// The event.
    pub fn event(&self) -> &Event {
        &self.0
    }
}

impl<'a> Fresh<'a> {
    /// The catalogue.
    pub fn catalogue(&self) -> &'a Catalogue {
        self.catalogue
    }

    /// When it was fresh.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Lets an event in, or tells every fault that only the catalogue knows: these make it malformed, like any other.
    ///
    /// A partner may have been published, or its ids agreed, since this catalogue was loaded: before an event is given up
    /// for such a fault, it is asked of one that was loaded after the event came.
    pub fn admit(&self, mut event: Event) -> Result<Admitted, Vec<EventFault>> {
        let tracking = match &mut event.kind {
            EventKind::LinkOpened { tracking, .. } | EventKind::Registered { tracking: Some(tracking), .. } => tracking,
            EventKind::Registered { .. } | EventKind::ButtonClicked { .. } | EventKind::QuestCompleted { .. } => {
                return Ok(Admitted(event));
            }
        };
        let Some(partner) = self.catalogue.partner(&tracking.provider) else {
            let expected = "the name of a partner of ours, as in its tracking link";
            return Err([EventFault::new("tracking.provider", EventFaultCode::UnknownProvider, expected)].into());
        };
        let faults = missing_ids(&partner.ids, tracking);
        if faults.is_empty() {
            tracking.ids = partner.ids.select(core::mem::take(&mut tracking.ids));
            Ok(Admitted(event))
        } else {
            Err(faults)
        }
    }

    /// Whether any campaign, whoever opened what, could need this event. What none could need is not even read for.
    pub fn could_need(&self, event: &Admitted) -> bool {
        let at = event.0.occurred_at;
        let any = |listed: &[Listed]| listed.iter().any(|listed| listed.terms.contain(at));
        match &event.0.kind {
            EventKind::LinkOpened { .. } => true,
            EventKind::Registered { tracking, .. } => tracking.is_some(),
            EventKind::ButtonClicked { .. } => any(self.catalogue.strikes()),
            EventKind::QuestCompleted { quest } => any(self.catalogue.wanting(quest)),
        }
    }
}

fn missing_ids(agreed: &AgreedIds, tracking: &Tracking) -> Vec<EventFault> {
    let there = [
        (TrackingId::ClickId, "tracking.click_id", tracking.ids.click_id.is_some()),
        (TrackingId::UserId, "tracking.user_id", tracking.ids.user_id.is_some()),
    ];
    let missing = there.into_iter().filter(|(id, _, given)| agreed.contain(*id) && !given);
    let fault = |path| EventFault::new(path, EventFaultCode::Missing, "the id agreed with this partner");
    missing.map(|(_, path, _)| fault(path)).collect()
}

#[cfg(test)]
mod tests;
