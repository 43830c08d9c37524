use std::{collections::BTreeSet, num::NonZeroUsize, time::Duration};

use domain::{
    audit::{Author, Channel, Operation},
    jiff::SignedDuration,
    outbound::{
        agreed_ids::PartnerIds,
        attempt::{AttemptFault, AttemptOutcome},
        delivery::{Delivery, Status},
        macros::WebhookMacro,
        participant::Owed,
        retry::{ATTEMPTS, RetryAfter},
        webhook::Allowance,
    },
    partner::{Partner, PartnerFile, recipient::Recipient},
    values::{
        ids::{CampaignName, ChainTicket, ClickId, PartnerUserId, UserId},
        signature::Secret,
    },
};

use super::*;
use crate::{
    cache::CachePolicy,
    memory::{Held, Trouble, World},
};

pub(crate) type UseCase = DeliverWebhooks<World>;

const INTERVAL_MS: i64 = 10_000;
/// Sets the time for which a received message is hidden. As in a deployment, it is longer than a claim lasts.
const VISIBILITY_MS: i64 = 360_000;
const FUNCTION: Duration = Duration::from_mins(1);

pub(crate) fn start() -> UnixMillis {
    UnixMillis::from_millisecond(1_795_435_200_000)
}

pub(crate) fn provider() -> Provider {
    Provider::new("acme").unwrap()
}

pub(crate) fn partner(more: &str) -> Partner {
    let file = format!(
        r#"{{"provider":"acme","media_buying":{{"ids":["click_id","user_id"],"campaigns":[
            {{"name":"welcome","goal":{{"type":"registration"}},"active_from":"2026-11-23T12:00:00Z",
              "initial_interval_seconds":10,"webhook":{{"url":"https://a.example/hook/{{userId}}?c={{clickId}}"}}{more}}}]}}}}"#
    );
    let file: PartnerFile = serde_json::from_str(&file).unwrap();
    Partner::try_from(file).unwrap()
}

pub(crate) fn recipient(more: &str) -> KnownRecipient {
    let recipient = Recipient::of(&partner(more), Allowance::PublicOnly);
    KnownRecipient { recipient, secrets: vec![Secret::new("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] }
}

pub(crate) fn delivery(user: &str, partner_user: &str) -> Delivery {
    delivery_at(user, partner_user, start())
}

pub(crate) fn delivery_at(user: &str, partner_user: &str, made_at: UnixMillis) -> Delivery {
    let owed = Owed {
        provider: provider(),
        campaign: CampaignName::new("welcome").unwrap(),
        ids: PartnerIds { click_id: ClickId::new("c-1").ok(), user_id: PartnerUserId::new(partner_user).ok() },
        occurred_at: start(),
    };
    Delivery::new(UserId::new(user).unwrap(), owed, made_at, ChainTicket::from_random([9; 8]))
}

pub(crate) fn use_case(world: &World, known: Option<KnownRecipient>) -> UseCase {
    let policy = CachePolicy {
        fresh: SignedDuration::from_secs(45),
        unknown_fresh: SignedDuration::from_secs(1),
        capacity: NonZeroUsize::MIN,
        ..CachePolicy::default()
    };
    DeliverWebhooks {
        recipients: Cache::new(Held::new(world, known.map(|known| (provider(), known))), policy),
        deliveries: world.clone(),
        new_deliveries: world.clone(),
        endpoints: KnownEndpoints::new(world.clone()),
        resends: world.clone(),
        partners: world.clone(),
        dead_letters: world.clone(),
        clock: world.clone(),
        randomness: world.clone(),
        pace: DeliveryPace::try_new(FUNCTION, 60).unwrap(),
        time: AttemptTime { request: Duration::from_secs(10), operation: Duration::from_secs(4) },
    }
}

/// Returns a world with one delivery and its message.
fn world(delivery: &Delivery) -> World {
    let world = World::default();
    world.state().millisecond = start().as_millisecond();
    let message = delivery.first_message(ChainTicket::from_random([1; 8])).unwrap();
    world.state().deliveries.insert(delivery.id().clone(), delivery.clone());
    world.state().resends.push((message, start()));
    world
}

pub(crate) fn received(message: &Message) -> ReceivedMessage {
    ReceivedMessage { id: "m".into(), message: Ok(message.clone()), whole: String::new() }
}

/// Runs the queue until it is empty. A message that is not acknowledged comes back, and a delayed message waits.
pub(crate) async fn run(world: &World, use_case: &UseCase) -> Vec<MessageOutcome> {
    let mut outcomes = Vec::new();
    let mut waiting: Vec<(Message, UnixMillis)> = Vec::new();
    for _ in 0..200 {
        waiting.append(&mut world.state().resends);
        waiting.sort_by_key(|(_, arrives)| std::cmp::Reverse(*arrives));
        let Some((message, arrives)) = waiting.pop() else { return outcomes };
        let now = {
            let mut state = world.state();
            state.millisecond = state.millisecond.max(arrives.as_millisecond());
            UnixMillis::from_millisecond(state.millisecond)
        };
        let outcome = use_case.handle(&[received(&message)], now.plus(FUNCTION)).await.remove(0);
        if matches!(outcome, MessageOutcome::Failed(_) | MessageOutcome::Waits { .. }) {
            let returns = UnixMillis::from_millisecond(now.as_millisecond() + VISIBILITY_MS);
            waiting.push((message, returns));
        }
        outcomes.push(outcome);
    }
    panic!("it never comes to rest: {outcomes:?}")
}

pub(crate) fn status(world: &World, delivery: &Delivery) -> Status {
    world.state().deliveries[delivery.id()].status()
}

pub(crate) fn failing(times: usize) -> impl Iterator<Item = (AttemptOutcome, Option<RetryAfter>, Duration)> {
    std::iter::repeat_n((AttemptOutcome::Status(500), None, Duration::from_millis(300)), times)
}

#[tokio::test]
async fn an_attempt_costs_two_writes_and_a_failed_one_a_message_and_a_look_at_its_endpoint() {
    let delivery = delivery("gg3-42", "p-9");
    let world = world(&delivery);
    world.state().answers.extend(failing(1));
    let outcomes = run(&world, &use_case(&world, Some(recipient("")))).await;
    let calls = std::mem::take(&mut world.state().calls);
    let attempt = ["claim delivery", "call partner", "write delivery"];
    let after_failure = ["send resend", "read endpoint", "write endpoint"];
    assert_eq!(calls, [&["load"][..], &attempt, &after_failure, &attempt, &["write endpoint"]].concat());
    let due = start().plus(Duration::from_millis(10_300));
    let attempted = |status, ending, ended_at, duration_ms| {
        let outcome = AttemptOutcome::Status(status);
        MessageOutcome::Attempted(Attempted { outcome, ended_at, duration_ms, ending })
    };
    let failed = attempted(500, None, start().plus(Duration::from_millis(300)), 300);
    assert_eq!(outcomes, [failed, attempted(200, Some(Ending::Delivered), due, 0)]);
    let requests = world.state().requests.clone();
    assert_eq!(requests[0], (start(), delivery.id().clone(), "https://a.example/hook/p-9?c=c-1".into()));
    assert_eq!((requests[1].0, &requests[1].1), (due, delivery.id()), "the same id, when it is due");
}

#[tokio::test]
async fn a_round_has_six_attempts_at_the_agreed_intervals() {
    let delivery = delivery("gg3-42", "p-9");
    let world = world(&delivery);
    world.state().answers.extend(failing(9));
    run(&world, &use_case(&world, Some(recipient("")))).await;
    assert_eq!(status(&world, &delivery), Status::Exhausted);
    let requests = world.state().requests.clone();
    assert_eq!(requests.len(), usize::from(ATTEMPTS));
    for (n, pair) in (1..).zip(requests.windows(2)) {
        assert_eq!(pair[1].0.as_millisecond() - pair[0].0.as_millisecond(), 300 + n * INTERVAL_MS);
    }
}

#[tokio::test]
async fn a_long_wait_is_cut_into_hops_of_one_message_each() {
    let delivery = delivery("gg3-42", "p-9");
    let world = world(&delivery);
    let hour = Some(RetryAfter::Delay(Duration::from_hours(1)));
    world.state().answers.push_back((AttemptOutcome::Status(429), hour, Duration::ZERO));
    let outcomes = run(&world, &use_case(&world, Some(recipient("")))).await;
    let hops =
        outcomes.iter().filter(|outcome| matches!(outcome, MessageOutcome::Hopped { delay_seconds: 900, .. })).count();
    assert_eq!((hops, outcomes.len()), (3, 5), "the first of four waits is the record's own message");
    assert_eq!(world.state().requests[1].0, start().plus(Duration::from_hours(1)));
}

#[tokio::test]
async fn a_paused_campaign_spends_no_attempt_and_no_read() {
    let delivery = delivery("gg3-42", "p-9");
    let world = world(&delivery);
    let paused = use_case(&world, Some(recipient(r#","paused":true"#)));
    let (message, _) = world.state().resends.remove(0);
    let outcome = paused.handle(&[received(&message)], start().plus(FUNCTION)).await;
    assert_eq!(outcome, [MessageOutcome::Hopped { delay_seconds: 60, why: HopReason::Paused }]);
    assert_eq!(world.state().calls, ["load", "send resend"]);
    run(&world, &use_case(&world, Some(recipient("")))).await;
    assert_eq!(status(&world, &delivery), Status::Delivered, "once it is paused no longer");
}

#[tokio::test]
async fn an_archived_campaigns_deliveries_are_cancelled() {
    let delivery = delivery("gg3-42", "p-9");
    let world = world(&delivery);
    let outcomes = run(&world, &use_case(&world, Some(recipient(r#","archived":true"#)))).await;
    assert_eq!((outcomes, status(&world, &delivery)), (vec![MessageOutcome::Cancelled], Status::Cancelled));
    assert!(world.state().requests.is_empty());
}

#[tokio::test]
async fn a_missing_or_bad_configuration_spends_no_attempt() {
    let delivery = delivery("gg3-42", "p-9");
    let world = world(&delivery);
    let (message, _) = world.state().resends.remove(0);
    let other = Message { campaign: CampaignName::new("other").unwrap(), ..message.clone() };
    let deadline = start().plus(FUNCTION);
    let local = r#","event":"x","webhook":{"url":"http://127.0.0.1/"}"#;
    let mut misconfigured = recipient("");
    misconfigured.recipient = {
        let file = format!(
            r#"{{"provider":"acme","media_buying":{{"campaigns":[{{"name":"welcome","goal":{{"type":"registration"}},
                "active_from":"2026-11-23T12:00:00Z"{local}}}]}}}}"#
        );
        let file: PartnerFile = serde_json::from_str(&file).unwrap();
        Recipient::of(&Partner::try_from(file).unwrap(), Allowance::PublicOnly)
    };
    for (known, message, expected) in [
        (None, &message, "there is no partner"),
        (Some(recipient("")), &other, "has no campaign"),
        (Some(misconfigured), &message, "cannot be called"),
    ] {
        let outcome = use_case(&world, known).handle(&[received(message)], deadline).await.remove(0);
        let MessageOutcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
        assert!(failure.to_string().contains(expected), "{failure}");
    }
    // The first message has no delivery, and the second comes too late in the function's life.
    let stranger = Message { delivery_id: domain::values::ids::DeliveryId::new("x").unwrap(), ..message.clone() };
    let ready = use_case(&world, Some(recipient("")));
    assert_eq!(
        ready.handle(&[received(&stranger)], deadline).await,
        [MessageOutcome::Failed(MessageFailure::NoDelivery)]
    );
    let soon = start().plus(Duration::from_secs(29));
    assert_eq!(ready.handle(&[received(&message)], soon).await, [MessageOutcome::Failed(MessageFailure::OutOfTime)]);
    assert_eq!(world.state().deliveries[delivery.id()], delivery, "nothing was written");
    assert!(world.state().requests.is_empty());
}

#[tokio::test]
async fn an_unreadable_message_is_set_aside_and_harms_no_neighbour() {
    let delivery = delivery("gg3-42", "p-9");
    let world = world(&delivery);
    let (message, _) = world.state().resends.remove(0);
    let broken = ReceivedMessage { id: "b".into(), message: Err("is no message".into()), whole: "{".into() };
    let outcomes =
        use_case(&world, Some(recipient(""))).handle(&[broken, received(&message)], start().plus(FUNCTION)).await;
    assert_eq!(outcomes[0], MessageOutcome::SetAside("is no message".into()));
    assert!(matches!(outcomes[1], MessageOutcome::Attempted(_)));
    assert_eq!(world.state().dead_letters, [("{".to_owned(), "is no message".to_owned())]);
}

#[tokio::test]
async fn a_value_that_would_lead_elsewhere_ends_the_delivery() {
    for value in ["..", ".", "a/b", "%2e", "%2E%2e", "a%2fb", "a\\b", "..;x"] {
        let delivery = delivery("gg3-42", value);
        let world = world(&delivery);
        run(&world, &use_case(&world, Some(recipient("")))).await;
        assert!(world.state().requests.is_empty());
        let stored = world.state().deliveries[delivery.id()].clone();
        assert_eq!(stored.status(), Status::Unsendable, "{value}");
        let unsafe_value = AttemptOutcome::Fault(AttemptFault::UnsafeValue(WebhookMacro::UserId));
        assert_eq!(stored.attempts().iter().map(|attempt| &attempt.outcome).collect::<Vec<_>>(), [&unsafe_value]);
    }
}

#[tokio::test]
async fn copies_of_a_message_make_one_request_for_an_attempt() {
    let delivery = delivery("gg3-42", "p-9");
    let world = world(&delivery);
    world.state().answers.extend(failing(9));
    let other = delivery.first_message(ChainTicket::from_random([2; 8])).unwrap();
    let copy = world.state().resends[0].clone();
    world.state().resends.extend([copy, (other, start())]);
    run(&world, &use_case(&world, Some(recipient("")))).await;
    assert_eq!(world.state().requests.len(), usize::from(ATTEMPTS));
    assert_eq!(status(&world, &delivery), Status::Exhausted);
}

#[tokio::test]
async fn a_new_round_keeps_the_id_and_ends_the_old_rounds_messages() {
    let delivery = delivery("gg3-42", "p-9");
    let world = world(&delivery);
    world.state().answers.extend(failing(1));
    let (first, _) = world.state().resends.remove(0);
    let ready = use_case(&world, Some(recipient("")));
    ready.handle(&[received(&first)], start().plus(FUNCTION)).await;
    let stored = world.state().deliveries[delivery.id()].clone();
    let opened = stored.open_round(start(), ChainTicket::from_random([3; 8]));
    let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [1; 8]);
    let audit = crate::operators::resend::record(&operation, &opened, start());
    assert_eq!(crate::ports::Rounds::open_round(&world, &opened, &audit).await, Ok(crate::ports::Replaced::Done));
    world.state().resends.push((opened.message, start()));
    let outcomes = run(&world, &ready).await;
    assert!(outcomes.contains(&MessageOutcome::Done(NoWorkReason::OlderRound)));
    assert_eq!(status(&world, &delivery), Status::Delivered);
    let state = world.state();
    assert_eq!((state.requests.len(), state.attempts.len()), (2, 1), "the old round's attempt is kept beside it");
    assert!(state.requests.iter().all(|(_, id, _)| id == delivery.id()));
}

/// Tries every single fault and every pair of faults. The delivery always ends. A fault causes another request only if
/// it is a fault of a call to the partner.
#[tokio::test]
async fn any_one_or_two_faults_lose_nothing_and_cost_no_request() {
    let delivery = delivery("gg3-42", "p-9");
    let clean = world(&delivery);
    clean.state().answers.extend(failing(2));
    run(&clean, &use_case(&clean, Some(recipient("")))).await;
    let calls = clean.state().calls.len();
    let kinds = [Trouble::Before, Trouble::After];
    let singles: Vec<(usize, Trouble)> = (0..calls + 2).flat_map(|at| kinds.map(|kind| (at, kind))).collect();
    let mut tried = 0;
    for (at, first) in singles.iter().enumerate() {
        for second in &singles[at..] {
            let world = world(&delivery);
            world.state().answers.extend(failing(2));
            world.state().trouble = [*first, *second].into();
            run(&world, &use_case(&world, Some(recipient("")))).await;
            let state = world.state();
            let told = format!("{first:?}, {second:?}: {:?}", state.calls);
            let ended = state.deliveries[delivery.id()].clone();
            assert_eq!(ended.status(), Status::Delivered, "{told}");
            // The partner answers 500 twice, and each broken call to the partner causes a further attempt.
            let broken = [first, second].into_iter().map(|(at, _)| at).collect::<BTreeSet<_>>();
            let broken = broken.into_iter().filter(|at| state.calls.get(**at) == Some(&"call partner")).count();
            assert!(ended.attempts().len() <= 3 + broken, "{told}");
            assert!(state.requests.len() <= 3 + broken, "{told}");
            let dues: Vec<UnixMillis> = ended.attempts().iter().map(|attempt| attempt.due_at).collect();
            assert!(state.requests.iter().all(|(at, _, _)| *at >= dues[0]), "none early: {told}");
            tried += 1;
        }
    }
    assert!(tried > 400, "{tried}");
}
