use std::{collections::BTreeSet, vec};

use proptest::prelude::*;

use super::*;
use crate::outbound::attempt::AttemptFault;
use crate::outbound::delivery::tests::moment;
use crate::outbound::macros::WebhookMacro;

fn seen(delivery: u8, outcome: AttemptOutcome, at: i64) -> Observation {
    Observation { delivery_id: DeliveryId::new(format!("d-{delivery}")).unwrap(), outcome, at: moment(at) }
}

fn failed(delivery: u8, at: i64) -> Observation {
    seen(delivery, AttemptOutcome::Status(500), at)
}

fn succeeded(at: i64) -> Observation {
    seen(99, AttemptOutcome::Status(200), at)
}

fn all(observations: impl IntoIterator<Item = Observation>) -> Endpoint {
    observations.into_iter().fold(Endpoint::default(), |endpoint, seen| endpoint.after(&seen).unwrap_or(endpoint))
}

fn down() -> Endpoint {
    all([failed(1, 0), failed(2, 1_000), failed(3, 75_000)])
}

#[test]
fn three_failed_deliveries_over_a_minute_make_an_endpoint_down() {
    let endpoint = down();
    assert_eq!(endpoint.down_since(), Some(moment(0)), "since the first failure");
    let Health::Down { noticed_at, fault, .. } = endpoint.health() else { panic!("{endpoint:?}") };
    assert_eq!((*noticed_at, fault.as_str()), (moment(75_000), "answered 500"));
    for (words, observations) in [
        ("two deliveries", vec![failed(1, 0), failed(2, 1_000), failed(1, 75_000)]),
        ("less than a minute", vec![failed(1, 0), failed(2, 1_000), failed(3, 74_999)]),
        ("a success between", vec![failed(1, 0), failed(2, 1_000), succeeded(2_000), failed(3, 75_000)]),
        (
            "410 is an answer",
            vec![failed(1, 0), failed(2, 1), seen(4, AttemptOutcome::Status(410), 2), failed(3, 75_000)],
        ),
    ] {
        assert_eq!(all(observations).down_since(), None, "{words}");
    }
}

#[test]
fn a_webhook_that_cannot_be_sent_shows_nothing() {
    let fault = AttemptFault::UnsafeValue(WebhookMacro::ClickId);
    let unsendable = seen(9, AttemptOutcome::Fault(fault), 80_000);
    for endpoint in [Endpoint::default(), all([failed(1, 0)]), down()] {
        assert_eq!(endpoint.after(&unsendable), None);
    }
}

#[test]
fn one_success_makes_an_endpoint_up_again_unless_it_is_older_than_the_failures() {
    assert_eq!(down().after(&succeeded(-1)), None);
    let up = down().after(&succeeded(90_000)).unwrap();
    assert_eq!((up.health(), up.recovered_at()), (&Health::Up, Some(moment(90_000))));
    assert_eq!(up.transition_from(&down()), Some(Transition::Up));
    assert_eq!(up.after(&failed(4, 89_999)), None, "a failure from before says nothing");
    let suspected = up.after(&failed(4, 90_000)).unwrap();
    assert_eq!(suspected.transition_from(&up), None, "people are told of nothing");
    assert_eq!(suspected.after(&succeeded(90_001)).unwrap().recovered_at(), Some(moment(90_000)));
}

#[test]
fn an_outage_costs_few_writes_however_long_it_is() {
    let mut endpoint = Endpoint::default();
    for (at, delivery) in (0..10_000).zip((0..200).cycle()) {
        endpoint = endpoint.after(&failed(delivery, at * 1_000)).unwrap_or(endpoint);
    }
    assert_eq!(endpoint.version(), 4, "suspected, two more deliveries, down");
    assert_eq!(endpoint.after(&succeeded(20_000_000)).unwrap().version(), 5);
}

#[test]
fn a_suspected_endpoint_gets_a_trial_each_five_seconds_and_one_that_is_down_by_the_interval() {
    let interval = Duration::from_mins(10);
    let admitted = |endpoint: &Endpoint, n, at| match endpoint.admit(n, interval, moment(at)) {
        Admission::Trial(next) => next,
        other => panic!("{other:?} at {at}"),
    };
    assert_eq!(Endpoint::default().admit(1, interval, moment(0)), Admission::Open);
    let tried = admitted(&all([failed(1, 0)]), 6, 0);
    assert_eq!(tried.admit(1, interval, moment(4_999)), Admission::Held);
    admitted(&tried, 1, 5_000);
    let tried = admitted(&down(), 1, 75_000);
    assert_eq!(tried.admit(1, interval, moment(674_999)), Admission::Held);
    admitted(&tried, 5, 675_000);
    assert_eq!(tried.without_trial(moment(76_000)).unwrap().admit(1, interval, moment(75_999)), Admission::Held);
    admitted(&tried.without_trial(moment(76_000)).unwrap(), 1, 76_000);
    assert_eq!(tried.without_trial(moment(675_000)), None, "the time is over anyway");
    assert_eq!(Endpoint::default().without_trial(moment(0)), None);
}

#[test]
fn the_last_attempt_of_a_round_is_a_trial_only_if_nobody_else_was_for_six_hours() {
    let interval = Duration::from_mins(10);
    let six_hours = 75_000 + 6 * 3_600_000;
    assert_eq!(down().admit(ATTEMPTS, interval, moment(six_hours - 1)), Admission::Held);
    assert!(matches!(down().admit(ATTEMPTS, interval, moment(six_hours)), Admission::Trial(_)));
}

#[test]
fn nothing_waits_for_an_endpoint_that_nobody_tries() {
    let minutes = |minutes: i64| moment(75_000 + minutes * 60_000);
    assert!(down().is_tried(minutes(29)) && !down().is_tried(minutes(30)));
    let Admission::Trial(tried) = down().admit(1, Duration::from_hours(6), minutes(31)) else { panic!() };
    assert!(tried.is_tried(minutes(31 + 360 + 29)) && !tried.is_tried(minutes(31 + 360 + 30)));
    assert!(!Endpoint::default().is_tried(moment(0)));
}

#[test]
fn a_message_that_waits_long_is_looked_at_seldom() {
    for (overdue, seconds) in [(-9, 5), (0, 5), (11, 5), (12, 6), (100, 50), (1_800, 900), (99_999, 900)] {
        assert_eq!(wait_seconds(moment(0), moment(overdue * 1000)), seconds, "{overdue}");
    }
    // Three hours cost 25 messages.
    let (mut waited, mut hops) = (0, 0);
    while waited < 3 * 3600 {
        waited += i64::from(wait_seconds(moment(0), moment(waited * 1000)));
        hops += 1;
    }
    assert_eq!(hops, 25);
}

#[test]
fn an_endpoint_is_stored_and_read_as_it_is() {
    for endpoint in [Endpoint::default(), all([failed(1, 0)]), down(), down().after(&succeeded(90_000)).unwrap()] {
        let stored = serde_json::to_value(&endpoint).unwrap();
        assert_eq!(serde_json::from_value::<Endpoint>(stored).unwrap(), endpoint);
    }
}

#[test]
fn failures_now_and_then_are_not_worth_a_write() {
    let mut run = Run::default();
    assert!(!run.is_suspicious(moment(0)));
    run.add(&failed(1, 0));
    assert!(run.is_suspicious(moment(0)), "nothing better is known");
    run.add(&succeeded(1));
    assert!(!run.is_suspicious(moment(1)));
    for _ in 0..4 {
        run.add(&failed(1, 2));
        assert!(!run.is_suspicious(moment(10_001)));
        assert!(run.is_suspicious(moment(10_002)), "the success is ten seconds old");
    }
    run.add(&failed(1, 2));
    assert!(run.is_suspicious(moment(3)), "five in a row");
}

#[test]
fn the_rate_rises_from_ten_and_doubles_each_minute_for_an_hour() {
    let held = |max_rate| EndpointPolicy { hold_while_down: true, max_rate };
    let up = down().after(&succeeded(100_000)).unwrap();
    let rate = |policy, minute: i64| {
        let rate = up.rate(policy, moment(100_000 + minute * 60_000));
        rate.map(|rate| {
            (rate.per_second(), rate.until().as_millisecond() - moment(100_000 + minute * 60_000).as_millisecond())
        })
    };
    for (minute, per_second, ahead) in
        [(0, 10, 60), (1, 20, 60), (5, 320, 60), (6, 500, 900), (40, 500, 900), (59, 500, 900)]
    {
        assert_eq!(rate(held(None), minute), Some((per_second, ahead * 1000)), "{minute}");
    }
    assert_eq!(rate(held(None), 60), None);
    assert_eq!(rate(held(Some(15)), 1), Some((15, 900_000)));
    assert_eq!(rate(held(Some(15)), 60), Some((15, 900_000)));
    assert_eq!(rate(EndpointPolicy::default(), 0), None, "nothing was held");
    assert_eq!(Endpoint::default().rate(held(None), moment(0)), None);
    assert_eq!(Endpoint::default().rate(held(Some(7)), moment(0)).unwrap().per_second(), 7);
}

/// Returns what the history alone says: since when the endpoint is down, if it is.
fn reference(history: &[Observation]) -> Option<UnixMillis> {
    let mut since: Option<UnixMillis> = None;
    let (mut failed, mut down) = (BTreeSet::new(), false);
    for seen in history {
        if matches!(seen.outcome.status(), Some(200 | 410)) {
            (since, failed, down) = (None, BTreeSet::new(), false);
            continue;
        }
        let first = *since.get_or_insert(seen.at);
        failed.insert(seen.delivery_id.clone());
        let minute = first.plus(Duration::from_secs(75)) <= seen.at;
        down |= minute && failed.len() >= 3;
    }
    since.filter(|_| down)
}

fn histories() -> impl Strategy<Value = Vec<Observation>> {
    let step =
        (0_u8..5, prop_oneof![4 => Just(500_u16), 1 => Just(200), 1 => Just(410), 1 => Just(302)], 0_i64..60_000);
    prop::collection::vec(step, 0..40).prop_map(|steps| {
        let mut at = 0;
        let one = |(delivery, status, wait)| {
            at += wait;
            seen(delivery, AttemptOutcome::Status(status), at)
        };
        steps.into_iter().map(one).collect()
    })
}

proptest! {
    #[test]
    fn an_endpoint_is_down_exactly_if_its_history_says_so(history in histories()) {
        let mut endpoint = Endpoint::default();
        for (at, seen) in history.iter().enumerate() {
            let after = endpoint.after(seen);
            if let Some(after) = &after {
                prop_assert_eq!(after.version(), endpoint.version() + 1);
                prop_assert!(after.health() != endpoint.health(), "a write that changes nothing");
            }
            endpoint = after.unwrap_or(endpoint);
            prop_assert_eq!(endpoint.down_since(), reference(&history[..=at]));
        }
    }

    #[test]
    fn no_span_of_time_has_more_places_than_the_rate_allows(
        per_second in 1_u32..=MOST_PER_SECOND,
        asked in prop::collection::vec((0_i64..5_000, 1_u32..12), 1..60),
    ) {
        let policy = EndpointPolicy { hold_while_down: false, max_rate: Some(per_second) };
        let (mut now, mut next) = (moment(0), i64::MIN);
        let mut out = Vec::new();
        for (wait, count) in asked {
            now = now.plus(Duration::from_millis(wait.unsigned_abs()));
            let rate = Endpoint::default().rate(policy, now).unwrap();
            let places = Places { first: next.max(now.as_millisecond() * 1000), step: rate.step() };
            next = places.first + places.step * i64::from(count);
            for number in 0..count {
                out.push(match places.place(number, now) {
                    Place::Now => now,
                    Place::At(at) => at,
                });
            }
        }
        out.sort();
        for (from, first) in out.iter().enumerate() {
            for (count, last) in (1_i64..).zip(&out[from..]) {
                let span = last.as_millisecond() - first.as_millisecond();
                // Those of a second may go out at once, and an instant is exact to the millisecond.
                let allowed = i64::from(per_second) * (span + 1_000 + 1) / 1_000 + 1;
                prop_assert!(count <= allowed, "{} in {} ms", count, span);
            }
        }
    }
}
