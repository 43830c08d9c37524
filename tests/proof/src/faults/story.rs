//! Describes the stories: the partners' calls, GG3's events, the partners' answers to webhooks, and an operator's
//! actions.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use domain::{
    outbound::{
        attempt::{AttemptFault, AttemptOutcome, Phase},
        campaign::CampaignState,
        catalogue::Catalogue,
        retry::RetryAfter,
    },
    values::time::UnixMillis,
};
use fastrand::Rng;
use serde_json::{Value, json};

use super::{Slip, work::REQUEST};

/// Holds a story's calls, and its events in batches.
#[derive(Debug, Clone, Default)]
pub(super) struct Story {
    pub(super) calls: VecDeque<String>,
    pub(super) events: VecDeque<Vec<String>>,
    /// Limits how many actors of a kind work at once.
    pub(super) at_once: usize,
    /// Limits how many webhook messages an actor takes at once.
    pub(super) batch: usize,
    /// Lists the partners' answers in the order of the requests. Each has a `Retry-After` and the time that the answer
    /// takes. After the last listed answer, every answer is 200.
    pub(super) answers: VecDeque<(AttemptOutcome, Option<RetryAfter>, Duration)>,
    /// Lists numbers of requests. After each of these requests, an operator opens a round of the last requested
    /// delivery. If that fails, the operator does not repeat it.
    pub(super) by_hand: VecDeque<usize>,
    /// Lists the numbers of the webhook messages that the queues lose. Messages are numbered in the order in which they
    /// were sent.
    pub(super) lost: BTreeSet<usize>,
    /// Says if the sweep runs. Without the sweep, a delivery whose message is lost is never sent.
    pub(super) swept: bool,
    /// Says if the partner's file spares its server: webhooks are held back while it is down, and limited to one a second.
    pub(super) spares: bool,
    /// Says how long all campaigns are paused, from the beginning.
    pub(super) paused_for: Duration,
    /// Says how long after the beginning the campaigns are archived. `None` means that they are not archived.
    pub(super) archived_after: Option<Duration>,
    /// Makes queues or tables break a rule, to test that the ledger reports the broken rule.
    pub(super) slip: Option<Slip>,
}

impl Story {
    /// Returns the time in which the campaigns are open.
    pub(super) fn open(&self) -> Open {
        let until = self.archived_after.map(|after| noon().plus(after));
        Open { from: noon().plus(self.paused_for), until, spares: self.spares }
    }
}

/// Holds the time in which the campaigns are open. Before this time the campaigns are paused, and after it they are
/// archived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) from: UnixMillis,
    pub(super) until: Option<UnixMillis>,
    /// Says if the partner's file spares its server.
    pub(super) spares: bool,
}

impl Open {
    pub(super) fn standing(self, now: UnixMillis) -> CampaignState {
        match self.until {
            Some(until) if until <= now => CampaignState::Archived,
            _ if now < self.from => CampaignState::Paused,
            _ => CampaignState::Open,
        }
    }
}

/// Returns the instant at which the story begins.
pub(super) fn noon() -> UnixMillis {
    UnixMillis::from_millisecond(1_795_435_200_000)
}

/// Returns the short stories.
pub(super) fn short() -> [Story; 6] {
    let answered = |answers: &[u16]| Story {
        events: [vec![opened("u", 1), completed("u", 9, "q1")]].into(),
        at_once: 2,
        batch: 1,
        answers: answers.iter().map(|status| answer(*status)).collect(),
        ..Story::default()
    };
    let resend = postback(1, "10.00");
    [
        // A postback is sent, resent and contradicted. A user reaches two goals, and reaches the second one late.
        Story {
            calls: [resend.clone(), resend, postback(1, "7")].into(),
            events: [vec![completed("u", 9, "q1"), "{".to_owned()], vec![opened("u", 1), completed("u", 8, "q2")]]
                .into(),
            batch: 2,
            ..answered(&[])
        },
        // The partner is down for a round.
        answered(&[500, HANGS, 500, 429, HANGS, 500]),
        // The partner spares its server, and is down for most of a round.
        Story { spares: true, ..answered(&[500, HANGS, 500, 500]) },
        // An operator opens a round while the first one is under way.
        Story { by_hand: [1].into(), swept: true, ..answered(&[500, HANGS, 410]) },
        // The campaign is archived between two attempts.
        Story { archived_after: Some(Duration::from_secs(20)), ..answered(&[500, 500, 500]) },
        // The campaign is paused at first, and messages are lost.
        Story { lost: [0, 3].into(), swept: true, paused_for: Duration::from_secs(90), ..answered(&[500]) },
    ]
}

/// Draws a long story. Transactions are sent several times and some are contradicted. Users' events come in any order
/// and some come twice. Partners are down now and then. Every other seed also has lost messages, rounds opened by
/// hand and a sweep.
pub(super) fn long(seed: u64) -> Story {
    let mut dice = Rng::with_seed(seed ^ 0x5eed);
    let amounts = ["10.00", "10.0", "10", "7"];
    let calls = (0..24).map(|_| postback(dice.usize(..8), amounts[dice.usize(..amounts.len())])).collect();
    let users = ["u", "v", "w"];
    let mut events: Vec<String> = Vec::new();
    for _ in 0..30 {
        let (user, minute) = (users[dice.usize(..users.len())], dice.usize(..50));
        events.push(match dice.usize(..6) {
            0 => opened(user, minute),
            1 | 2 => completed(user, minute, "q1"),
            3 => completed(user, minute, "q2"),
            4 => clicked(user, minute, 100 + dice.usize(..30)),
            _ => ["{".to_owned(), completed(user, minute, "q9")][dice.usize(..2)].clone(),
        });
    }
    let events = events.chunks(4).map(<[String]>::to_vec).collect();
    let statuses = [200, 200, 500, 500, 429, HANGS, HANGS, 410];
    let answers = (0..40).map(|_| answer(statuses[dice.usize(..statuses.len())])).collect();
    let swept = seed % 2 == 1;
    let mut some = |most, below| (0..dice.usize(..most)).map(|_| dice.usize(..below)).collect::<BTreeSet<usize>>();
    let (lost, by_hand) = if swept { (some(8, 40), some(4, 20)) } else { Default::default() };
    let paused_for = Duration::from_secs([0, 600][dice.usize(..2)]);
    Story {
        calls,
        events,
        at_once: 3,
        batch: 3,
        answers,
        by_hand: by_hand.into_iter().collect(),
        lost,
        swept,
        spares: seed.is_multiple_of(3),
        paused_for,
        archived_after: None,
        slip: None,
    }
}

/// Means that the partner never answers.
const HANGS: u16 = 0;

fn answer(status: u16) -> (AttemptOutcome, Option<RetryAfter>, Duration) {
    let hangs = AttemptOutcome::Fault(AttemptFault::TimedOut { waiting_for: Phase::Headers, after_ms: 10_000 });
    match status {
        HANGS => (hangs, None, REQUEST),
        429 => (AttemptOutcome::Status(429), Some(RetryAfter::Delay(Duration::from_mins(2))), Duration::ZERO),
        status => (AttemptOutcome::Status(status), None, Duration::from_millis(300)),
    }
}

fn postback(transaction: usize, amount: &str) -> String {
    format!("user_id=12345&click_id=67890&transaction_id=t-{transaction}&currency=USD&amount_decimal={amount}")
}

fn event(kind: &str, user: &str, minute: usize, more: &Value) -> String {
    let mut event = json!({"id": format!("{kind}-{user}-{minute}"), "type": kind, "user_id": user,
        "occurred_at": noon().minus(Duration::from_secs(60 * (60 - minute as u64))).to_string()});
    for (name, value) in more.as_object().expect("an object") {
        event[name] = value.clone();
    }
    event.to_string()
}

fn opened(user: &str, minute: usize) -> String {
    let tracking = json!({"provider": "acme", "click_id": format!("c-{user}")});
    event("tracking_link.opened", user, minute, &json!({"tracking": tracking, "total_clicks": 100}))
}

fn completed(user: &str, minute: usize, quest: &str) -> String {
    event("main_quest.completed", user, minute, &json!({"quest_id": quest}))
}

fn clicked(user: &str, minute: usize, total: usize) -> String {
    event("gg_button.clicked", user, minute, &json!({"total_clicks": total}))
}

/// Returns a catalogue whose campaigns all begin an hour before noon.
pub(super) fn catalogue() -> Catalogue {
    let from = noon().minus(Duration::from_hours(1)).as_millisecond();
    let campaign = |goal: Value| json!({"goal": goal, "active_from": from});
    let campaigns = json!({
        "strike": campaign(json!({"type": "ggstrike", "clicks": 10})),
        "quest": campaign(json!({"type": "main_quest", "quest": "q1"})),
        "group": campaign(json!({"type": "main_quests", "quests": ["q1", "q2"]})),
    });
    let partners = json!({"acme": {"campaigns": campaigns}});
    serde_json::from_value(json!({"version": 1, "published_at": from, "partners": partners})).expect("a catalogue")
}
