use std::{collections::BTreeSet, ops::Range};

use domain::{
    outbound::{
        attempt::AttemptOutcome,
        delivery::{Delivery, Message, Status},
        notice::{NOTICES, Notice},
        webhook::Allowance,
    },
    partner::{Partner, PartnerFile, recipient::Recipient},
    values::ids::ChainTicket,
};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    cache::{Cache, CachePolicy},
    deliver_webhooks::{
        HopReason, MessageOutcome,
        tests::{UseCase, delivery_at, provider, received, start, use_case},
    },
    memory::{Held, Trouble, World},
    ports::{Clock, EndpointsOfPartner, KnownRecipient},
    sweep_deliveries::{Lateness, SweepDeliveries},
};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

fn at(second: i64) -> UnixMillis {
    UnixMillis::from_millisecond(start().as_millisecond() + second * 1000)
}

fn partner(endpoints: &serde_json::Value) -> Partner {
    let mut file = json!({"provider": "acme", "media_buying": {"ids": ["click_id", "user_id"], "campaigns": [
        {"name": "welcome", "goal": {"type": "registration"}, "active_from": "2026-11-23T12:00:00Z",
         "webhook": {"url": "https://a.example/hook/{userId}?c={clickId}"}}]}});
    for (name, value) in endpoints.as_object().unwrap() {
        let section = if name == "notify" { &mut file } else { &mut file["media_buying"] };
        section[name] = value.clone();
    }
    let file: PartnerFile = serde_json::from_value(file).unwrap();
    Partner::try_from(file).unwrap()
}

fn recipient(endpoints: &serde_json::Value) -> KnownRecipient {
    let recipient = Recipient::of(&partner(endpoints), Allowance::PublicOnly);
    KnownRecipient { recipient, secrets: Vec::new() }
}

fn key() -> EndpointKey {
    EndpointKey { provider: provider(), host: "a.example".into() }
}

/// Plays deliveries that become owed one after the other, to a server that answers 503 in some spans of time.
struct Play {
    world: World,
    use_case: UseCase,
    waiting: BTreeSet<(UnixMillis, usize)>,
    messages: Vec<Message>,
    owed: Vec<Delivery>,
    /// The spans of time in which the server answers 503, in seconds.
    down: Vec<(i64, i64)>,
    hops: usize,
    /// True if notices are taken although the server is down.
    notices_arrive: bool,
}

impl Play {
    fn new(endpoints: &serde_json::Value, owed_at: impl IntoIterator<Item = i64>, down: &[(i64, i64)]) -> Self {
        let world = World::default();
        world.state().millisecond = start().as_millisecond();
        let use_case = use_case(&world, Some(recipient(endpoints)));
        let mut play = Self {
            world,
            use_case,
            waiting: BTreeSet::new(),
            messages: Vec::new(),
            owed: Vec::new(),
            down: down.to_vec(),
            hops: 0,
            notices_arrive: false,
        };
        for (number, second) in (0_u64..).zip(owed_at) {
            let owed = delivery_at(&format!("u-{number}"), "p-9", at(second));
            let message = owed.first_message(ChainTicket::from_random((number << 32).to_be_bytes())).unwrap();
            play.world.state().deliveries.insert(owed.id().clone(), owed.clone());
            play.owed.push(owed);
            play.put(message, at(second));
        }
        play
    }

    fn put(&mut self, message: Message, arrives: UnixMillis) {
        self.waiting.insert((arrives, self.messages.len()));
        self.messages.push(message);
    }

    /// Plays until this second, or until nothing waits.
    async fn until(&mut self, second: i64) {
        while let Some((arrives, _)) = self.waiting.first().copied().filter(|(arrives, _)| *arrives <= at(second)) {
            let now = arrives.max(self.world.now());
            self.world.state().millisecond = now.as_millisecond();
            let mut batch = Vec::new();
            let is_notice = |message: &Message| message.campaign.as_str() == NOTICES;
            while batch.len() < 10
                && let Some((_, number)) = self.waiting.first().copied().filter(|(arrives, _)| *arrives <= now)
            {
                let message = self.messages[number].clone();
                if batch.first().is_some_and(|first| is_notice(first) != is_notice(&message)) {
                    break;
                }
                self.waiting.pop_first();
                batch.push(message);
            }
            let is_down = self.down.iter().any(|down| at(down.0) <= now && now < at(down.1));
            // A batch has notices or webhooks, because each host has its own state.
            let taken = self.notices_arrive && batch.iter().any(|message| message.campaign.as_str() == NOTICES);
            let status = AttemptOutcome::Status(if is_down && !taken { 503 } else { 200 });
            self.world.state().answers = std::iter::repeat_n((status, None, Duration::ZERO), 10).collect();
            let received: Vec<_> = batch.iter().map(received).collect();
            let outcomes = self.use_case.handle(&received, now.plus(Duration::from_mins(1))).await;
            for (message, outcome) in batch.into_iter().zip(outcomes) {
                match outcome {
                    MessageOutcome::Failed(_) | MessageOutcome::Waits { .. } => {
                        self.put(message, now.plus(Duration::from_mins(6)));
                    }
                    MessageOutcome::Hopped { .. } => self.hops += 1,
                    _ => {}
                }
            }
            let sent = std::mem::take(&mut self.world.state().resends);
            for (message, arrives) in sent {
                self.put(message, arrives);
            }
        }
    }

    /// Sweeps once, an hour later.
    async fn sweep(&mut self, endpoints: &serde_json::Value) {
        self.world.state().millisecond += 3_600_000;
        let partners = Held::new(&self.world, [(provider(), partner(endpoints))]);
        let sweep = SweepDeliveries::<World> {
            partners: Cache::new(partners, CachePolicy::default()),
            endpoints: Cache::new(EndpointsOfPartner(self.world.clone()), CachePolicy::default()),
            under_way: self.world.clone(),
            webhooks: self.world.clone(),
            resends: self.world.clone(),
            clock: self.world.clone(),
            randomness: self.world.clone(),
            lateness: Lateness::default(),
        };
        sweep.sweep(UnixMillis::from_millisecond(i64::MAX)).await;
        let now = self.world.now();
        let sent = std::mem::take(&mut self.world.state().webhooks);
        for message in sent {
            self.put(message, now);
        }
    }

    fn requests_in(&self, seconds: Range<i64>) -> usize {
        let within = |sent_at: UnixMillis| at(seconds.start) <= sent_at && sent_at < at(seconds.end);
        self.world.state().requests.iter().filter(|(sent_at, ..)| within(*sent_at)).count()
    }

    fn endpoint(&self) -> Endpoint {
        self.world.state().endpoints.get(&key()).cloned().unwrap_or_default().endpoint
    }

    fn statuses(&self) -> BTreeSet<Status> {
        let state = self.world.state();
        self.owed.iter().map(|owed| state.deliveries[owed.id()].status()).collect()
    }
}

#[tokio::test]
async fn deliveries_wait_while_their_endpoint_is_down_and_all_arrive_soon_after() {
    // One each ten seconds for four hours; the server is down for the middle three.
    let hold = json!({"hold_while_down": true});
    let mut play = Play::new(&hold, (0..4 * HOUR).step_by(10), &[(HOUR / 2, HOUR / 2 + 3 * HOUR)]);
    play.until(3 * HOUR).await;
    // The first failure came less than ten seconds after a success, and might have been one of those now and then.
    assert_eq!(play.endpoint().down_since(), Some(at(HOUR / 2 + 10)));
    let down = play.requests_in(HOUR / 2..3 * HOUR);
    assert!((10..40).contains(&down), "{down} requests");
    play.until(4 * HOUR).await;
    assert_eq!((play.statuses(), play.waiting.len()), ([Status::Delivered].into(), 0));
    let recovered_at = play.endpoint().recovered_at().unwrap();
    assert!((at(7 * HOUR / 2)..at(15 * HOUR / 4)).contains(&recovered_at), "{recovered_at}");
    // Each waiting message is looked at seldom.
    assert!(play.hops < 1080 * 30, "{}", play.hops);
}

#[tokio::test]
async fn without_holding_the_six_attempts_stand_alone_and_health_is_only_shown() {
    let mut play = Play::new(&json!({}), (0..HOUR).step_by(10), &[(0, 3 * HOUR)]);
    play.until(4 * HOUR).await;
    assert_eq!(play.statuses(), [Status::Exhausted, Status::Delivered].into(), "a round takes 150 minutes");
    assert!(play.endpoint().down_since().is_none() && play.endpoint().recovered_at() >= Some(at(3 * HOUR)));
}

#[tokio::test]
async fn a_flapping_endpoint_is_written_only_when_it_changes() {
    // Down and up in turns of two minutes, under a delivery a second.
    let down: Vec<(i64, i64)> = (0..10).map(|turn| (turn * 240, turn * 240 + 120)).collect();
    let mut play = Play::new(&json!({}), 0..2400, &down);
    play.until(2400).await;
    let state = play.world.state();
    let writes = state.calls.iter().filter(|call| **call == "write endpoint").count();
    // Suspected, two more deliveries, down, and up again.
    assert_eq!(writes, 10 * 5);
}

#[tokio::test]
async fn no_second_has_more_webhooks_than_the_rate_allows() {
    let mut play = Play::new(&json!({"max_rate": 2}), std::iter::repeat_n(0, 300), &[]);
    play.until(HOUR).await;
    assert_eq!(play.statuses(), [Status::Delivered].into());
    let sent: Vec<i64> = play.world.state().requests.iter().map(|(at, ..)| at.as_millisecond()).collect();
    assert_eq!(sent.len(), 300);
    for (place, first) in sent.iter().enumerate() {
        let within = sent[place..].iter().take_while(|at| **at < first + 1000).count();
        // A delay has whole seconds, so the places of two seconds may meet.
        assert!(within <= 2 * 3, "{within} in the second from {first}");
    }
    let last = sent.last().unwrap() - start().as_millisecond();
    assert!((148_000..155_000).contains(&last), "the last one after {last} ms");
    assert_eq!(play.hops, 297, "each message waits once, except those that go out at once");
}

#[tokio::test]
async fn a_trial_that_no_attempt_uses_is_given_back() {
    let mut play = Play::new(&json!({"hold_while_down": true}), [0, 0, 0, 100, 101], &[(0, 90)]);
    play.until(80).await;
    // The delivery has ended, so its message needs no attempt.
    let ended = play.owed[3].cancel(at(0)).unwrap();
    play.world.state().deliveries.insert(ended.id().clone(), ended);
    play.until(99).await;
    assert!(*play.endpoint().health() != Health::Up);
    let before = play.requests_in(0..HOUR);
    play.until(100).await;
    assert_eq!(play.requests_in(0..HOUR), before, "the message at 100 needed none");
    play.until(101).await;
    assert_eq!((play.requests_in(0..HOUR), play.endpoint().health()), (before + 1, &Health::Up));
}

/// Tries every single fault of the calls of ports, for a partner that wants everything, while the endpoint goes down and
/// comes up again.
#[tokio::test]
async fn no_fault_loses_a_delivery_or_makes_a_request_too_many() {
    let story = || Play::new(&json!({"hold_while_down": true, "max_rate": 1}), [0, 1, 2, 76, 77, 78], &[(0, 90)]);
    let mut clean = story();
    clean.until(HOUR).await;
    let calls = clean.world.state().calls.len();
    assert_eq!(clean.statuses(), [Status::Delivered].into());
    for fault in 0..calls {
        for kind in [Trouble::Before, Trouble::After] {
            let mut play = story();
            play.world.state().trouble = [(fault, kind)].into();
            play.until(2 * HOUR).await;
            let state = play.world.state();
            let told = format!("{kind:?} at {fault}, {:?}", state.calls.get(fault));
            let broken = usize::from(state.calls.get(fault) == Some(&"call partner"));
            drop(state);
            assert_eq!(play.statuses(), [Status::Delivered].into(), "{told}");
            let recorded: usize =
                play.owed.iter().map(|owed| play.world.state().deliveries[owed.id()].attempts().len()).sum();
            let requests = play.requests_in(0..2 * HOUR);
            assert!((recorded - broken..=recorded).contains(&requests), "{told}");
        }
    }
}

#[tokio::test]
async fn a_partner_that_asks_for_nothing_costs_no_read_before_its_attempts() {
    let mut play = Play::new(&json!({}), 0..30, &[]);
    play.until(30).await;
    let calls = play.world.state().calls.clone();
    let reads = calls.iter().filter(|call| **call == "read endpoint").count();
    assert_eq!((reads, calls.contains(&"write endpoint")), (2, false), "one each 15 seconds");
    let first = calls.iter().position(|call| *call == "read endpoint");
    assert!(first > calls.iter().position(|call| *call == "write delivery"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the outages are, everything is delivered once the server is up for good, and nothing is sent too often.
    #[test]
    fn held_deliveries_are_neither_lost_nor_exhausted(
        outages in prop::collection::vec((0..HOUR, 0..2 * HOUR), 0..4),
        rate in prop::option::of(1_u32..20),
        owed in prop::collection::vec(0..3 * HOUR, 1..40),
    ) {
        let endpoints = match rate {
            Some(rate) => json!({"hold_while_down": true, "max_rate": rate}),
            None => json!({"hold_while_down": true}),
        };
        let down: Vec<(i64, i64)> = outages.into_iter().map(|(from, lasts)| (from, from + lasts)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut play = Play::new(&endpoints, owed, &down);
        runtime.block_on(play.until(24 * HOUR));
        prop_assert_eq!(play.statuses(), [Status::Delivered].into());
        prop_assert_eq!(play.waiting.len(), 0);
        prop_assert!(play.endpoint().down_since().is_none());
    }
}

const NOTIFY: &str = "https://status.example/gg3";

/// Returns the types of the notices that reached the partner, and when.
fn told(play: &Play) -> Vec<(&'static str, UnixMillis)> {
    let state = play.world.state();
    let notices = state.requests.iter().filter(|(.., url)| url == NOTIFY);
    notices.map(|(at, id, _)| (state.deliveries[id].notice().unwrap().kind(), *at)).collect()
}

#[tokio::test]
async fn a_partner_is_told_once_that_its_endpoint_is_down_and_once_that_it_is_up() {
    let file = json!({"hold_while_down": true, "notify": {"url": NOTIFY}});
    let mut play = Play::new(&file, (0..HOUR).step_by(5), &[(600, 1800)]);
    // Notices go to another host, which is up.
    play.notices_arrive = true;
    play.until(2 * HOUR).await;
    assert_eq!(play.statuses(), [Status::Delivered].into());
    let told = told(&play);
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ["gg3.endpoint.down", "gg3.endpoint.up"]);
    assert!(told[0].1 < at(720) && told[1].1 > at(1800), "{told:?}");
}

#[tokio::test]
async fn exhausted_webhooks_are_told_at_most_once_an_hour_and_a_failing_notice_is_told_to_nobody() {
    let file = json!({"notify": {"url": NOTIFY}});
    let mut play = Play::new(&file, (0..HOUR).step_by(60), &[(0, 5 * HOUR)]);
    play.notices_arrive = true;
    play.until(6 * HOUR).await;
    let exhausted: Vec<i64> = told(&play)
        .iter()
        .filter(|(kind, _)| *kind == "gg3.webhook.exhausted")
        .map(|(_, at)| at.as_millisecond() / 3_600_000)
        .collect();
    assert_eq!(exhausted.len(), exhausted.iter().collect::<BTreeSet<_>>().len(), "{exhausted:?}");
    assert!(!exhausted.is_empty());
    // Now the notices fail too: each has its six attempts, and no notice is about a notice.
    let mut play = Play::new(&file, (0..HOUR).step_by(60), &[(0, 12 * HOUR)]);
    play.until(24 * HOUR).await;
    let state = play.world.state();
    let notices: Vec<&Delivery> = state.deliveries.values().filter(|it| it.notice().is_some()).collect();
    assert!((2..8).contains(&notices.len()), "{}", notices.len());
    assert!(notices.iter().all(|notice| notice.attempts().len() <= 6));
}

/// Tries every single fault of the calls of ports while an endpoint goes down and comes up again.
#[tokio::test]
async fn no_fault_loses_a_notice_or_tells_it_twice() {
    let notify = json!({"notify": {"url": NOTIFY}});
    let story = || {
        let mut play = Play::new(&notify, [0, 1, 2, 76, 77, 100, 101], &[(0, 90)]);
        play.notices_arrive = true;
        play
    };
    let mut clean = story();
    clean.until(2 * HOUR).await;
    let calls = clean.world.state().calls.len();
    assert_eq!(told(&clean).len(), 2);
    for fault in 0..calls {
        for kind in [Trouble::Before, Trouble::After] {
            let mut play = story();
            play.world.state().trouble = [(fault, kind)].into();
            play.until(2 * HOUR).await;
            // A message that was not sent is sent by the sweep.
            play.sweep(&notify).await;
            play.until(4 * HOUR).await;
            let state = play.world.state();
            let called = state.calls.get(fault).copied();
            let owed: Vec<&'static str> =
                state.deliveries.values().filter_map(Delivery::notice).map(Notice::kind).collect();
            drop(state);
            let told = told(&play);
            let kinds: BTreeSet<_> = told.iter().map(|(kind, _)| *kind).collect();
            assert_eq!(
                owed.iter().copied().collect::<BTreeSet<_>>().len(),
                owed.len(),
                "{kind:?} {called:?}: {owed:?}"
            );
            // A request that broke is made again.
            let broken = usize::from(called == Some("call partner"));
            assert!((2..=2 + broken).contains(&told.len()) && kinds.len() == 2, "{kind:?} {called:?}: {told:?}");
        }
    }
}

#[test]
fn reasons_of_hops_have_names() {
    let reasons = [HopReason::NotDue, HopReason::Paused, HopReason::EndpointDown, HopReason::Rate];
    assert_eq!(reasons.map(HopReason::as_str).into_iter().collect::<BTreeSet<_>>().len(), 4);
}
