//! Plays GG3's side: tells what users do as events, and derives the deliveries that are owed by a plain reading of
//! the contract.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::world::{CAMPAIGNS, GROUP, QUEST, STRIKE, World};
use fastrand::Rng;

/// Limits how far events lie before the campaigns' beginning and after it, in milliseconds.
const BEFORE_MS: u64 = 3_600_000;
pub(crate) const AFTER_MS: u64 = 4000;

/// Names a delivery by user, provider and campaign.
pub(crate) type Owed = (String, String, String);

/// Holds the messages to `gg3-events`, and what they must lead to.
pub(crate) struct Story {
    /// Holds the bodies in the order in which they are sent. They are shuffled, and many come more than once.
    pub(crate) messages: Vec<String>,
    /// Counts the distinct events in `messages`.
    pub(crate) different: usize,
    /// Holds the malformed bodies. Each is sent once.
    pub(crate) malformed: BTreeSet<String>,
    /// Holds the deliveries that are owed.
    pub(crate) owed: BTreeSet<Owed>,
}

/// Holds one event of a user before it is JSON.
#[derive(Debug, Clone)]
struct Happened {
    at: i64,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Opened { provider: String, total: u64 },
    Registered { provider: Option<String>, total: u64 },
    Clicked { total: u64 },
    Completed { quest: &'static str },
}

impl Story {
    /// Draws the actions of this number of users.
    pub(crate) fn tell(world: &World, dice: &mut Rng, users: u64) -> Self {
        let providers = world.plain();
        let begin = world.active_from.values().max().copied().unwrap();
        let (mut bodies, mut owed, mut malformed) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for n in 0..users {
            let user = format!("user-{n}");
            let happened = life(&providers, begin, dice);
            owed.extend(owed_for(&user, &happened, &world.active_from));
            bodies.extend(happened.iter().enumerate().map(|(at, event)| event.body(&format!("evt-{n}-{at}"), &user)));
            if dice.u64(..100) < 5 {
                let broken =
                    json!({"id": format!("broken-{n}"), "type": "gg_button.clicked", "user_id": user}).to_string();
                malformed.insert(broken.clone());
                bodies.push(broken);
            }
        }
        let different = bodies.len();
        let mut messages: Vec<String> = Vec::new();
        for body in bodies {
            let times = if dice.u64(..100) < 30 { 1 + dice.u64(..3) } else { 1 };
            messages.extend((0..times).map(|_| body.clone()));
        }
        dice.shuffle(&mut messages);
        Self { messages, different, malformed, owed }
    }
}

/// Draws 4 to 15 events of a user in the order of their time. Some come before any campaign began.
fn life(providers: &[String], begin: i64, dice: &mut Rng) -> Vec<Happened> {
    let count = 4 + dice.u64(..12);
    let mut instants = BTreeSet::new();
    while instants.len() as u64 != count {
        let after = dice.u64(..100) < 65;
        let offset = i64::try_from(dice.u64(..if after { AFTER_MS } else { BEFORE_MS })).unwrap();
        instants.insert(if after { begin + offset } else { begin - offset });
    }
    let mut total = dice.u64(..50);
    let quests = [&[QUEST][..], &GROUP, &["q-of-nobody"]].concat();
    let happened = instants.into_iter().map(|at| {
        let provider = dice.choice(providers).unwrap().clone();
        let what = match dice.u64(..10) {
            0..2 => What::Opened { provider, total },
            2 => What::Registered { provider: (dice.u64(..100) < 70).then_some(provider), total },
            3..6 => {
                total += dice.u64(..4);
                What::Clicked { total }
            }
            _ => What::Completed { quest: dice.choice(&quests).unwrap() },
        };
        Happened { at, what }
    });
    happened.collect()
}

impl Happened {
    fn body(&self, id: &str, user: &str) -> String {
        let instant = domain::jiff::Timestamp::from_millisecond(self.at).unwrap();
        let tracking = |provider: &str| json!({"provider": provider, "click_id": format!("click-of-{user}")});
        let (kind, more) = match &self.what {
            What::Opened { provider, total } => {
                ("tracking_link.opened", json!({"tracking": tracking(provider), "total_clicks": total}))
            }
            What::Registered { provider: Some(provider), total } => {
                ("user.registered", json!({"method": "google", "tracking": tracking(provider), "total_clicks": total}))
            }
            What::Registered { provider: None, .. } => ("user.registered", json!({"method": "google"})),
            What::Clicked { total } => ("gg_button.clicked", json!({"total_clicks": total})),
            What::Completed { quest } => ("main_quest.completed", json!({"quest_id": quest})),
        };
        let mut body = json!({"id": id, "type": kind, "user_id": user, "occurred_at": instant.to_string()});
        let (Value::Object(body_fields), Value::Object(more)) = (&mut body, more) else {
            unreachable!("an event and its details are objects")
        };
        body_fields.extend(more);
        body.to_string()
    }

    /// Returns the total of clicks if the event opens this partner's link.
    fn opening(&self, provider: &str) -> Option<u64> {
        match &self.what {
            What::Opened { provider: opened, total } if opened == provider => Some(*total),
            What::Registered { provider: Some(opened), total } if opened == provider => Some(*total),
            _ => None,
        }
    }
}

/// Derives the owed deliveries by a plain reading of the contract. Events count for a campaign from the partner's
/// earliest opening or the campaign's beginning, whichever is later. Clicks count from that opening's total.
fn owed_for(user: &str, happened: &[Happened], active_from: &BTreeMap<(String, String), i64>) -> Vec<Owed> {
    let reached = |provider: &String, campaign: &str, begins: i64| {
        let Some((since, base)) = happened.iter().find_map(|event| Some((event.at, event.opening(provider)?))) else {
            return false;
        };
        let counts = || happened.iter().filter(|event| event.at >= since.max(begins));
        let completed =
            |wanted: &str| counts().any(|event| matches!(event.what, What::Completed { quest } if quest == wanted));
        match CAMPAIGNS.iter().position(|name| *name == campaign) {
            Some(0) => counts().any(
                |event| matches!(&event.what, What::Registered { provider: Some(brought), .. } if brought == provider),
            ),
            Some(1) => counts().any(|event| matches!(event.what, What::Clicked { total } if total >= base + STRIKE)),
            Some(2) => completed(QUEST),
            _ => GROUP.into_iter().all(completed),
        }
    };
    let reached = active_from.iter().filter(|((provider, campaign), begins)| reached(provider, campaign, **begins));
    reached.map(|((provider, campaign), _)| (user.to_owned(), provider.clone(), campaign.clone())).collect()
}

/// Sends all messages, ten in a call.
pub(crate) async fn send(world: &World, messages: &[String]) {
    for batch in messages.chunks(10) {
        let entry = |(n, body): (usize, &String)| json!({"Id": n.to_string(), "MessageBody": body});
        let entries: Vec<Value> = batch.iter().enumerate().map(entry).collect();
        let request = json!({"QueueUrl": world.queue("gg3-events"), "Entries": entries});
        let sent = world.call("AmazonSQS.SendMessageBatch", &request).await;
        assert_eq!(sent["Successful"].as_array().map(Vec::len), Some(batch.len()), "{sent}");
    }
}
