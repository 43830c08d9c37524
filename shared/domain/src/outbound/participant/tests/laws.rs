//! Checks the law of the contract: the same events give the same participant and the same owed webhooks, even if they
//! are repeated, late or in another order. The owed webhooks are those of a replay in the order of time.

use super::*;

/// Limits the instants, so that many events have the same instant.
const END: i64 = 40;

fn any_campaign() -> impl Strategy<Value = (Provider, Terms)> {
    (any_provider(), any_goal(), 0..END, prop::option::of(1..END))
        .prop_map(|(name, goal, from, length)| (provider(name), terms(goal, from, length.map(|length| from + length))))
}

fn any_catalogue() -> impl Strategy<Value = Catalogue> {
    prop::collection::vec(any_campaign(), 1..8).prop_map(|campaigns| {
        let numbered = campaigns.into_iter().enumerate();
        catalogue(numbered.map(|(n, (provider, terms))| (provider, named(&format!("n{n}")), terms)))
    })
}

/// Makes a history in which the running total rises by one with each click, as it should.
fn any_history() -> impl Strategy<Value = Vec<Event>> {
    let happenings = prop::collection::vec((0..END, any_happening()), 1..60);
    (happenings, 0u64..20).prop_map(|(mut happenings, mut total)| {
        happenings.sort_by_key(|(at, happening)| {
            (*at, !matches!(happening, Happening::Opened(_) | Happening::Registered(Some(_))))
        });
        let events = happenings.iter().enumerate().map(|(n, (at, happening))| {
            total += u64::from(matches!(happening, Happening::Clicked));
            event(&format!("e{n:03}"), *at, kind_of(happening, total))
        });
        events.collect()
    })
}

/// Makes a history with arbitrary totals, in which several events may share an id.
fn any_nonsense() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((0..END, any_happening(), 0u64..30), 1..60).prop_map(|happenings| {
        let numbered = happenings.iter().enumerate();
        numbered
            .map(|(n, (at, happening, total))| event(&format!("e{}", n % 25), *at, kind_of(happening, *total)))
            .collect()
    })
}

/// Makes a history of two quests that are completed repeatedly, with openings in between.
fn any_repetition() -> impl Strategy<Value = Vec<Event>> {
    let happening = prop_oneof![
        1 => any_provider().prop_map(Happening::Opened),
        4 => prop::sample::select(&QUESTS[..2]).prop_map(Happening::Completed),
    ];
    prop::collection::vec((0..END, happening), 1..60).prop_map(|happenings| {
        let numbered = happenings.iter().enumerate();
        numbered.map(|(n, (at, happening))| event(&format!("e{n}"), *at, kind_of(happening, 0))).collect()
    })
}

/// Delivers each event one to three times, in some order and in batches, all within 7 days.
#[derive(Debug, Clone)]
struct Deliveries {
    order: Vec<(u16, prop::sample::Index)>,
    batch: usize,
    pace: i64,
}

fn any_deliveries() -> impl Strategy<Value = Deliveries> {
    (prop::collection::vec(any::<(u16, prop::sample::Index)>(), 180), 1usize..6, 0..6 * DAY / 180)
        .prop_map(|(order, batch, pace)| Deliveries { order, batch, pace })
}

impl Deliveries {
    fn of<'a>(&self, history: &'a [Event]) -> Vec<(i64, Vec<&'a Event>)> {
        let once = history.iter().zip(&self.order).map(|(event, (key, _))| (*key, event));
        let again = self.order.iter().skip(history.len()).take(history.len());
        let again = again.map(|(key, which)| (*key, which.get(history)));
        let mut deliveries: Vec<(u16, &Event)> = once.chain(again).collect();
        deliveries.sort_by_key(|(key, _)| *key);
        let batches = deliveries.chunks(self.batch).enumerate();
        batches
            .map(|(n, batch)| {
                let now = END + self.pace * i64::try_from(n).unwrap();
                (now, batch.iter().map(|(_, event)| *event).collect())
            })
            .collect()
    }
}

fn in_order(history: &[Event]) -> Vec<(i64, Vec<&Event>)> {
    let mut sorted: Vec<&Event> = history.iter().collect();
    sorted.sort_by_key(|event| (event.occurred_at, event.tracking().is_none(), &event.id));
    sorted.into_iter().map(|event| (END, [event].into())).collect()
}

fn snapshot(catalogue: &Catalogue) -> Snapshot {
    catalogue.clone().into()
}

proptest! {
    #[test]
    fn any_order_and_repetition_owe_the_same_as_a_replay(
        catalogue in any_catalogue(), history in any_history(), deliveries in any_deliveries(),
    ) {
        let expected = reference::owed(&history, &snapshot(&catalogue), Baseline::Earliest);
        let (participant, owed) = run(&catalogue, deliveries.of(&history));
        prop_assert_eq!(keys(&owed), expected.keys().cloned().collect::<Reached>());
        prop_assert_eq!(owed.len(), expected.len(), "nothing is owed twice");
        prop_assert_eq!(reached(&participant), keys(&owed));
        prop_assert_eq!(participant, run(&catalogue, in_order(&history)).0);
    }

    #[test]
    fn falling_totals_owe_the_same_as_a_replay(
        catalogue in any_catalogue(), history in any_nonsense(), deliveries in any_deliveries(),
    ) {
        let expected = reference::owed(&history, &snapshot(&catalogue), Baseline::Least);
        let (participant, owed) = run(&catalogue, deliveries.of(&history));
        prop_assert_eq!(keys(&owed), expected.keys().cloned().collect::<Reached>());
        prop_assert_eq!(participant, run(&catalogue, in_order(&history)).0);
    }

    #[test]
    fn repeated_quests_owe_the_same_as_a_replay(
        catalogue in any_catalogue(), history in any_repetition(), deliveries in any_deliveries(),
    ) {
        let expected = reference::owed(&history, &snapshot(&catalogue), Baseline::Earliest);
        let (participant, owed) = run(&catalogue, deliveries.of(&history));
        prop_assert_eq!(keys(&owed), expected.keys().cloned().collect::<Reached>());
        prop_assert_eq!(participant, run(&catalogue, in_order(&history)).0);
    }

    #[test]
    fn one_ordered_batch_reports_when_the_goal_was_reached(
        catalogue in any_catalogue(), history in any_history().prop_shuffle(),
    ) {
        let expected = reference::owed(&history, &snapshot(&catalogue), Baseline::Earliest);
        let instants = |owed: Vec<Owed>| -> BTreeMap<_, _> {
            owed.into_iter().map(|owed| ((owed.provider, owed.campaign), owed.occurred_at)).collect()
        };
        prop_assert_eq!(&instants(run(&catalogue, in_order(&history)).1), &expected);
        let batch = [(END, history.iter().collect())];
        prop_assert_eq!(&instants(run(&catalogue, batch).1), &expected);
    }

    #[test]
    fn owed_webhooks_only_grow_and_carry_the_latest_ids(
        catalogue in any_catalogue(), history in any_nonsense(),
    ) {
        let mut before = Reached::new();
        for length in 0..=history.len() {
            let known = &history[..length];
            let after = keys(&run(&catalogue, [(END, known.iter().collect())]).1);
            prop_assert!(before.is_subset(&after));
            before = after;
        }
        let (participant, _) = run(&catalogue, in_order(&history));
        for name in PROVIDERS.map(provider) {
            let openings = history.iter().filter(|event| event.tracking().is_some_and(|t| t.provider == name));
            let latest = openings.max_by_key(|event| (event.occurred_at, &event.id)).map(|event| &event.id);
            prop_assert_eq!(participant.attribution(&name).map(|attribution| &attribution.latest.event), latest);
        }
    }

    #[test]
    fn repeated_events_change_nothing(catalogue in any_catalogue(), history in any_nonsense(), days in 0i64..30) {
        let (participant, _) = run(&catalogue, [(END, history.iter().collect())]);
        let later = fresh(&catalogue, END + days * DAY);
        for event in &history {
            let again = participant.apply([&admit(&later, event)], &later);
            prop_assert!(!again.changed && again.owed.is_empty());
            prop_assert_eq!(&again.participant, &participant);
        }
    }

    #[test]
    fn an_event_that_no_campaign_needs_changes_nothing(
        catalogue in any_catalogue(), history in any_nonsense(), at in -END..2 * END, happening in any_happening(), total in 0u64..30,
    ) {
        let (participant, _) = run(&catalogue, [(2 * END, history.iter().collect())]);
        let fresh = fresh(&catalogue, 2 * END);
        let event = admit(&fresh, &event("last", at, kind_of(&happening, total)));
        if !fresh.could_need(&event) {
            prop_assert!(!participant.apply([&event], &fresh).changed);
            prop_assert!(!Participant::default().apply([&event], &fresh).changed);
        }
    }

    #[test]
    fn merging_is_commutative_associative_and_idempotent(
        catalogue in any_catalogue(), a in any_nonsense(), b in any_nonsense(), c in any_nonsense(),
    ) {
        let fresh = fresh(&catalogue, END);
        let merge = |one: &Participant, other: &Participant| {
            let mut merged = one.clone();
            merged.join(other.clone());
            merged.reach(&fresh);
            merged.retained(&fresh)
        };
        let renamed = |history: &[Event], mark: &str| -> Vec<Event> {
            history.iter().map(|e| event(&format!("{mark}{}", e.id), e.occurred_at.as_millisecond(), e.kind.clone())).collect()
        };
        let histories = [renamed(&a, "a"), renamed(&b, "b"), renamed(&c, "c")];
        let [a, b, c] = histories.each_ref().map(|history| run(&catalogue, [(END, history.iter().collect())]).0);
        prop_assert_eq!(merge(&a, &b), merge(&b, &a));
        prop_assert_eq!(merge(&merge(&a, &b), &c), merge(&a, &merge(&b, &c)));
        prop_assert_eq!(merge(&a, &a), a.clone());
        let all = histories.iter().flatten().collect();
        prop_assert_eq!(merge(&merge(&a, &b), &c), run(&catalogue, [(END, all)]).0);
    }
}
