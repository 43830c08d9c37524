//! Implements the contract a second time, as plainly as possible: all events are sorted by time and replayed, campaign
//! by campaign. Nothing is merged or dropped, and the order of arrival does not matter.

use super::*;
use crate::outbound::catalogue::Snapshot;

/// Says from which total clicks count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Baseline {
    /// Clicks count from the total of the earliest opening. The contract says so, for totals that only rise.
    Earliest,
    /// Clicks count from the least total of all openings. This is the meaning of the contract if totals fall.
    Least,
}

/// Returns every campaign that is owed for these events, with the instant at which its goal was reached.
pub(super) fn owed(
    events: &[Event],
    snapshot: &Snapshot,
    baseline: Baseline,
) -> BTreeMap<(Provider, CampaignName), UnixMillis> {
    let mut timeline: Vec<&Event> = events.iter().collect();
    // Events at the instant of an opening count, so openings go first.
    timeline.sort_by_key(|event| (event.occurred_at, event.tracking().is_none(), &event.id));
    let mut owed = BTreeMap::new();
    for (provider, goals) in &snapshot.partners {
        for (name, terms) in &goals.campaigns {
            if let Some(at) = replay(&timeline, provider, terms, baseline) {
                owed.insert((provider.clone(), name.clone()), at);
            }
        }
    }
    owed
}

fn replay(timeline: &[&Event], provider: &Provider, terms: &Terms, baseline: Baseline) -> Option<UnixMillis> {
    let openings = timeline.iter().filter(|event| is_opening(event, provider));
    let least = openings.map(|event| total_of(event)).min();
    let mut from = None;
    let mut done = BTreeSet::new();
    for event in timeline {
        if is_opening(event, provider) && from.is_none() {
            from = match baseline {
                Baseline::Earliest => Some(total_of(event)),
                Baseline::Least => least,
            };
        }
        let Some(from) = from else { continue };
        let begun = terms.active_from <= event.occurred_at;
        let ended = terms.active_to.is_some_and(|to| to < event.occurred_at);
        if !begun || ended {
            continue;
        }
        let reached = match (&terms.goal, &event.kind) {
            (Goal::Registration, EventKind::Registered { tracking: Some(tracking), .. }) => {
                tracking.provider == *provider
            }
            (Goal::Ggstrike(clicks), EventKind::ButtonClicked { total_clicks }) => *total_clicks >= from + clicks.get(),
            (Goal::MainQuest(_) | Goal::MainQuests(_), EventKind::QuestCompleted { quest }) => {
                done.insert(quest);
                terms.goal.quests().all(|quest| done.contains(quest))
            }
            _ => false,
        };
        if reached {
            return Some(event.occurred_at);
        }
    }
    None
}

fn is_opening(event: &Event, provider: &Provider) -> bool {
    event.tracking().is_some_and(|tracking| tracking.provider == *provider)
}

fn total_of(event: &Event) -> u64 {
    match &event.kind {
        EventKind::LinkOpened { total_clicks, .. }
        | EventKind::Registered { total_clicks, .. }
        | EventKind::ButtonClicked { total_clicks } => *total_clicks,
        EventKind::QuestCompleted { .. } => 0,
    }
}
