//! Runs each use case over the ports of one actor.

use std::{sync::OnceLock, time::Duration};

use app::{
    accept_postback::{AcceptPostback, PartnerRates, PostbackAnswer, StrangerRates},
    cache::{Cache, CachePolicy},
    current_catalogue::CurrentCatalogue,
    deliver_webhooks::{self, AttemptTime, DeliverWebhooks, KnownEndpoints, ReceivedMessage},
    evaluate_events::{self, EvaluateEvents, ReceivedEvent},
    memory::{self, Held},
    operators::resend,
    ports::{
        Clock, Deliveries, EndpointsOfPartner, KnownRecipient, Randomness, Replaced, ResendQueue, Rounds, Unavailable,
    },
    relay_conversions::{IncomingConversion, Relayed, relay},
    sweep_deliveries::{Lateness, SweepDeliveries},
};
use domain::{
    audit::{Author, Channel, Operation},
    inbound::{click::ClickKeys, conversion::RecordedPostback},
    outbound::{
        campaign::CampaignState,
        delivery::{DeliveryPace, Message},
        timing::Timing,
        webhook::Allowance,
    },
    partner::{Partner, PartnerFile, recipient::Recipient},
    values::{
        ids::{DeliveryId, Provider, ReceiptId},
        signature::Secret,
        time::UnixMillis,
    },
};
use serde_json::{Value, json};

use super::{
    stage::{Configuration, Stage},
    story::{Open, noon},
};

/// Limits how long a function lives, and how long a claim is held.
pub(super) const FUNCTION: Duration = Duration::from_mins(1);
/// Limits how long a request takes.
pub(super) const REQUEST: Duration = Duration::from_secs(10);
/// Limits how long one operation of a store takes.
pub(super) const OPERATION: Duration = Duration::from_secs(4);
/// Gives the campaigns' initial interval.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);

/// Describes work for one actor. If the work fails or the actor dies, the work comes again.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// A partner makes a call with this query.
    Call(String),
    /// The postbacks' stream brings these records.
    Relay(Vec<RecordedPostback>),
    /// The queue `gg3-events` brings these messages.
    Evaluate(Vec<String>),
    /// The queues of webhooks bring these messages.
    Send(Vec<Message>, Open),
    /// An operator opens a round of this delivery.
    OpenRound(DeliveryId),
    /// The sweep runs.
    Sweep(Open),
}

/// Holds the result of finished work.
#[derive(Debug)]
pub(super) enum Done {
    Call(String, PostbackAnswer),
    Relay(Vec<RecordedPostback>, Relayed),
    Evaluate(Vec<String>, Vec<evaluate_events::EventOutcome>),
    Send(Vec<Message>, Vec<deliver_webhooks::MessageOutcome>),
    OpenRound,
    Sweep,
}

/// Does this work on this stage, like a sandbox that has just started.
pub(super) async fn perform(work: Work, stage: Stage, number: u64) -> Done {
    match work {
        Work::Call(query) => {
            let answer = accept(&query, stage, number).await;
            Done::Call(query, answer)
        }
        Work::Relay(records) => {
            let incoming = |record: &RecordedPostback| IncomingConversion {
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
        Work::Send(messages, open) => {
            let outcomes = send(&messages, open, stage).await;
            Done::Send(messages, outcomes)
        }
        Work::OpenRound(id) => {
            // A failure needs no handling here, because the operator would see it and decide.
            let _ = open_round(&id, &stage).await;
            Done::OpenRound
        }
        Work::Sweep(open) => {
            sweep(open, stage).await;
            Done::Sweep
        }
    }
}

async fn accept(query: &str, stage: Stage, number: u64) -> PostbackAnswer {
    let file: PartnerFile = serde_json::from_value(json!({"provider": "acme"})).expect("a partner");
    let known = (provider(), memory::partner::known(Partner::try_from(file).expect("a partner")));
    let keys = ClickKeys::new(vec![Secret::new("k")]).expect("a key");
    let accept = AcceptPostback::<Stage> {
        partners: Cache::new(Configuration(stage.clone(), Held::new(&stage.world, [known])), CachePolicy::default()),
        keys: Cache::new(Configuration(stage.clone(), Held::new(&stage.world, [((), keys)])), CachePolicy::default()),
        postbacks: stage.clone(),
        refusals: stage.clone(),
        rates: PartnerRates::default(),
        strangers: StrangerRates::default(),
    };
    let mut receipt = [0; 16];
    receipt[..8].copy_from_slice(&number.to_be_bytes());
    let now = stage.world.now().timestamp();
    accept.handle(&memory::partner::get("acme", query), now, ReceiptId::from_random(receipt)).await.answer
}

async fn evaluate(bodies: &[String], stage: Stage) -> Vec<evaluate_events::EventOutcome> {
    let evaluate = EvaluateEvents::<Stage> {
        catalogue: CurrentCatalogue::new(stage.clone(), Duration::from_secs(30)),
        participants: stage.clone(),
        deliveries: stage.clone(),
        queue: stage.clone(),
        dead_letters: stage.clone(),
        broken_links: stage.clone(),
        unknown_types: stage.clone(),
        clock: stage.world.clone(),
        randomness: stage.world,
        timing: Timing::default(),
    };
    let received =
        |(at, body): (usize, &String)| ReceivedEvent { id: at.to_string(), body: body.clone(), received_at: noon() };
    let batch: Vec<ReceivedEvent> = bodies.iter().enumerate().map(received).collect();
    evaluate.handle(&batch).await
}

async fn send(messages: &[Message], open: Open, stage: Stage) -> Vec<deliver_webhooks::MessageOutcome> {
    let now = stage.world.now();
    let recipient = Recipient::of(partner(open, now), Allowance::PublicOnly);
    let known = (provider(), KnownRecipient { recipient, secrets: Vec::new() });
    let deliver = DeliverWebhooks::<Stage> {
        recipients: Cache::new(Configuration(stage.clone(), Held::new(&stage.world, [known])), CachePolicy::default()),
        deliveries: stage.clone(),
        new_deliveries: stage.clone(),
        endpoints: KnownEndpoints::new(stage.clone()),
        resends: stage.clone(),
        partners: stage.clone(),
        dead_letters: stage.clone(),
        clock: stage.world.clone(),
        randomness: stage.world,
        pace: DeliveryPace::try_new(FUNCTION, 60).expect("a pace"),
        time: AttemptTime { request: REQUEST, operation: OPERATION },
    };
    let received = |message: &Message| ReceivedMessage {
        id: message.ticket.as_str().to_owned(),
        message: Ok(message.clone()),
        whole: String::new(),
    };
    let batch: Vec<ReceivedMessage> = messages.iter().map(received).collect();
    deliver.handle(&batch, now.plus(FUNCTION)).await
}

/// Opens a round as the operator's command does.
async fn open_round(id: &DeliveryId, stage: &Stage) -> Result<(), Unavailable> {
    let Some(delivery) = Deliveries::read(stage, id).await? else { return Ok(()) };
    let opened = delivery.open_round(stage.world.now(), stage.world.ticket()?);
    let author = Author::new("operator").expect("an author");
    let operation = Operation::new(author, Channel::Postbackctl, None, [0; 8]);
    match stage.open_round(&opened, &resend::record(&operation, &opened, stage.world.now())).await? {
        Replaced::Done => ResendQueue::send(stage, &opened.message, 0).await,
        Replaced::Changed => Ok(()),
    }
}

async fn sweep(open: Open, stage: Stage) {
    let known = (provider(), partner(open, stage.world.now()).clone());
    let sweep = SweepDeliveries::<Stage> {
        partners: Cache::new(Configuration(stage.clone(), Held::new(&stage.world, [known])), CachePolicy::default()),
        endpoints: Cache::new(EndpointsOfPartner(stage.clone()), CachePolicy::default()),
        under_way: stage.clone(),
        webhooks: stage.clone(),
        resends: stage.clone(),
        clock: stage.world.clone(),
        randomness: stage.world,
        lateness: Lateness::default(),
    };
    sweep.sweep(UnixMillis::from_millisecond(i64::MAX)).await;
}

pub(super) fn provider() -> Provider {
    Provider::new("acme").expect("a slug")
}

/// Returns the partner as it is at this instant.
fn partner(open: Open, now: UnixMillis) -> &'static Partner {
    static EACH: OnceLock<[[Partner; 3]; 2]> = OnceLock::new();
    let each = |spares| {
        [CampaignState::Open, CampaignState::Paused, CampaignState::Archived]
            .map(|standing| read_partner(standing, spares))
    };
    let [plain, sparing] = EACH.get_or_init(|| [false, true].map(each));
    let [open_now, paused, archived] = if open.spares { sparing } else { plain };
    match open.standing(now) {
        CampaignState::Open => open_now,
        CampaignState::Paused => paused,
        CampaignState::Archived => archived,
    }
}

fn read_partner(standing: CampaignState, spares: bool) -> Partner {
    let campaign = |name: &str, goal: Value| {
        json!({"name": name, "goal": goal, "active_from": noon().minus(Duration::from_hours(1)).to_string(),
            "initial_interval_seconds": INTERVAL.as_secs(),
            "paused": standing == CampaignState::Paused, "archived": standing == CampaignState::Archived,
            "webhook": {"url": "https://a.example/{campaign}/{clickId}"}})
    };
    let campaigns = [
        campaign("strike", json!({"type": "ggstrike", "clicks": 10})),
        campaign("quest", json!({"type": "main_quest", "quest": "q1"})),
        campaign("group", json!({"type": "main_quests", "quests": ["q1", "q2"]})),
    ];
    let mut file =
        json!({"provider": provider().as_str(), "media_buying": {"ids": ["click_id"], "campaigns": campaigns}});
    if spares {
        file["media_buying"]["hold_while_down"] = true.into();
        file["media_buying"]["max_rate"] = 1.into();
    }
    let file: PartnerFile = serde_json::from_value(file).expect("a partner");
    Partner::try_from(file).expect("a partner")
}
