//! Holds the goals of all partners for the evaluator, and checks that they are fresh enough for dropping events.

mod publishing;

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::outbound::agreed_ids::AgreedIds;
use crate::outbound::campaign::{Campaigns, Goal, Terms};
use crate::outbound::event::{Event, EventFault, EventFaultCode, EventKind, SpoiledTracking};
use crate::outbound::timing::Timing;
use crate::prelude::*;
use crate::values::ids::{CampaignName, Provider, QuestId};
use crate::values::time::UnixMillis;

pub use self::publishing::{HeldCampaign, NextGoals, as_published, next_goals};

/// Holds the facts about one partner that the evaluator needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerGoals {
    /// Lists the ids that the partner's tracking links have.
    #[serde(default)]
    pub ids: AgreedIds,
    /// Holds the terms of the partner's campaigns. Paused campaigns are included, and archived campaigns are not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub campaigns: BTreeMap<CampaignName, Terms>,
}

impl PartnerGoals {
    /// Collects the facts about a partner that are published.
    pub fn of(ids: AgreedIds, campaigns: &Campaigns) -> Self {
        let live = campaigns.values().filter(|campaign| !campaign.archived());
        let campaigns = live.map(|campaign| (campaign.name().clone(), campaign.terms().clone())).collect();
        Self { ids, campaigns }
    }
}

/// Holds a campaign's terms together with its partner and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Names the partner.
    pub provider: Provider,
    /// Names the campaign.
    pub name: CampaignName,
    /// Holds the terms by which progress is measured.
    pub terms: Terms,
}

/// Holds one published version of all partners' goals, with indexes by the events that the goals need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Snapshot", into = "Snapshot")]
pub struct Catalogue {
    snapshot: Snapshot,
    strikes: Vec<Listed>,
    by_quest: BTreeMap<QuestId, Vec<Listed>>,
}

/// Holds a catalogue in its published form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Counts the publications.
    pub version: u64,
    /// Says when the catalogue was published.
    pub published_at: UnixMillis,
    /// Holds all partners.
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
    /// Returns the number of this publication.
    pub fn version(&self) -> u64 {
        self.snapshot.version
    }

    /// Returns when the catalogue was published.
    pub fn published_at(&self) -> UnixMillis {
        self.snapshot.published_at
    }

    /// Returns the goals of a partner, if the partner is known.
    pub fn partner(&self, provider: &Provider) -> Option<&PartnerGoals> {
        self.snapshot.partners.get(provider)
    }

    /// Returns all campaigns that count clicks.
    pub fn strikes(&self) -> &[Listed] {
        &self.strikes
    }

    /// Returns all campaigns that ask for this quest.
    pub fn wanting(&self, quest: &QuestId) -> &[Listed] {
        self.by_quest.get(quest).map_or(&[], Vec::as_slice)
    }

    /// Returns the catalogue if it is fresh enough to discard events against.
    ///
    /// The caller reads the clock for `loaded_at` before it reads the pointer to the current version, and reads the
    /// clock for `now` after the participant. The computed age is therefore never too small. A `loaded_at` in the
    /// future means that the clock was set back, so the catalogue counts as stale.
    pub fn fresh(&self, loaded_at: UnixMillis, now: UnixMillis, timing: &Timing) -> Option<Fresh<'_>> {
        let in_time = loaded_at <= now && now <= loaded_at.plus(timing.max_age());
        in_time.then_some(Fresh { catalogue: self, now })
    }
}

/// Holds a catalogue that is fresh enough to drop events against, and an instant at which it was fresh.
///
/// Applying events requires this type, so a stale catalogue never drops anything.
#[derive(Debug, Clone, Copy)]
pub struct Fresh<'a> {
    catalogue: &'a Catalogue,
    now: UnixMillis,
}

/// Holds an event that the catalogue has admitted. If the event is an opening, the partner is known and the ids are
/// exactly those that were agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted(Event);

impl Admitted {
    /// Returns the admitted event.
    pub fn event(&self) -> &Event {
        &self.0
    }
}

impl<'a> Fresh<'a> {
    /// Returns the catalogue.
    pub fn catalogue(&self) -> &'a Catalogue {
        self.catalogue
    }

    /// Returns the instant at which the catalogue was fresh.
    pub fn now(&self) -> UnixMillis {
        self.now
    }

    /// Admits an event unless its tracking is spoiled: the partner is unknown, or an agreed id is missing or cannot be
    /// used. The error lists every reason.
    ///
    /// An old catalogue may cause the error, because the partner may have been published, or the ids agreed, after the
    /// catalogue was loaded. Before the caller gives up the event, it must therefore try a catalogue that was loaded
    /// after the event arrived.
    pub fn admit(&self, mut event: Event) -> Result<Admitted, SpoiledTracking> {
        let tracking = match &mut event.kind {
            EventKind::LinkOpened { tracking, .. } | EventKind::Registered { tracking: Some(tracking), .. } => tracking,
            EventKind::Registered { .. } | EventKind::ButtonClicked { .. } | EventKind::QuestCompleted { .. } => {
                return Ok(Admitted(event));
            }
        };
        let Some(partner) = self.catalogue.partner(&tracking.provider) else {
            let expected = "the name of a known partner, as in its tracking link";
            let unknown = EventFault::new("tracking.provider", EventFaultCode::UnknownProvider, expected);
            return Err(SpoiledTracking { provider: None, faults: [unknown].into() });
        };
        match tracking.agree(&partner.ids) {
            Ok(()) => Ok(Admitted(event)),
            Err(faults) => Err(SpoiledTracking { provider: Some(tracking.provider.clone()), faults }),
        }
    }

    /// Returns true if any campaign could need this event, whatever links the user opened. For other events, the
    /// participant need not be read.
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

#[cfg(test)]
mod tests;
