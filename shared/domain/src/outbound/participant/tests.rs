mod examples;
mod laws;
mod publishing;

use proptest::prelude::*;
use serde_json::json;

use super::{
    reference::{self, Baseline},
    *,
};
use crate::outbound::campaign::GoalFile;
use crate::outbound::catalogue::{Catalogue, PartnerGoals, Snapshot};
use crate::outbound::event::tests::{event, opened, tracking};
use crate::outbound::timing::Timing;

const PROVIDERS: [&str; 3] = ["acme", "globex", "initech"];
const QUESTS: [&str; 4] = ["a", "b", "c", "d"];
const DAY: i64 = 24 * 60 * 60 * 1000;

type Reached = BTreeSet<(Provider, CampaignName)>;

fn at(millisecond: i64) -> UnixMillis {
    UnixMillis::from_millisecond(millisecond)
}

fn provider(name: &str) -> Provider {
    Provider::new(name).unwrap()
}

fn named(name: &str) -> CampaignName {
    CampaignName::new(name).unwrap()
}

fn quest(name: &str) -> QuestId {
    QuestId::new(name).unwrap()
}

fn terms(goal: GoalFile, active_from: i64, active_to: Option<i64>) -> Terms {
    let goal = Goal::try_from(goal).unwrap();
    Terms { goal, active_from: at(active_from), active_to: active_to.map(at) }
}

fn clicked(total_clicks: u64) -> EventKind {
    EventKind::ButtonClicked { total_clicks }
}

fn completed(name: &str) -> EventKind {
    EventKind::QuestCompleted { quest: quest(name) }
}

fn registered(name: &str, total_clicks: u64) -> EventKind {
    EventKind::Registered { tracking: Some(tracking(name, total_clicks)), total_clicks }
}

fn catalogue(campaigns: impl IntoIterator<Item = (Provider, CampaignName, Terms)>) -> Catalogue {
    let mut partners: BTreeMap<_, _> = PROVIDERS.iter().map(|name| (provider(name), PartnerGoals::default())).collect();
    for (provider, name, terms) in campaigns {
        partners.entry(provider).or_default().campaigns.insert(name, terms);
    }
    Snapshot { version: 1, published_at: at(0), partners }.into()
}

fn fresh(catalogue: &Catalogue, now: i64) -> Fresh<'_> {
    catalogue.fresh(at(now), at(now), &Timing::default()).unwrap()
}

fn admit(fresh: &Fresh<'_>, event: &Event) -> Admitted {
    fresh.admit(event.clone()).unwrap()
}

/// Applies these batches, each at its instant. Returns the participant and all webhooks that became owed.
fn run<'a>(
    catalogue: &Catalogue,
    batches: impl IntoIterator<Item = (i64, Vec<&'a Event>)>,
) -> (Participant, Vec<Owed>) {
    let (mut participant, mut all) = (Participant::default(), Vec::new());
    for (now, batch) in batches {
        let fresh = fresh(catalogue, now);
        let batch: Vec<Admitted> = batch.into_iter().map(|event| admit(&fresh, event)).collect();
        let applied = participant.apply(&batch, &fresh);
        assert_eq!(applied.refused, []);
        assert!(applied.changed || applied.owed.is_empty(), "what is owed is marked");
        let stored = serde_json::to_string(&applied.participant).unwrap();
        participant = serde_json::from_str(&stored).unwrap();
        assert_eq!(participant, applied.participant, "it is read as it was stored");
        assert!(stored.len() <= participant.weight(), "{stored}");
        all.extend(applied.owed);
    }
    (participant, all)
}

fn keys(owed: &[Owed]) -> Reached {
    owed.iter().map(|owed| (owed.provider.clone(), owed.campaign.clone())).collect()
}

fn reached(participant: &Participant) -> Reached {
    participant.reached().map(|(provider, name)| (provider.clone(), name.clone())).collect()
}

fn any_goal() -> impl Strategy<Value = GoalFile> {
    let quests = prop::sample::subsequence(&QUESTS[..], 2..=4);
    prop_oneof![
        Just(GoalFile::Registration {}),
        (1u64..12).prop_map(|clicks| GoalFile::Ggstrike { clicks }),
        prop::sample::select(&QUESTS[..]).prop_map(|quest| GoalFile::MainQuest { quest: quest.to_owned() }),
        quests.prop_map(|quests| GoalFile::MainQuests { quests: quests.into_iter().map(ToOwned::to_owned).collect() }),
    ]
}

fn any_provider() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&PROVIDERS[..])
}

/// Describes an event before its total of clicks is filled in.
#[derive(Debug, Clone)]
enum Happening {
    Opened(&'static str),
    Registered(Option<&'static str>),
    Clicked,
    Completed(&'static str),
}

fn any_happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => any_provider().prop_map(Happening::Opened),
        1 => prop::option::of(any_provider()).prop_map(Happening::Registered),
        8 => Just(Happening::Clicked),
        4 => prop::sample::select(&QUESTS[..]).prop_map(Happening::Completed),
    ]
}

fn kind_of(happening: &Happening, total: u64) -> EventKind {
    match happening {
        Happening::Opened(provider) => opened(provider, total),
        Happening::Registered(Some(provider)) => registered(provider, total),
        Happening::Registered(None) => EventKind::Registered { tracking: None, total_clicks: total },
        Happening::Clicked => clicked(total),
        Happening::Completed(name) => completed(name),
    }
}
