//! Decides which facts of a participant are kept because a campaign may still need them.
//!
//! For a campaign that is not reached, these facts within the campaign's time are kept:
//!
//! - **clicks**: every total, unless a later total is at least as high. A later opening asks for a click at or after
//!   some instant, with at least some total. The dropped totals never change the answer. If totals only rise, as they
//!   should, only the latest click is kept.
//! - **completions** of its quests: the latest completion, because an opening asks for a completion from some instant
//!   on. A few earlier completions are kept too. If a quest was completed repeatedly, they show the first completion
//!   that counts.
//! - **registrations** of its partner: the earliest registration, because registrations are openings themselves.
//!
//! Each kept fact is a maximum or a minimum of some order. It therefore makes no difference if facts are dropped before
//! or after two participants are merged, and it does no harm to keep facts that only another campaign needs.

use alloc::collections::{BTreeMap, BTreeSet};

use super::{Clicks, KEPT_FOR, Participant};
use crate::outbound::campaign::Goal;
use crate::outbound::catalogue::{Fresh, Listed};
use crate::values::ids::QuestId;
use crate::values::time::UnixMillis;

const COMPLETIONS_KEPT: usize = 4;

impl Participant {
    /// Removes every fact that no campaign can need any more.
    pub(super) fn retained(mut self, fresh: &Fresh<'_>) -> Self {
        self.clicks = self.kept_clicks(fresh);
        self.quests = self.kept_completions(fresh);
        for (provider, attribution) in &mut self.partners {
            let goals = fresh.catalogue().partner(provider);
            let open = goals
                .iter()
                .flat_map(|goals| &goals.campaigns)
                .filter(|(name, terms)| terms.goal == Goal::Registration && !attribution.reached.contains(*name));
            let earliest = |terms: &crate::outbound::campaign::Terms| {
                attribution.registered.iter().find(|at| terms.contain(**at)).copied()
            };
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

    fn kept_completions(&self, fresh: &Fresh<'_>) -> BTreeMap<QuestId, BTreeSet<UnixMillis>> {
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

    /// Returns the instant from which facts are kept for this campaign. If no link of its partner was opened, facts
    /// expire after [`KEPT_FOR`].
    fn kept_from(&self, listed: &Listed, now: UnixMillis) -> UnixMillis {
        if self.partners.contains_key(&listed.provider) {
            listed.terms.active_from
        } else {
            listed.terms.active_from.max(now.minus(KEPT_FOR))
        }
    }
}
