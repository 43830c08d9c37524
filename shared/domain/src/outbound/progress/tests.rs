use std::collections::BTreeMap;

use super::*;
use crate::outbound::campaign::GoalFile;
use crate::outbound::catalogue::{Catalogue, PartnerGoals, Snapshot};
use crate::outbound::event::EventKind;
use crate::outbound::event::tests::{event, opened, tracking};
use crate::outbound::timing::Timing;

const DAY: i64 = 24 * 60 * 60 * 1000;

fn at(millisecond: i64) -> UnixMillis {
    UnixMillis::from_millisecond(millisecond)
}

fn group(quests: &[&str]) -> GoalFile {
    GoalFile::MainQuests { quests: quests.iter().map(|quest| (*quest).to_owned()).collect() }
}

fn clicked(total_clicks: u64) -> EventKind {
    EventKind::ButtonClicked { total_clicks }
}

fn completed(quest: &str) -> EventKind {
    EventKind::QuestCompleted { quest: QuestId::new(quest).unwrap() }
}

/// Returns the progress in a campaign from second 1 to second 5, after each event was applied at the instant beside it.
fn explained(goal: GoalFile, events: &[(i64, i64, EventKind)]) -> Progress {
    let (provider, name) = (Provider::new("acme").unwrap(), CampaignName::new("autumn").unwrap());
    let terms = |goal| Terms { goal, active_from: at(1000), active_to: Some(at(5000)) };
    let ours = terms(Goal::try_from(goal).unwrap());
    // A second campaign without bounds causes events outside the time of the first campaign to be kept.
    let wide = Terms { active_from: at(0), active_to: None, ..ours.clone() };
    let goals = |campaigns| PartnerGoals { campaigns, ..PartnerGoals::default() };
    let partners = BTreeMap::from([
        (provider.clone(), goals([(name.clone(), ours.clone())].into())),
        (Provider::new("globex").unwrap(), goals([(name.clone(), wide)].into())),
    ]);
    let catalogue = Catalogue::from(Snapshot { version: 1, published_at: at(0), partners });
    let mut participant = Participant::default();
    for (n, (now, millisecond, kind)) in events.iter().enumerate() {
        let fresh = catalogue.fresh(at(*now), at(*now), &Timing::default()).unwrap();
        let event = fresh.admit(event(&format!("e{n}"), *millisecond, kind.clone())).unwrap();
        participant = participant.apply([&event], &fresh).participant;
    }
    explain(&participant, &provider, &name, &ours)
}

fn words(goal: GoalFile, events: &[(i64, EventKind)]) -> String {
    let events: Vec<_> = events.iter().map(|(at, kind)| (*at, *at, kind.clone())).collect();
    explained(goal, &events).to_string()
}

#[test]
fn clicks_are_counted_from_the_opening() {
    let strike = || GoalFile::Ggstrike { clicks: 10 };
    assert_eq!(words(strike(), &[(1100, opened("acme", 40)), (1200, clicked(47))]), "7 of 10 clicks");
    assert_eq!(words(strike(), &[(1100, opened("acme", 0)), (1200, clicked(7))]), "7 of 10 clicks");
    assert_eq!(words(strike(), &[(1100, opened("acme", 40))]), "0 of 10 clicks");
    assert_eq!(
        words(strike(), &[(1100, clicked(47))]),
        "0 of 10 clicks; the partner's link was not opened; \
         not counted: clicks without opening the link (until 1970-01-01T00:00:01.1Z)"
    );
    assert_eq!(
        words(strike(), &[(1100, opened("acme", 40)), (5001, clicked(60))]),
        "0 of 10 clicks; not counted: clicks after the campaign ended (until 1970-01-01T00:00:05.001Z)"
    );
    assert_eq!(words(strike(), &[(1100, opened("acme", 40)), (1200, clicked(50))]), "reached");
}

#[test]
fn quests_are_done_missing_or_not_counted_for_a_reason() {
    let history = [
        (900, completed("q2")),
        (1050, completed("q1")),
        (1100, opened("acme", 0)),
        (1200, completed("q5")),
        (5001, completed("q4")),
    ];
    assert_eq!(
        words(group(&["q1", "q2", "q3", "q4", "q5"]), &history),
        "1 of 5 quests; quests q1, q2, q3, q4 missing; not counted: \
         q1, completed before the link was opened (1970-01-01T00:00:01.05Z), \
         q2, completed before the campaign began (1970-01-01T00:00:00.9Z), \
         q4, completed after the campaign ended (1970-01-01T00:00:05.001Z)"
    );
    assert_eq!(words(group(&["q5", "q6"]), &history), "1 of 2 quests; quest q6 missing");
    assert_eq!(words(GoalFile::MainQuest { quest: "q5".into() }, &history), "reached");
}

#[test]
fn a_quest_completed_again_in_time_is_done_at_that_instant() {
    let progress = explained(
        group(&["q1", "q2"]),
        &[(1050, 1050, completed("q1")), (1100, 1100, opened("acme", 0)), (1200, 1200, completed("q1"))],
    );
    let q1 = QuestId::new("q1").unwrap();
    let ProgressState::Quests { done, missing } = &progress.state else { panic!("quests") };
    assert_eq!((done.as_slice(), missing.len(), progress.since), (&[(q1, at(1200))][..], 1, Some(at(1100))));
    assert!(progress.not_counted.is_empty());
}

#[test]
fn an_expired_event_is_reported_as_expired() {
    let late = [(1000, 500, opened("globex", 0)), (1200, 1200, completed("q1")), (9 * DAY, 1100, opened("acme", 0))];
    let progress = explained(group(&["q1", "q2"]), &late);
    assert_eq!(progress.not_counted[0].reason, NotCountedReason::Expired);
    assert!(progress.to_string().contains("q1, completed more than 7 days before the opening was reported"));
}

#[test]
fn a_registration_is_known_or_missing() {
    assert_eq!(
        words(GoalFile::Registration {}, &[]),
        "not registered through this partner's link in the campaign's time, which begins at 1970-01-01T00:00:01Z; the partner's link was not opened"
    );
    assert_eq!(
        words(GoalFile::Registration {}, &[(1100, opened("acme", 0))]),
        "not registered through this partner's link in the campaign's time, which begins at 1970-01-01T00:00:01Z"
    );
    let registered = EventKind::Registered { tracking: Some(tracking("acme", 0)), total_clicks: 0 };
    assert_eq!(words(GoalFile::Registration {}, &[(1100, registered)]), "reached");
}
