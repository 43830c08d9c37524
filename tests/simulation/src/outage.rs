//! Plays one partner's server that is down, with the use case `DeliverWebhooks` itself over the ports in memory. Time is
//! virtual.
//!
//! A batch of up to ten messages that are visible is handled by the next of some workers, each with a memory of its own.
//! The server answers 503 at once while it is down, and 200 at once otherwise.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use app::{
    cache::{Cache, CachePolicy},
    deliver_webhooks::{AttemptTime, DeliverWebhooks, KnownEndpoints, MessageOutcome, ReceivedMessage},
    memory::{Held, World},
    ports::KnownRecipient,
};
use domain::{
    outbound::{
        agreed_ids::PartnerIds,
        attempt::AttemptOutcome,
        delivery::{Delivery, DeliveryPace, Ending, Message},
        participant::Owed,
        webhook::Allowance,
    },
    partner::{Partner, PartnerFile, recipient::Recipient},
    values::{
        ids::{CampaignName, ChainTicket, ClickId, Provider, UserId},
        time::UnixMillis,
    },
};
use serde_json::{Value, json};

/// Counts the workers.
const WORKERS: usize = 8;
/// Limits the messages of a batch.
const BATCH: usize = 10;

/// Describes a partner's day.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) name: &'static str,
    /// Holds what the partner's file says beside its campaign.
    pub(crate) file: Value,
    /// Gives the webhooks that become owed at once at the beginning.
    pub(crate) at_once: u64,
    /// Gives the webhooks that become owed in each second.
    pub(crate) a_second: u64,
    /// Gives the seconds in which webhooks become owed.
    pub(crate) seconds: u64,
    /// Gives the spans of time in which the server is down, in seconds.
    pub(crate) down: Vec<(u64, u64)>,
}

/// Counts what happened.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) owed: u64,
    pub(crate) delivered: u64,
    pub(crate) exhausted: u64,
    /// Counts the requests that came while the server was down.
    pub(crate) in_vain: u64,
    /// Gives the most requests in a second.
    pub(crate) most_a_second: u64,
    /// Gives the seconds from the last outage's end, or from the beginning if there is none, until nothing that had been
    /// owed until then was left.
    pub(crate) drained_after: u64,
    /// Counts the changes from up to down and back.
    pub(crate) transitions: u64,
    pub(crate) hops: u64,
    /// Counts the writes to the endpoint's item, of its health and of places.
    pub(crate) health_writes: u64,
    pub(crate) reservations: u64,
}

fn start() -> UnixMillis {
    UnixMillis::from_millisecond(1_795_435_200_000)
}

fn second(seconds: u64) -> UnixMillis {
    start().plus(Duration::from_secs(seconds))
}

fn provider() -> Provider {
    Provider::new("acme").expect("a slug")
}

fn recipient(file: &Value) -> KnownRecipient {
    let mut media_buying = json!({"campaigns": [{"name": "welcome", "goal": {"type": "registration"},
        "active_from": "2026-11-23T12:00:00Z", "webhook": {"url": "https://a.example/hook?c={clickId}"}}]});
    for (name, value) in file.as_object().expect("an object") {
        media_buying[name] = value.clone();
    }
    let file = json!({"provider": provider().as_str(), "media_buying": media_buying});
    let file: PartnerFile = serde_json::from_value(file).expect("a partner's file");
    let partner = Partner::try_from(file).expect("a partner");
    KnownRecipient { recipient: Recipient::of(&partner, Allowance::PublicOnly), secrets: Vec::new() }
}

fn worker(world: &World, file: &Value) -> DeliverWebhooks<World> {
    let known = [(provider(), recipient(file))];
    DeliverWebhooks {
        recipients: Cache::new(Held::new(world, known), CachePolicy::default()),
        deliveries: world.clone(),
        new_deliveries: world.clone(),
        endpoints: KnownEndpoints::new(world.clone()),
        resends: world.clone(),
        partners: world.clone(),
        dead_letters: world.clone(),
        clock: world.clone(),
        randomness: world.clone(),
        pace: DeliveryPace::default(),
        time: AttemptTime { request: Duration::from_secs(10), operation: Duration::from_secs(4) },
    }
}

/// Makes a delivery that is owed from this second on, and its message.
fn owed(number: u64, at: u64) -> (Delivery, Message) {
    let owed = Owed {
        provider: provider(),
        campaign: CampaignName::new("welcome").expect("a name"),
        ids: PartnerIds { click_id: ClickId::new("c-1").ok(), user_id: None },
        occurred_at: second(at),
    };
    let user = UserId::new(format!("u-{number}")).expect("an id");
    // The tickets of the world count up from 1, so these never meet them.
    let ticket = ChainTicket::from_random((u64::MAX - number).to_be_bytes());
    let delivery = Delivery::new(user, owed, second(at), ticket.clone());
    let message = delivery.first_message(ticket).expect("a message");
    (delivery, message)
}

/// Plays a story until nothing is under way.
pub(crate) fn play(story: &Story) -> Told {
    let world = World::default();
    let workers: Vec<_> = (0..WORKERS).map(|_| worker(&world, &story.file)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut play = Play { world, waiting: BinaryHeap::new(), messages: Vec::new(), told: Told::default() };
    let last_down = story.down.iter().map(|down| down.1).max().unwrap_or_default();
    for number in 0..story.at_once {
        play.owe(number, 0);
    }
    let mut turn = 0;
    let mut now = start();
    for at in 0..story.seconds.max(1) {
        if at < story.seconds {
            for _ in 0..story.a_second {
                play.owe(play.told.owed, at);
            }
        }
        // The last second is followed by all the time that is needed.
        let until = if at + 1 < story.seconds { second(at + 1) } else { UnixMillis::from_millisecond(i64::MAX) };
        while let Some((batch, at)) = play.batch(now, until) {
            now = at;
            turn = (turn + 1) % workers.len();
            let is_down = story.down.iter().any(|down| second(down.0) <= now && now < second(down.1));
            runtime.block_on(play.handle(&workers[turn], batch, now, is_down));
        }
    }
    play.finish(second(last_down))
}

struct Play {
    world: World,
    /// Holds the messages by the instant at which they are visible.
    waiting: BinaryHeap<Reverse<(UnixMillis, usize)>>,
    messages: Vec<Option<Message>>,
    told: Told,
}

impl Play {
    fn owe(&mut self, number: u64, at: u64) {
        let (delivery, message) = owed(number, at);
        self.world.state().deliveries.insert(delivery.id().clone(), delivery);
        self.told.owed += 1;
        self.put(message, second(at));
    }

    fn put(&mut self, message: Message, visible_at: UnixMillis) {
        self.waiting.push(Reverse((visible_at, self.messages.len())));
        self.messages.push(Some(message));
    }

    /// Takes the next batch that is visible before an instant, and says when it is taken.
    fn batch(&mut self, now: UnixMillis, until: UnixMillis) -> Option<(Vec<Message>, UnixMillis)> {
        let Reverse((first, _)) = *self.waiting.peek()?;
        let at = now.max(first);
        if at >= until {
            return None;
        }
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH
            && let Some(Reverse((_, number))) =
                self.waiting.peek().copied().filter(|Reverse((visible, _))| *visible <= at)
        {
            self.waiting.pop();
            batch.extend(self.messages[number].take());
        }
        Some((batch, at))
    }

    async fn handle(&mut self, worker: &DeliverWebhooks<World>, batch: Vec<Message>, now: UnixMillis, is_down: bool) {
        {
            let mut state = self.world.state();
            state.millisecond = now.as_millisecond();
            let status = AttemptOutcome::Status(if is_down { 503 } else { 200 });
            state.answers = std::iter::repeat_n((status, None, Duration::ZERO), BATCH).collect();
            state.calls.clear();
        }
        let before = self.world.state().requests.len();
        let received =
            |message: Message| ReceivedMessage { id: String::new(), message: Ok(message), whole: String::new() };
        let batch: Vec<ReceivedMessage> = batch.into_iter().map(received).collect();
        let outcomes = worker.handle(&batch, now.plus(Duration::from_mins(1))).await;
        for outcome in &outcomes {
            match outcome {
                MessageOutcome::Hopped { .. } => self.told.hops += 1,
                MessageOutcome::Attempted(_) => {}
                other => panic!("nothing else can happen here: {other:?}"),
            }
        }
        let sent = std::mem::take(&mut self.world.state().resends);
        for (message, visible_at) in sent {
            self.put(message, visible_at);
        }
        let state = self.world.state();
        self.told.in_vain += if is_down { (state.requests.len() - before) as u64 } else { 0 };
        let count = |name: &str| state.calls.iter().filter(|call| **call == name).count() as u64;
        self.told.health_writes += count("write endpoint");
        self.told.reservations += count("reserve places");
        drop(state);
        self.count_transitions();
    }

    fn count_transitions(&mut self) {
        let state = self.world.state();
        let is_down = state.endpoints.values().any(|stored| stored.endpoint.down_since().is_some());
        self.told.transitions += u64::from(is_down != (self.told.transitions % 2 == 1));
    }

    /// Counts how the deliveries ended.
    fn finish(mut self, up_at: UnixMillis) -> Told {
        let state = self.world.state();
        for delivery in state.deliveries.values() {
            match delivery.ending() {
                Some(Ending::Delivered) => self.told.delivered += 1,
                Some(Ending::Exhausted) => self.told.exhausted += 1,
                other => panic!("a delivery ended {other:?}"),
            }
        }
        let owed_before = state.deliveries.values().filter(|delivery| delivery.created_at() <= up_at);
        let last = owed_before.filter_map(Delivery::ended_at).max().unwrap_or(up_at);
        self.told.drained_after = (last.as_millisecond() - up_at.as_millisecond()).max(0).unsigned_abs().div_ceil(1000);
        let mut seconds: Vec<i64> = state.requests.iter().map(|(at, ..)| at.as_millisecond() / 1000).collect();
        seconds.sort_unstable();
        let runs = seconds.chunk_by(|one, other| one == other).map(|run| run.len() as u64);
        self.told.most_a_second = runs.max().unwrap_or_default();
        drop(state);
        self.told
    }
}

/// Returns the stories that are written to the report.
pub(crate) fn stories() -> Vec<Story> {
    let hour = 3600;
    let outage = |name, file| Story {
        name,
        file,
        at_once: 0,
        a_second: 50,
        seconds: 4 * hour + hour / 2,
        down: vec![(hour / 2, hour / 2 + 3 * hour)],
    };
    let flapping = (0..15).map(|turn| (turn * 240, turn * 240 + 120)).collect();
    vec![
        outage("3 h down, 50 a second", json!({})),
        outage("… `hold_while_down`", json!({"hold_while_down": true})),
        outage("… and `max_rate: 200`", json!({"hold_while_down": true, "max_rate": 200})),
        Story {
            name: "down and up by 2 min, 10 a second, `hold_while_down`",
            file: json!({"hold_while_down": true}),
            at_once: 0,
            a_second: 10,
            seconds: hour,
            down: flapping,
        },
        Story {
            name: "a million owed at once, `max_rate: 100`",
            file: json!({"max_rate": 100}),
            at_once: 1_000_000,
            a_second: 0,
            seconds: 0,
            down: Vec::new(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a tenth of a story.
    fn tenth(number: usize) -> Told {
        let story = stories().remove(number);
        play(&Story { a_second: story.a_second / 10, at_once: story.at_once / 100, ..story })
    }

    #[test]
    fn an_outage_of_three_hours_loses_nothing_and_is_made_up_within_half_an_hour() {
        let told = tenth(1);
        assert_eq!((told.delivered, told.exhausted, told.transitions), (told.owed, 0, 2), "{told:?}");
        assert!(told.in_vain <= 200 && told.drained_after <= 1800, "{told:?}");
    }

    #[test]
    fn a_flapping_endpoint_changes_once_for_each_turn() {
        let told = tenth(3);
        assert_eq!((told.delivered, told.transitions % 2), (told.owed, 0), "{told:?}");
        assert!(told.transitions <= 30, "{told:?}");
    }

    #[test]
    fn a_large_debt_is_paid_at_the_agreed_rate() {
        let told = tenth(4);
        assert_eq!((told.delivered, told.in_vain), (told.owed, 0), "{told:?}");
        assert!(told.most_a_second <= 3 * 100, "{told:?}");
    }
}
