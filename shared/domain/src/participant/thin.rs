//! What of a participant's facts must be kept, and what no campaign can need any more.
//!
//! A campaign that is not reached keeps, of the facts within its time:
//!
//! - **clicks**: those that no later one outdoes, be it in time or in total. An opening that is still to come asks
//!   whether there is one from some instant on with some total or more, and one that is outdone decides no such question.
//!   Where totals only rise, as they should, that is the latest one alone.
//! - **completions** of its quests: the latest, since an opening asks whether there is one from some instant on; and
//!   a few before it, so that the instant reported is the first that counts even where a quest was completed again.
//! - **registrations** of its partner: the earliest, since they are openings themselves.
//!
//! Each is a maximum or a minimum of some order, so keeping of a union is keeping of what was kept of its parts; adding
//! what another campaign keeps changes nothing, since it is of the same union.

use alloc::collections::{BTreeMap, BTreeSet};

use super::{Clicks, KEPT_FOR, Participant};
use crate::{
    campaign::Goal,
    catalogue::{Fresh, Listed},
    ids::QuestId,
    moment::Moment,
};

/// How many completions of one quest a campaign keeps.
const COMPLETIONS_KEPT: usize = 4;

impl Participant {
    /// The same participant with only what some campaign can still need.
    pub(super) fn thinned(mut self, fresh: &Fresh<'_>) -> Self {
        self.clicks = self.kept_clicks(fresh);
        self.quests = self.kept_completions(fresh);
        for (provider, attribution) in &mut self.partners {
            let goals = fresh.catalogue().partner(provider);
            let open = goals
                .iter()
                .flat_map(|goals| &goals.campaigns)
                .filter(|(name, terms)| terms.goal == Goal::Registration && !attribution.reached.contains(*name));
            let earliest =
                |terms: &crate::campaign::Terms| attribution.registered.iter().find(|at| terms.contain(**at)).copied();
            attribution.registered = open.filter_map(|(_, terms)| earliest(terms)).collect();
        }
        self
    }

    fn kept_clicks(&self, fresh: &Fresh<'_>) -> BTreeSet<Clicks> {
        let mut kept = BTreeSet::new();
        if self.clicks.is_empty() {
            return kept;
        }
        for listed in self.still_open(fresh.catalogue().strikes()) {
            let from = self.kept_from(listed, fresh.now());
            let mut best = None;
            for clicks in self.clicks.iter().rev().filter(|clicks| from <= clicks.0 && listed.terms.contain(clicks.0)) {
                if best < Some(clicks.1) {
                    best = Some(clicks.1);
                    kept.insert(*clicks);
                }
            }
        }
        kept
    }

    fn kept_completions(&self, fresh: &Fresh<'_>) -> BTreeMap<QuestId, BTreeSet<Moment>> {
        let mut kept = BTreeMap::new();
        for (quest, instants) in &self.quests {
            let mut latest = BTreeSet::new();
            for listed in self.still_open(fresh.catalogue().wanting(quest)) {
                let from = self.kept_from(listed, fresh.now());
                let within = instants.iter().rev().filter(|at| from <= **at && listed.terms.contain(**at));
                latest.extend(within.take(COMPLETIONS_KEPT));
            }
            if !latest.is_empty() {
                kept.insert(quest.clone(), latest);
            }
        }
        kept
    }

    fn still_open<'a>(&self, campaigns: &'a [Listed]) -> impl Iterator<Item = &'a Listed> {
        campaigns.iter().filter(|listed| !self.has_reached(&listed.provider, &listed.name))
    }

    /// From when facts are kept for this campaign: those of a user who has not opened its partner's link expire.
    fn kept_from(&self, listed: &Listed, now: Moment) -> Moment {
        if self.partners.contains_key(&listed.provider) {
            listed.terms.active_from
        } else {
            listed.terms.active_from.max(now.minus(KEPT_FOR))
        }
    }
}
