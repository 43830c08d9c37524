//! Checks the contract sentence by sentence, and bad input.

use super::*;

fn one(goal: GoalFile, from: i64, to: Option<i64>) -> Catalogue {
    catalogue([(provider("acme"), named("it"), terms(goal, from, to))])
}

fn strike(clicks: u64) -> GoalFile {
    GoalFile::Ggstrike { clicks }
}

fn single(name: &str) -> GoalFile {
    GoalFile::MainQuest { quest: name.to_owned() }
}

fn group(names: &[&str]) -> GoalFile {
    GoalFile::MainQuests { quests: names.iter().map(|name| (*name).to_owned()).collect() }
}

/// Applies each event at the instant beside it, and returns the instants at which webhooks became owed.
fn owed_at(catalogue: &Catalogue, events: &[(i64, i64, EventKind)]) -> Vec<i64> {
    let numbered = events.iter().enumerate();
    let events: Vec<(i64, Event)> =
        numbered.map(|(n, (now, at, kind))| (*now, event(&format!("e{n}"), *at, kind.clone()))).collect();
    let owed = run(catalogue, events.iter().map(|(now, event)| (*now, [event].into()))).1;
    owed.into_iter().map(|owed| owed.occurred_at.as_millisecond()).collect()
}

/// Applies each event at the instant at which it occurs.
fn owed_promptly(catalogue: &Catalogue, events: &[(i64, EventKind)]) -> Vec<i64> {
    owed_at(catalogue, &events.iter().map(|(at, kind)| (*at, *at, kind.clone())).collect::<Vec<_>>())
}

#[test]
fn opening_beginning_and_end_instants_count() {
    let catalogue = one(single("a"), 10, Some(20));
    for (opening, completion, counts) in
        [(5, 9, false), (5, 10, true), (15, 14, false), (15, 15, true), (5, 20, true), (5, 21, false)]
    {
        let owed = owed_promptly(&catalogue, &[(opening, opened("acme", 0)), (completion, completed("a"))]);
        assert_eq!(owed.len(), usize::from(counts), "opened {opening}, completed {completion}");
    }
}

#[test]
fn a_registration_counts_for_its_own_partner_and_is_an_opening() {
    let goals = || [("acme", "reg"), ("globex", "reg")];
    let both =
        catalogue(goals().map(|(name, it)| (provider(name), named(it), terms(GoalFile::Registration {}, 0, None))));
    let history = [event("1", 1, opened("acme", 0)), event("2", 2, registered("globex", 0))];
    let (participant, owed) = run(&both, [(3, history.iter().collect())]);
    assert_eq!(keys(&owed), [(provider("globex"), named("reg"))].into());
    assert_eq!(participant.attribution(&provider("globex")).unwrap().since, at(2));

    let strikes = one(strike(3), 0, None);
    assert_eq!(owed_promptly(&strikes, &[(1, registered("acme", 0)), (2, clicked(2)), (3, clicked(3))]), [3]);
    let untracked = EventKind::Registered { tracking: None, total_clicks: 0 };
    assert_eq!(owed_promptly(&strikes, &[(1, untracked), (3, clicked(3))]), [0i64; 0]);
}

#[test]
fn clicks_count_from_the_earliest_opening_within_the_campaign() {
    let catalogue = one(strike(10), 100, Some(200));
    let opened_at_40 = (5, opened("acme", 40));
    assert_eq!(owed_promptly(&catalogue, &[opened_at_40.clone(), (99, clicked(60)), (201, clicked(70))]), [0i64; 0]);
    assert_eq!(owed_promptly(&catalogue, &[opened_at_40.clone(), (99, clicked(60)), (100, clicked(61))]), [100]);
    assert_eq!(owed_promptly(&catalogue, &[opened_at_40.clone(), (150, clicked(49)), (160, clicked(50))]), [160]);
    let again = [opened_at_40, (120, opened("acme", 48)), (150, clicked(50))];
    assert_eq!(owed_promptly(&catalogue, &again), [150], "a later opening begins nothing anew");
}

#[test]
fn an_earlier_opening_that_arrives_late_moves_the_baseline() {
    let catalogue = one(strike(10), 0, None);
    let late = [(9, 6, opened("acme", 45)), (9, 7, clicked(50)), (9, 5, opened("acme", 40))];
    assert_eq!(owed_at(&catalogue, &late), [7]);
    let quests = one(single("a"), 0, None);
    let late = [(9, 6, opened("acme", 0)), (9, 5, completed("a")), (9, 4, opened("acme", 0))];
    assert_eq!(owed_at(&quests, &late), [5]);
}

#[test]
fn a_quest_counts_when_completed_again_after_the_opening() {
    let catalogue = one(group(&["a", "b"]), 0, None);
    let history =
        [(1, completed("a")), (2, opened("acme", 0)), (3, completed("b")), (4, completed("a")), (5, completed("b"))];
    assert_eq!(owed_promptly(&catalogue, &history), [4]);
}

#[test]
fn the_reported_instant_is_the_latest_that_was_needed() {
    let catalogue = one(group(&["a", "b"]), 0, None);
    let awkward = [(9, 7, completed("b")), (9, 3, completed("b")), (9, 5, completed("a")), (9, 2, opened("acme", 0))];
    assert_eq!(owed_at(&catalogue, &awkward), [5]);
}

#[test]
fn one_event_may_owe_several_partners() {
    let goals = PROVIDERS.map(|name| (provider(name), named("one"), terms(single("a"), 0, None)));
    let history = [event("1", 1, opened("acme", 0)), event("2", 2, opened("globex", 0)), event("3", 3, completed("a"))];
    let (participant, owed) = run(&catalogue(goals), [(9, history.iter().collect())]);
    assert_eq!(keys(&owed), [(provider("acme"), named("one")), (provider("globex"), named("one"))].into());
    assert!(participant.quests.contains_key(&quest("a")), "the third may still turn out to have been opened before");
    assert_eq!(owed[0].ids, tracking("acme", 0).ids.clone_click());
}

impl PartnerIds {
    fn clone_click(&self) -> Self {
        Self { click_id: self.click_id.clone(), user_id: None }
    }
}

#[test]
fn an_event_waits_seven_days_for_its_opening() {
    let catalogue = one(single("a"), 0, None);
    for (reported, owed) in [(7 * DAY, &[1000][..]), (7 * DAY + 1001, &[][..])] {
        let late = [(1000, 1000, completed("a")), (reported, 500, opened("acme", 0))];
        assert_eq!(owed_at(&catalogue, &late), owed);
        // Facts that are kept for another partner make no difference.
        let others = self::catalogue([
            (provider("acme"), named("it"), terms(single("a"), 0, None)),
            (provider("globex"), named("it"), terms(group(&["a", "b"]), 0, None)),
        ]);
        let kept = [(600, 400, opened("globex", 0)), late[0].clone(), late[1].clone()];
        assert_eq!(owed_at(&others, &kept), owed);
    }
}

#[test]
fn an_attributed_event_never_expires() {
    let catalogue = one(group(&["a", "b"]), 0, None);
    let year = 365 * DAY;
    assert_eq!(
        owed_promptly(&catalogue, &[(1, opened("acme", 0)), (2, completed("a")), (year, completed("b"))]),
        [year]
    );
    let late = [(1, 1, opened("acme", 0)), (year, 2, completed("a")), (year, 3, completed("b"))];
    assert_eq!(owed_at(&catalogue, &late), [3], "however late it comes after its opening");
    let prompt = [event("1", 1, opened("acme", 0))];
    assert_eq!(run(&catalogue, [(1, prompt.iter().collect())]).0.expires_at(), None);
}

#[test]
fn a_user_without_an_opening_expires_after_seven_days() {
    let catalogue = one(group(&["a", "b"]), 0, None);
    let history = [event("1", 1000, completed("a")), event("2", 3000, completed("b"))];
    let (participant, _) = run(&catalogue, [(3000, history.iter().collect())]);
    assert_eq!(participant.expires_at(), Some(at(3000 + 7 * DAY)));
    let later = fresh(&catalogue, 8 * DAY);
    let third = admit(&later, &event("3", 8 * DAY, completed("a")));
    let participant = participant.apply([&third], &later).participant;
    assert_eq!(
        participant.quests,
        [(quest("a"), [at(8 * DAY)].into())].into(),
        "what expired went with the next write"
    );
    assert_eq!(Participant::default().expires_at(), None);
}

#[test]
fn clicks_are_kept_only_while_a_goal_needs_them() {
    let catalogue = one(strike(3), 0, None);
    let mut participant = Participant::default();
    let mut writes = 0;
    for (n, kind) in [opened("acme", 10)].into_iter().chain((11..=30).map(clicked)).enumerate() {
        let fresh = fresh(&catalogue, 100);
        let millisecond = i64::try_from(n).unwrap();
        let applied = participant.apply([&admit(&fresh, &event(&format!("{n:02}"), millisecond, kind))], &fresh);
        writes += usize::from(applied.changed);
        participant = applied.participant;
        assert!(participant.clicks.len() <= 1, "where totals rise, one is enough");
    }
    assert_eq!(writes, 4, "the opening and three clicks");
    assert!(participant.clicks.is_empty());
}

#[test]
fn falling_totals_count_from_the_least_opening() {
    let catalogue = one(strike(10), 0, None);
    let reset = [(1, clicked(500)), (2, opened("acme", 0)), (3, clicked(1)), (4, clicked(9)), (5, clicked(10))];
    assert_eq!(owed_promptly(&catalogue, &reset), [5], "a total from before the opening does not count");
    let below = [(1, opened("acme", 100)), (2, clicked(1)), (3, clicked(109)), (4, clicked(5)), (5, clicked(110))];
    assert_eq!(owed_promptly(&catalogue, &below), [5]);
    let lower = [(1, opened("acme", 100)), (2, opened("acme", 50)), (3, clicked(60))];
    assert_eq!(owed_promptly(&catalogue, &lower), [3], "the same in any order, so the least total it is");
}

#[test]
fn an_old_opening_reaches_back_only_seven_days() {
    let catalogue = one(single("a"), 0, None);
    let now = 100 * DAY;
    let ancient = (now, -1_000_000 * DAY, opened("acme", 0));
    for (completion, owed) in [(now - 7 * DAY, &[now - 7 * DAY][..]), (now - 7 * DAY - 1, &[][..])] {
        assert_eq!(owed_at(&catalogue, &[(completion, completion, completed("a")), ancient.clone()]), owed);
    }
}

#[test]
fn openings_are_kept_without_campaigns_but_owe_nothing() {
    let none = catalogue([]);
    let opening = event("1", 1, opened("acme", 0));
    let (participant, _) = run(&none, [(1, [&opening].into())]);
    assert_eq!(participant.attribution(&provider("acme")).unwrap().latest.event.as_str(), "1");
    let gone: Catalogue = Snapshot { version: 2, published_at: at(2), partners: BTreeMap::new() }.into();
    let fresh = fresh(&gone, 2);
    let applied = participant.apply([&admit(&fresh, &event("2", 2, completed("a")))], &fresh);
    assert!(!applied.changed && applied.owed.is_empty());
}

#[test]
fn archived_campaigns_owe_nothing_and_reached_goals_stay_marked() {
    let both = catalogue([
        (provider("acme"), named("half"), terms(group(&["a", "b"]), 0, None)),
        (provider("acme"), named("done"), terms(single("a"), 0, None)),
    ]);
    let history = [event("1", 1, opened("acme", 0)), event("2", 2, completed("a"))];
    let (participant, owed) = run(&both, [(2, history.iter().collect())]);
    assert_eq!(keys(&owed), [(provider("acme"), named("done"))].into());
    let archived = catalogue([]);
    let fresh = fresh(&archived, 3);
    let applied = participant.apply([&admit(&fresh, &event("3", 3, completed("b")))], &fresh);
    assert!(!applied.changed && applied.owed.is_empty(), "{applied:?}");
    assert!(applied.participant.has_reached(&provider("acme"), &named("done")));
}

#[test]
fn only_the_event_that_exceeds_the_bound_is_refused() {
    let catalogue = one(single("a"), 0, None);
    let fresh = fresh(&catalogue, DAY);
    let flood: Vec<Admitted> = (0..10_000)
        .map(|n| admit(&fresh, &event(&format!("e{n}"), n, completed("a"))))
        .chain([admit(&fresh, &event("last", 1, opened("acme", 0)))])
        .collect();
    let applied = Participant::default().apply(&flood, &fresh);
    assert_eq!((applied.refused.len(), applied.owed.len()), (0, 1), "completions of one quest are few");

    let strikes = one(strike(1_000_000), 0, None);
    let fresh = strikes.fresh(at(DAY), at(DAY), &Timing::default()).unwrap();
    // Each total is below the one before it, so no fact replaces another.
    let falling = |n: i64| Clicks(at(n), 10_000 - n.unsigned_abs());
    let full = Participant { clicks: (0..4160).map(falling).collect(), ..Participant::default() };
    let more = (4160..4180).map(falling).chain([Clicks(at(9000), 10_000)]);
    let more: Vec<Admitted> = more
        .map(|Clicks(at, total)| admit(&fresh, &event(&format!("e{total}"), at.as_millisecond(), clicked(total))))
        .collect();
    let applied = full.apply(more.iter().take(20), &fresh);
    assert!(applied.changed && applied.participant.weight() <= MAX_WEIGHT);
    assert!((1..20).contains(&applied.refused.len()), "those that fit are taken");
    let applied = applied.participant.apply(&more, &fresh);
    assert!(!applied.refused.iter().any(|id| id.as_str() == "e10000"));
    assert_eq!(applied.participant.clicks, [Clicks(at(9000), 10_000)].into(), "one that outdoes them makes room");
}

#[test]
fn an_ordinary_participant_fits_into_one_write_unit() {
    let goals = PROVIDERS.map(|name| (provider(name), named("autumn-2026"), terms(group(&["a", "b"]), 0, None)));
    let strikes = PROVIDERS.map(|name| (provider(name), named("strike-2026"), terms(strike(100), 0, None)));
    let history = [
        event("018f3a52-7c1e-7b5a-9d3e-3f1f1f1f1f1f", 1_763_899_200_000, opened("acme", 40)),
        event("018f3a52-7c1e-7b5a-9d3e-3f1f1f1f1f20", 1_763_899_300_000, registered("globex", 50)),
        event("018f3a52-7c1e-7b5a-9d3e-3f1f1f1f1f21", 1_763_899_400_000, completed("a")),
        event("018f3a52-7c1e-7b5a-9d3e-3f1f1f1f1f22", 1_763_899_500_000, clicked(60)),
    ];
    let (participant, _) =
        run(&catalogue(goals.into_iter().chain(strikes)), [(1_763_899_600_000, history.iter().collect())]);
    let stored = serde_json::to_value(&participant).unwrap();
    assert!(stored.to_string().len() < 600, "{stored}");
    let acme = json!({"since": 1_763_899_200_000_i64, "counts_from": 1_763_899_200_000_i64, "baseline": 40, "latest":
        {"at": 1_763_899_200_000_i64, "event": "018f3a52-7c1e-7b5a-9d3e-3f1f1f1f1f1f", "click_id": "c-acme-40"}});
    assert_eq!(stored["partners"]["acme"], acme);
    assert_eq!(stored["clicks"], json!([[1_763_899_500_000_i64, 60]]));
}
