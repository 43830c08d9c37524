//! What partners call and GG3 reports, and the use cases that take it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use app::{
    accept_postback::{AcceptPostback, Answer, Call},
    cache::{Cache, CachePolicy},
    current_catalogue::CurrentCatalogue,
    evaluate_events::{EvaluateEvents, Outcome, Received},
    memory::Held,
    ports::{KnownPartner, SystemKeys},
    relay_conversions::{Incoming, Relayed, relay},
};
use domain::{
    catalogue::{Catalogue, Timing},
    click::ClickKeys,
    conversion::RecordedPostback,
    credential::{Credentials, TokenHash},
    ids::ReceiptId,
    moment::Moment,
    partner::{Partner, PartnerFile},
    signature::Secret,
};
use serde_json::{Value, json};

use super::{
    Slip,
    stage::{Configuration, Stage},
};

/// Numbers from a seed.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below this one, by `SplitMix64`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(bound.max(1)).expect("small")).expect("small")
    }
}

/// What is to be done, by an actor of its own. What fails, or whose actor dies, comes again.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// A partner's call, with this query.
    Call(String),
    /// Records of the postbacks' stream.
    Relay(Vec<RecordedPostback>),
    /// Messages of the queue `gg3-events`.
    Evaluate(Vec<String>),
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    Call(String, Answer),
    Relay(Vec<RecordedPostback>, Relayed),
    Evaluate(Vec<String>, Vec<Outcome>),
}

/// What is told, and in which batches.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) calls: VecDeque<String>,
    pub(super) events: VecDeque<Vec<String>>,
    /// How many actors there are of a kind at most.
    pub(super) at_once: usize,
    /// What is wrong with those who bring the work, to see whether that is seen.
    pub(super) slip: Option<Slip>,
}

/// When the story begins.
pub(super) fn noon() -> Moment {
    Moment::from_millisecond(1_795_435_200_000)
}

/// One postback, its resend and a contradiction; one user's two goals, one of them reached late.
pub(super) fn short() -> Story {
    let resend = postback(1, "10.00");
    Story {
        calls: [resend.clone(), resend, postback(1, "7")].into(),
        events: [vec![completed("u", 9, "q1"), "{".to_owned()], vec![opened("u", 1), completed("u", 8, "q2")]].into(),
        at_once: 2,
        slip: None,
    }
}

/// Some transactions, each sent several times and some contradicted; some users' events in any order, some twice.
pub(super) fn long(seed: u64) -> Story {
    let mut dice = Dice::new(seed ^ 0x5eed);
    let amounts = ["10.00", "10.0", "10", "7"];
    let calls = (0..24).map(|_| postback(dice.below(8), amounts[dice.below(amounts.len())])).collect();
    let users = ["u", "v", "w"];
    let mut events: Vec<String> = Vec::new();
    for _ in 0..30 {
        let (user, minute) = (users[dice.below(users.len())], dice.below(50));
        events.push(match dice.below(6) {
            0 => opened(user, minute),
            1 | 2 => completed(user, minute, "q1"),
            3 => completed(user, minute, "q2"),
            4 => clicked(user, minute, 100 + dice.below(30)),
            _ => ["{".to_owned(), completed(user, minute, "q9")][dice.below(2)].clone(),
        });
    }
    let events = events.chunks(4).map(<[String]>::to_vec).collect();
    Story { calls, events, at_once: 3, slip: None }
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

/// Everything counts from an hour before noon.
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

/// Does this work over this stage, as a sandbox that has just been started.
pub(super) async fn perform(work: Work, stage: Stage, number: u64) -> Done {
    match work {
        Work::Call(query) => {
            let answer = accept(&query, stage, number).await;
            Done::Call(query, answer)
        }
        Work::Relay(records) => {
            let incoming = |record: &RecordedPostback| Incoming {
                id: record.receipt.transaction_id.as_str().to_owned(),
                conversion: Ok(record.clone().into()),
                whole: String::new(),
            };
            let relayed = relay(&stage, &stage, records.iter().map(incoming).collect()).await;
            Done::Relay(records, relayed)
        }
        Work::Evaluate(bodies) => {
            let outcomes = evaluate(&bodies, stage).await;
            Done::Evaluate(bodies, outcomes)
        }
    }
}

async fn accept(query: &str, stage: Stage, number: u64) -> Answer {
    let file: PartnerFile = serde_json::from_value(json!({"provider": "acme"})).expect("a partner");
    let partner = Arc::new(Partner::try_from(file).expect("a partner"));
    let credentials = Credentials::Tokens(vec![TokenHash::of("good")]);
    let known = (partner.provider().clone(), KnownPartner { partner, credentials });
    let keys = SystemKeys { click: ClickKeys::new(vec![Secret::new("k")]).expect("a key"), link: Vec::new() };
    let accept = AcceptPostback {
        partners: Cache::new(Configuration(stage.clone(), Held::new(&stage.world, [known])), CachePolicy::default()),
        keys: Cache::new(Configuration(stage.clone(), Held::new(&stage.world, [((), keys)])), CachePolicy::default()),
        postbacks: stage.clone(),
        refusals: stage.clone(),
    };
    let call = Call {
        provider: "acme",
        token: Some("good"),
        query: query.as_bytes(),
        body: b"",
        content_type: None,
        is_post: false,
        source: [192, 0, 2, 1].into(),
    };
    let mut receipt = [0; 16];
    receipt[..8].copy_from_slice(&number.to_be_bytes());
    let now = app::ports::Surroundings::now(&stage.world).timestamp();
    accept.handle(&call, now, ReceiptId::from_random(receipt)).await.answer
}

async fn evaluate(bodies: &[String], stage: Stage) -> Vec<Outcome> {
    let evaluate = EvaluateEvents {
        catalogue: CurrentCatalogue::new(stage.clone(), Duration::from_secs(30)),
        participants: stage.clone(),
        deliveries: stage.clone(),
        queue: stage.clone(),
        dead_letters: stage.clone(),
        surroundings: stage,
        timing: Timing::default(),
    };
    let received =
        |(at, body): (usize, &String)| Received { id: at.to_string(), body: body.clone(), received_at: noon() };
    let batch: Vec<Received> = bodies.iter().enumerate().map(received).collect();
    evaluate.handle(&batch).await
}
