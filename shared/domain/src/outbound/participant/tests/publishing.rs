//! Publishes campaigns and moves their ends while events arrive late and early at evaluators, whose catalogues have
//! different ages. As long as each catalogue is fresh, the same webhooks are owed as in a replay with the final terms.

use super::*;
use crate::values::ids::EventLabel;

const SECOND: i64 = 1000;

#[derive(Debug, Clone)]
struct Published {
    provider: &'static str,
    terms: Terms,
    since: i64,
    moved: i64,
    new_end: Option<UnixMillis>,
}

impl Published {
    /// Returns the terms in a catalogue that was loaded at this instant.
    fn terms_at(&self, loaded: i64, timing: &Timing) -> Option<Terms> {
        let mut terms = self.terms.clone();
        let soonest = at(self.moved).plus(timing.lead());
        let ahead = |to: Option<UnixMillis>| to.is_none_or(|to| to >= soonest);
        if self.since <= self.moved && self.moved <= loaded && ahead(terms.active_to) && ahead(self.new_end) {
            terms.active_to = self.new_end;
        }
        (self.since <= loaded).then_some(terms)
    }
}

fn any_published() -> impl Strategy<Value = Published> {
    let lead = i64::try_from(Timing::default().lead().as_secs()).unwrap();
    let seconds = || 0i64..1500;
    let wait = prop_oneof![Just(0i64), 0i64..300];
    let end = || prop::option::of(400i64..2500);
    (any_provider(), any_goal(), seconds(), wait, end(), seconds(), end()).prop_map(
        move |(provider, goal, published, wait, end, moved, new_end)| {
            let from = published + lead + wait;
            let end = end.map(|end| SECOND * end.max(from + 1));
            let new_end = new_end.map(|end| at(SECOND * end.max(from + 1)));
            let terms = terms(goal, SECOND * from, end);
            Published { provider, terms, since: SECOND * published, moved: SECOND * moved, new_end }
        },
    )
}

fn catalogue_at(campaigns: &[Published], loaded: i64, timing: &Timing) -> Catalogue {
    let numbered = campaigns.iter().enumerate();
    catalogue(numbered.filter_map(|(n, campaign)| {
        Some((provider(campaign.provider), named(&format!("n{n}")), campaign.terms_at(loaded, timing)?))
    }))
}

/// Holds an instant, which may be anywhere or near a campaign's beginning or end.
#[derive(Debug, Clone)]
enum When {
    Any(i64),
    Near(prop::sample::Index, bool, i64),
}

fn any_when() -> impl Strategy<Value = When> {
    let near = (any::<prop::sample::Index>(), any::<bool>(), -5i64..15);
    prop_oneof![
        (0i64..3000).prop_map(When::Any),
        near.prop_map(|(which, beginning, offset)| When::Near(which, beginning, offset)),
    ]
}

impl When {
    fn second(&self, campaigns: &[Published]) -> i64 {
        let (which, beginning, offset) = match self {
            Self::Any(second) => return *second,
            Self::Near(which, beginning, offset) => (which, *beginning, offset),
        };
        let Published { terms, new_end, .. } = which.get(campaigns);
        let edge = new_end.or(terms.active_to).filter(|_| !beginning).unwrap_or(terms.active_from);
        edge.as_millisecond() / SECOND + offset
    }
}

/// Makes the delays of an event's evaluation, in seconds after the earliest instant at which the event can be
/// evaluated.
fn any_delay() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0i64), 0i64..700]
}

/// Makes ages of the catalogue at the evaluation.
fn any_age() -> impl Strategy<Value = i64> {
    let oldest = i64::try_from(Timing::default().max_age().as_secs()).unwrap();
    prop_oneof![Just(oldest), 0..=oldest]
}

proptest! {
    #[test]
    fn a_fresh_catalogue_drops_nothing_that_a_campaign_needs(
        campaigns in prop::collection::vec(any_published(), 1..6),
        happenings in prop::collection::vec((any_when(), any_happening(), any_delay(), any_age()), 1..60),
    ) {
        let timing = Timing::default();
        let mut happenings: Vec<_> = happenings
            .into_iter()
            .map(|(when, happening, delay, age)| (when.second(&campaigns), happening, delay, age))
            .collect();
        happenings.sort_by_key(|(second, happening, ..)| {
            (*second, !matches!(happening, Happening::Opened(_) | Happening::Registered(Some(_))))
        });
        let mut total = 0;
        let mut deliveries = Vec::new();
        for (n, (second, happening, delay, age)) in happenings.iter().enumerate() {
            total += u64::from(matches!(happening, Happening::Clicked));
            let event = event(&format!("e{n:03}"), SECOND * second, kind_of(happening, total));
            let now = SECOND * (second - 30 + delay);
            deliveries.push((now, now - SECOND * age, event));
        }
        let history: Vec<Event> = deliveries.iter().map(|(.., event)| event.clone()).collect();
        deliveries.sort_by_key(|(now, ..)| *now);

        let (mut participant, mut owed) = (Participant::default(), Vec::new());
        for (now, loaded, event) in &deliveries {
            let catalogue = catalogue_at(&campaigns, *loaded, &timing);
            let fresh = catalogue.fresh(at(*loaded), at(*now), &timing).unwrap();
            let applied = participant.apply([&admit(&fresh, event)], &fresh);
            owed.extend(applied.owed);
            participant = applied.participant;
        }
        let last = catalogue_at(&campaigns, i64::MAX, &timing).into();
        let expected = reference::owed(&history, &last, Baseline::Earliest);
        prop_assert_eq!(keys(&owed), expected.into_keys().collect::<Reached>());
    }
}

#[test]
fn paused_campaigns_are_published_and_archived_ones_are_not() {
    let file = |name: &str, state: &str| {
        serde_json::from_value(json!({"name": name, "goal": {"type": "registration"},
            "active_from": "2026-11-23T12:00:00Z", "webhook": {"url": "https://a.example/"}, state: true}))
        .unwrap()
    };
    let campaigns =
        crate::outbound::campaign::parse_campaigns([file("waits", "paused"), file("over", "archived")].into());
    let campaigns = campaigns.unwrap();
    assert_eq!(campaigns[&named("waits")].event(), &EventLabel::new("registration").unwrap());
    let goals = PartnerGoals::of(crate::outbound::agreed_ids::AgreedIds::default(), &campaigns);
    assert_eq!(goals.campaigns.keys().collect::<Vec<_>>(), [&named("waits")]);
}
