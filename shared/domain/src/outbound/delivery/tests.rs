use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::outbound::attempt::{AnswerExcerpt, AttemptFault, AttemptOutcome, FinishedAttempt};
use crate::outbound::retry::{RESENDS, RetryAfter, RetryPolicy};
use crate::values::ids::{ClickId, PartnerUserId};

pub(crate) fn moment(ms: i64) -> UnixMillis {
    UnixMillis::from_millisecond(1_795_435_200_000 + ms)
}

pub(crate) fn ticket(number: u64) -> ChainTicket {
    ChainTicket::from_random(number.to_be_bytes())
}

pub(crate) fn mark(ticket: ChainTicket) -> ClaimMark {
    ClaimMark::new(String::from(ticket)).unwrap()
}

pub(crate) fn participant() -> UserId {
    UserId::new("gg3-42").unwrap()
}

pub(crate) fn owed() -> Owed {
    Owed {
        provider: Provider::new("acme").unwrap(),
        campaign: CampaignName::new("welcome").unwrap(),
        ids: PartnerIds { user_id: PartnerUserId::new("p-9").ok(), click_id: ClickId::new("c-1").ok() },
        occurred_at: moment(-5_000),
    }
}

fn pace() -> DeliveryPace {
    DeliveryPace::try_new(Duration::from_secs(30), 60).unwrap()
}

fn policy() -> RetryPolicy {
    RetryPolicy::default()
}

fn fresh() -> (Delivery, Message) {
    let delivery = Delivery::new(participant(), owed(), moment(0), ticket(1));
    let message = delivery.first_message(ticket(2)).unwrap();
    (delivery, message)
}

fn decide_by(delivery: &Delivery, message: &Message, at: UnixMillis, worker: u64) -> MessageDecision {
    delivery.decide(message, at, CampaignState::Open, &pace(), &mark(ticket(worker)))
}

fn claim(delivery: &Delivery, message: &Message, at: UnixMillis, worker: u64) -> (Delivery, Claim) {
    match decide_by(delivery, message, at, worker) {
        MessageDecision::Claim { delivery, claim } => (delivery, claim),
        other => panic!("{other:?}"),
    }
}

fn answered(at: UnixMillis, outcome: AttemptOutcome) -> FinishedAttempt {
    FinishedAttempt { sent_at: at, ended_at: at, outcome, answer: AnswerExcerpt::of(b"no"), retry_after: None }
}

fn stored(recorded: AttemptDecision) -> (Delivery, Option<Message>) {
    match recorded {
        AttemptDecision::Stored { delivery, next } => (delivery, next),
        other => panic!("{other:?}"),
    }
}

/// Returns the delivery after one attempt with this outcome, which was made when it was due.
fn attempt(delivery: &Delivery, message: &Message, outcome: AttemptOutcome) -> (Delivery, Option<Message>) {
    let (claimed, claim) = claim(delivery, message, message.due_at, 7);
    stored(claimed.record(&claim, &answered(message.due_at, outcome), policy(), ticket(100 + u64::from(message.n))))
}

#[test]
fn a_round_has_six_attempts_each_when_due_then_is_exhausted() {
    let (mut delivery, message) = fresh();
    let mut next = Some(message);
    let mut due = Vec::new();
    while let Some(message) = next {
        assert!(!matches!(
            decide_by(&delivery, &message, message.due_at.minus(Duration::from_millis(1)), 1),
            MessageDecision::Claim { .. }
        ));
        due.push((message.n, message.due_at));
        (delivery, next) = attempt(&delivery, &message, AttemptOutcome::Status(500));
    }
    // Each delay counts from the failure before it: 10, 20, 30, 40 and 50 minutes.
    let expected = [0, 10, 30, 60, 100, 150].map(|minutes| moment(minutes * 60_000));
    assert!(due.iter().copied().eq((1..).zip(expected)));
    assert_eq!(delivery.ending(), Some(Ending::Exhausted));
    assert_eq!(delivery.attempts().len(), 1 + usize::from(RESENDS));
}

#[test]
fn a_2xx_delivers_a_410_ends_and_all_else_is_resent() {
    let unsafe_value = AttemptOutcome::Fault(AttemptFault::UnsafeValue(crate::outbound::macros::WebhookMacro::ClickId));
    for (outcome, ending) in [
        (unsafe_value, Some(Ending::Unsendable)),
        (AttemptOutcome::Status(200), Some(Ending::Delivered)),
        (AttemptOutcome::Status(299), Some(Ending::Delivered)),
        (AttemptOutcome::Status(410), Some(Ending::Gone)),
        (AttemptOutcome::Status(302), None),
        (AttemptOutcome::Status(404), None),
        (AttemptOutcome::Fault(AttemptFault::Refused), None),
    ] {
        let (delivery, message) = fresh();
        let (delivery, next) = attempt(&delivery, &message, outcome.clone());
        assert_eq!((delivery.ending(), next.is_none()), (ending, ending.is_some()), "{outcome:?}");
        let again = decide_by(&delivery, &message, moment(1), 9);
        match (ending, next) {
            (Some(ending), _) => assert_eq!(again, MessageDecision::Acknowledge(NoWorkReason::Ended(ending))),
            (None, next) => {
                assert_eq!(again, MessageDecision::EnqueueNext(next.unwrap()), "its worker may have died before that");
            }
        }
    }
}

#[test]
fn an_early_message_hops_without_spending_an_attempt() {
    let (delivery, message) = fresh();
    let (delivery, next) = attempt(&delivery, &message, AttemptOutcome::Status(500));
    let next = next.unwrap();
    for (at, delay_seconds) in [(0, 600), (1, 600), (599_001, 1), (599_999, 1)] {
        assert_eq!(decide_by(&delivery, &next, moment(at), 1), MessageDecision::Hop { delay_seconds });
        assert_eq!(next.hop(moment(at)), Some(delay_seconds), "and needs no read for it");
    }
    assert_eq!(next.hop(moment(600_000)), None);
    let (_, claim) = claim(&delivery, &next, moment(600_000), 1);
    assert_eq!((claim.round, claim.n, claim.due_at), (1, 2, moment(600_000)));
}

#[test]
fn a_pause_waits_without_a_claim_and_archiving_cancels() {
    let (delivery, message) = fresh();
    let by = |state| delivery.decide(&message, moment(0), state, &pace(), &mark(ticket(1)));
    assert_eq!(by(CampaignState::Paused), MessageDecision::Hop { delay_seconds: 60 });
    let MessageDecision::Cancel(cancelled) = by(CampaignState::Archived) else { panic!() };
    assert_eq!(cancelled.ending(), Some(Ending::Cancelled));
    assert_eq!(cancelled.cancel(moment(1)), None);
    assert_eq!(cancelled.overdue(moment(1_000_000), Duration::ZERO, ticket(3)), None);
}

#[test]
fn a_live_claim_excludes_others_until_it_expires() {
    let (delivery, message) = fresh();
    let other = delivery.first_message(ticket(3)).unwrap();
    let (claimed, first) = claim(&delivery, &message, moment(0), 1);
    let until = moment(30_000);
    for message in [&message, &other] {
        assert_eq!(decide_by(&claimed, message, moment(29_999), 2), MessageDecision::LeaveToReturn { until });
        assert!(matches!(decide_by(&claimed, message, until, 2), MessageDecision::Claim { .. }));
    }
    // The write of this worker succeeded, but the store's answer was lost.
    assert_eq!(decide_by(&claimed, &message, moment(1), 1), MessageDecision::Send(first.clone()));
    let archived = claimed.decide(&message, moment(1), CampaignState::Archived, &pace(), &mark(ticket(2)));
    assert_eq!(archived, MessageDecision::LeaveToReturn { until }, "archiving does not interrupt a request");
}

#[test]
fn claims_made_in_the_same_millisecond_are_told_apart() {
    let (delivery, message) = fresh();
    let ((stored, first), (_, second)) =
        (claim(&delivery, &message, moment(0), 1), claim(&delivery, &message, moment(0), 2));
    assert_ne!(first, second);
    assert_eq!(decide_by(&stored, &message, moment(0), 2), MessageDecision::LeaveToReturn { until: first.until });
}

#[test]
fn only_the_chain_that_recorded_the_attempt_continues() {
    let (delivery, message) = fresh();
    let other = delivery.first_message(ticket(3)).unwrap();
    let (delivery, next) = attempt(&delivery, &message, AttemptOutcome::Status(500));
    assert_eq!(decide_by(&delivery, &other, moment(1), 1), MessageDecision::Acknowledge(NoWorkReason::Superseded));
    let next = next.unwrap();
    assert_eq!(decide_by(&delivery, &message, moment(1), 1), MessageDecision::EnqueueNext(next.clone()));
    // Once the next attempt has begun, its message is known to exist.
    let (claimed, _) = claim(&delivery, &next, next.due_at, 1);
    assert_eq!(decide_by(&claimed, &message, next.due_at, 2), MessageDecision::Acknowledge(NoWorkReason::Superseded));
    let (later, _) = attempt(&delivery, &next, AttemptOutcome::Status(500));
    assert_eq!(decide_by(&later, &message, next.due_at, 2), MessageDecision::Acknowledge(NoWorkReason::Superseded));
}

#[test]
fn an_attempt_without_its_claim_is_kept_and_its_2xx_delivers() {
    let (delivery, message) = fresh();
    let (slow, lost) = claim(&delivery, &message, moment(0), 1);
    let (taken, held) = claim(&slow, &message, moment(30_000), 2);
    let failed = taken.record(&lost, &answered(moment(0), AttemptOutcome::Status(500)), policy(), ticket(9));
    let AttemptDecision::ClaimLost { delivery: None, late } = failed else { panic!("{failed:?}") };
    assert_eq!((late.round, late.attempt.n, &late.mark), (1, 1, &lost.mark));
    // The new claim may have been made for this message, so the message is not acknowledged.
    assert_eq!(decide_by(&taken, &message, moment(30_001), 1), MessageDecision::LeaveToReturn { until: held.until });

    let ok = answered(moment(0), AttemptOutcome::Status(200));
    let AttemptDecision::ClaimLost { delivery: Some(delivered), .. } = taken.record(&lost, &ok, policy(), ticket(9))
    else {
        panic!()
    };
    assert_eq!(delivered.ending(), Some(Ending::Delivered));
    let second = delivered.record(&held, &answered(moment(30_000), AttemptOutcome::Status(500)), policy(), ticket(9));
    assert!(matches!(second, AttemptDecision::ClaimLost { delivery: None, .. }), "and nothing undoes it");
}

#[test]
fn a_late_2xx_of_any_round_replaces_any_other_ending() {
    let (delivery, message) = fresh();
    let (claimed, held) = claim(&delivery, &message, moment(0), 1);
    let opened = claimed.open_round(moment(1), ticket(50));
    let (exhausted, _) = (0..6)
        .fold((opened.delivery.clone(), Some(opened.message.clone())), |(delivery, message), _| {
            attempt(&delivery, &message.unwrap(), AttemptOutcome::Status(500))
        });
    let (gone, _) = attempt(&opened.delivery, &opened.message, AttemptOutcome::Status(410));
    for ended in [exhausted, gone, claimed.cancel(moment(2)).unwrap(), opened.delivery] {
        let late = ended.record(&held, &answered(moment(0), AttemptOutcome::Status(200)), policy(), ticket(9));
        let AttemptDecision::ClaimLost { delivery: Some(delivered), .. } = late else { panic!("{late:?}") };
        assert_eq!(delivered.ending(), Some(Ending::Delivered));
        assert_eq!(delivered.attempts(), ended.attempts());
    }
}

#[test]
fn a_record_with_a_lost_answer_is_recognised() {
    let (delivery, message) = fresh();
    let (claimed, claim) = claim(&delivery, &message, moment(0), 1);
    let failed = answered(moment(0), AttemptOutcome::Status(500));
    let (recorded, next) = stored(claimed.record(&claim, &failed, policy(), ticket(8)));
    assert_eq!(recorded.record(&claim, &failed, policy(), ticket(9)), AttemptDecision::Already);
    assert_eq!(decide_by(&recorded, &message, moment(1), 1), MessageDecision::EnqueueNext(next.unwrap()));
}

#[test]
fn rounds_by_hand_begin_at_once_and_keep_the_id() {
    let (mut delivery, mut message) = fresh();
    for round in 2..6 {
        let (failed, old_next) = attempt(&delivery, &message, AttemptOutcome::Status(500));
        let opened = failed.open_round(moment(1_000), ticket(u64::from(round)));
        assert_eq!(opened.delivery.id(), delivery.id());
        assert_eq!((opened.moved_round, &opened.moved[..]), (round - 1, failed.attempts()));
        assert_eq!((opened.message.round, opened.message.n, opened.message.due_at), (round, 1, moment(1_000)));
        assert!(opened.delivery.attempts().is_empty() && !opened.message.is_first());
        for old in [&message, &old_next.unwrap()] {
            assert_eq!(
                decide_by(&opened.delivery, old, moment(9_999_999), 1),
                MessageDecision::Acknowledge(NoWorkReason::OlderRound)
            );
        }
        (delivery, message) = (opened.delivery, opened.message);
    }
    let (delivered, _) = attempt(&delivery, &message, AttemptOutcome::Status(200));
    assert_eq!(delivered.open_round(moment(2_000), ticket(9)).delivery.ending(), None, "also what was delivered");
}

#[test]
fn a_repeated_evaluation_sends_only_unbegun_deliveries() {
    let (delivery, message) = fresh();
    assert_eq!(delivery.first_message(ticket(5)).unwrap().ticket, ticket(5));
    let (claimed, _) = claim(&delivery, &message, moment(0), 1);
    let (failed, _) = attempt(&delivery, &message, AttemptOutcome::Status(500));
    let (delivered, _) = attempt(&delivery, &message, AttemptOutcome::Status(200));
    for begun in [claimed, failed, delivered, delivery.open_round(moment(0), ticket(1)).delivery] {
        assert_eq!(begun.first_message(ticket(5)), None);
    }
}

#[test]
fn each_change_raises_the_revision_by_one() {
    let (delivery, message) = fresh();
    let (claimed, claim) = claim(&delivery, &message, moment(0), 1);
    let failed = answered(moment(1), AttemptOutcome::Status(500));
    let (recorded, _) = stored(claimed.record(&claim, &failed, policy(), ticket(3)));
    let opened = recorded.open_round(moment(2), ticket(4)).delivery;
    let late = opened.record(&claim, &answered(moment(3), AttemptOutcome::Status(204)), policy(), ticket(5));
    let AttemptDecision::ClaimLost { delivery: Some(late), .. } = late else { panic!("{late:?}") };
    let cancelled = opened.cancel(moment(3)).unwrap();
    let revisions = [&delivery, &claimed, &recorded, &opened, &late, &cancelled].map(Delivery::revision);
    assert_eq!(revisions, [1, 2, 3, 4, 5, 5]);
}

#[test]
fn a_delivery_is_overdue_after_its_grace() {
    let (delivery, message) = fresh();
    let grace = Duration::from_mins(1);
    let overdue = |delivery: &Delivery, at| delivery.overdue(moment(at), grace, ticket(5)).map(|message| message.n);
    assert_eq!((overdue(&delivery, 60_000), overdue(&delivery, 60_001)), (None, Some(1)));
    let (claimed, _) = claim(&delivery, &message, moment(0), 1);
    assert_eq!((overdue(&claimed, 90_000), overdue(&claimed, 90_001)), (None, Some(1)));
    let (failed, _) = attempt(&delivery, &message, AttemptOutcome::Status(500));
    assert_eq!((overdue(&failed, 660_000), overdue(&failed, 660_001)), (None, Some(2)));
}

#[test]
fn an_unexplained_message_returns_to_the_queue() {
    let (delivery, message) = fresh();
    let stranger = Message { delivery_id: DeliveryId::new("another").unwrap(), ..message.clone() };
    let ahead = Message { n: 2, ..message.clone() };
    let newer = Message { round: 2, ..message };
    for message in [stranger, ahead, newer] {
        assert_eq!(decide_by(&delivery, &message, moment(0), 1), MessageDecision::LeaveToReturn { until: moment(0) });
    }
}

#[test]
fn claim_hold_and_paused_hop_have_bounds() {
    assert_eq!(DeliveryPace::try_new(Duration::from_millis(999), 60), Err(DeliveryPaceFault::ClaimHold));
    assert_eq!(DeliveryPace::try_new(Duration::from_secs(1), 0), Err(DeliveryPaceFault::PausedHop));
    assert_eq!(DeliveryPace::try_new(Duration::from_secs(1), 901), Err(DeliveryPaceFault::PausedHop));
}

proptest! {
    #[test]
    fn a_stored_delivery_and_its_message_read_back_unchanged(outcomes in prop::collection::vec(0u16..600, 0..6), asked in any::<u32>()) {
        let (mut delivery, message) = fresh();
        let mut next = Some(message);
        for status in outcomes {
            let Some(message) = next else { break };
            let (claimed, claim) = claim(&delivery, &message, message.due_at, 1);
            let asked = Some(RetryAfter::Delay(Duration::from_secs(asked.into())));
            let answered = FinishedAttempt { retry_after: asked, ..answered(message.due_at, AttemptOutcome::Status(status)) };
            for delivery in [&delivery, &claimed] {
                let text = serde_json::to_string(delivery).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Delivery>(&text).unwrap(), delivery);
            }
            let text = serde_json::to_string(&message).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Message>(&text).unwrap(), &message);
            (delivery, next) = stored(claimed.record(&claim, &answered, policy(), ticket(3)));
        }
    }
}
