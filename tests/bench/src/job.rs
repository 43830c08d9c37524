//! Describes the functions' jobs, and the answers that they must give.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use domain::{
    inbound::tracking_link::ClickLink,
    outbound::{
        agreed_ids::PartnerIds,
        attempt::{AnswerExcerpt, AttemptOutcome, FinishedAttempt},
        campaign::CampaignState,
        delivery::{AttemptDecision, Delivery, DeliveryPace, Message},
        participant::Owed,
        retry::RetryPolicy,
    },
    values::{
        ids::{CampaignName, ChainTicket, ClaimMark, ClickId, LandingName, Provider, UserId},
        signature::Secret,
        time::UnixMillis,
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tests::payload::{Change, HttpRequest, Message as Queued, queue_event, stream_event};

use crate::{
    floods::FLOODS,
    world::{LINK_SECRET, TOKEN, World},
};

/// Names a job that a function does again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// A new postback comes.
    NewPostback,
    /// The same postback comes each time.
    Duplicate,
    /// The same postback comes with another amount.
    Conflict,
    /// A postback comes without an amount.
    Malformed,
    /// A postback comes with a wrong token.
    Unauthorized,
    /// A user opens a tracking link.
    Click,
    /// The table's stream brings this number of new postbacks.
    Conversions(usize),
    /// The table's stream brings this number of new postbacks for the lookups.
    Lookups(usize),
    /// The sweep runs, and nothing is late.
    Sweep,
    /// An opening comes for each of this number of new users.
    Openings(usize),
    /// For each of this number of users, a registration comes that reaches a goal.
    Goals(usize),
    /// The same event comes each time.
    Repeated,
    /// A quest comes that no campaign asks for.
    NotNeeded,
    /// A user who has opened the links of this number of partners opens a link again.
    KnownUser(usize),
    /// Deliveries of this campaign come. All of them are due the same attempt.
    Deliveries {
        /// Counts the deliveries.
        count: usize,
        /// Names the campaign, which decides how the partner's server answers.
        way: &'static str,
        /// Gives the attempt that is due, 1 to 6.
        attempt: u8,
    },
    /// Deliveries come for a partner that answers at once, and one delivery comes for each flood.
    AmongFloods {
        /// Counts the deliveries to the honest partner.
        honest: usize,
    },
}

/// Gives the partners of deliveries.
const HONEST: &str = "acme";
const FLOODING: &str = "flooding";

fn next() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

fn now() -> UnixMillis {
    Timestamp::now().into()
}

impl Job {
    /// Returns the next event.
    pub fn event(&self, world: &World) -> Result<Value> {
        let new = || format!("t-{:012}", next());
        Ok(match self {
            Self::NewPostback => postback(TOKEN, &new(), "100.00"),
            Self::Duplicate => postback(TOKEN, "always", "100.00"),
            Self::Conflict => postback(TOKEN, "always", "7"),
            Self::Malformed => postback(TOKEN, &new(), "much"),
            Self::Unauthorized => postback("wrong", &new(), "100.00"),
            Self::Click => click()?,
            Self::Sweep => json!({}),
            Self::Conversions(count) | Self::Lookups(count) => {
                stream_event("postbacks", (0..*count).map(|_| insertion(&new())))
            }
            Self::Openings(count) => events((0..*count).map(|_| opening(&new(), 0))),
            Self::Goals(count) => events((0..*count).map(|_| registration(&new()))),
            Self::Repeated => {
                events([event("tracking_link.opened", "evt-always", "always", &tracking_by(0, "click-always"))])
            }
            Self::NotNeeded => events([event("main_quest.completed", &new(), "always", &json!({"quest_id": "none"}))]),
            Self::KnownUser(_) => events([opening(&self.user(), 0)]),
            Self::Deliveries { count, way, attempt } => {
                deliveries(world, (0..*count).map(|_| (HONEST, *way)), *attempt)?
            }
            Self::AmongFloods { honest } => {
                let floods = FLOODS.into_iter().map(|flood| (FLOODING, flood));
                deliveries(world, floods.chain((0..*honest).map(|_| (HONEST, "instant"))), 1)?
            }
        })
    }

    /// Returns the events that have to come first, once.
    pub fn before(&self) -> Vec<Value> {
        match self {
            Self::Conflict => vec![postback(TOKEN, "always", "100.00")],
            Self::KnownUser(partners) => {
                let openings: Vec<Value> = (0..*partners).map(|n| opening(&self.user(), n)).collect();
                openings.chunks(10).map(|ten| events(ten.iter().cloned())).collect()
            }
            _ => Vec::new(),
        }
    }

    fn user(&self) -> String {
        format!("{self:?}")
    }

    /// Checks that the answer is the expected one.
    pub fn check(&self, answer: &Value) -> Result<()> {
        let status = match self {
            Self::NewPostback | Self::Duplicate => 200,
            Self::Conflict => 409,
            Self::Malformed => 400,
            Self::Unauthorized => 401,
            Self::Click => 302,
            Self::Sweep => {
                ensure!(answer.is_null(), "{self:?} was answered {answer}");
                return Ok(());
            }
            _ => {
                ensure!(answer["batchItemFailures"] == json!([]), "{self:?} was answered {answer}");
                return Ok(());
            }
        };
        ensure!(answer["statusCode"] == status, "{self:?} was answered {answer}");
        Ok(())
    }
}

fn postback(token: &str, transaction: &str, amount: &str) -> Value {
    let query = format!(
        "user_id=12345&click_id=agrauu7nl5shaogkyomlumtxxcstdyhvimoofbrg&transaction_id={transaction}&currency=USD\
         &amount_decimal={amount}&event_id=001&event_name=purchase"
    );
    let request = HttpRequest::get(&format!("/postback/acme/{token}?{query}"));
    request.route("GET /postback/{provider}/{token}").event()
}

fn click() -> Result<Value> {
    let link = ClickLink {
        provider: Provider::new("acme")?,
        landing: LandingName::new("welcome")?,
        user_id: UserId::new("12345")?,
        expires: Timestamp::now().as_second() + 3600,
    };
    let target = link.signed("", &Secret::new(LINK_SECRET));
    Ok(HttpRequest::get(&target).route("GET /click/{provider}/{landing}").event())
}

fn insertion(transaction: &str) -> Change {
    let text = |value: &str| json!({"S": value});
    let key = format!("acme#{transaction:0>64}");
    let keys = json!({"provider_transaction": text(&key), "revision": text("original")});
    let mut item = json!({
        "transaction_id": text(transaction),
        "receipt_id": text("qc3terwjnllwztrghrwrjubzcy"), "received_at": text("2026-11-23T21:33:22.275Z"),
        "click": text("foreign"), "user_id": text("12345"), "currency": text("USD"), "amount_decimal": text("100.00"),
        "click_id": text("agrauu7nl5shaogkyomlumtxxcstdyhvimoofbrg"), "event_id": text("001"),
        "event_name": text("purchase"),
    });
    if let (Value::Object(item), Value::Object(keys)) = (&mut item, keys.clone()) {
        item.extend(keys);
    }
    Change::insert(keys, item)
}

fn events(bodies: impl IntoIterator<Item = Value>) -> Value {
    let sent = Timestamp::now();
    queue_event("gg3-events", bodies.into_iter().map(|body| Queued::new(body.to_string()).sent(sent)))
}

fn event(kind: &str, id: &str, user: &str, more: &Value) -> Value {
    let occurred_at = if user == "always" { "2026-11-23T12:00:00Z".to_owned() } else { Timestamp::now().to_string() };
    let mut event = json!({"id": id, "type": kind, "user_id": user, "occurred_at": occurred_at, "total_clicks": 40});
    if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
        event.extend(more.clone());
    }
    event
}

fn tracking(partner: usize) -> Value {
    tracking_by(partner, &format!("click-{:012}", next()))
}

fn tracking_by(partner: usize, click: &str) -> Value {
    json!({"tracking": {"provider": format!("partner-{partner}"), "click_id": click}})
}

fn opening(user: &str, partner: usize) -> Value {
    event("tracking_link.opened", &format!("evt-{}", next()), user, &tracking(partner))
}

fn registration(user: &str) -> Value {
    let mut more = tracking(0);
    more["method"] = "google".into();
    event("user.registered", &format!("evt-{}", next()), user, &more)
}

/// Stores a delivery for each of these campaigns, and returns the batch with the deliveries' messages.
fn deliveries<'a>(world: &World, to: impl Iterator<Item = (&'a str, &'a str)>, attempt: u8) -> Result<Value> {
    let sent = Timestamp::now();
    let mut messages = Vec::new();
    for (provider, way) in to {
        let (delivery, message) = due(provider, way, attempt)?;
        world.put_delivery(&delivery)?;
        messages.push(Queued::new(serde_json::to_string(&message)?).sent(sent));
    }
    Ok(queue_event("webhooks", messages))
}

/// Returns a delivery that is due this attempt, and the message of the attempt. All earlier attempts have failed.
fn due(provider: &str, way: &str, attempt: u8) -> Result<(Delivery, Message)> {
    let owed = Owed {
        provider: Provider::new(provider)?,
        campaign: CampaignName::new(way)?,
        ids: PartnerIds { click_id: Some(ClickId::new("agrauu7nl5shaogkyomlumtxxcstdyhvimoofbrg")?), user_id: None },
        occurred_at: now(),
    };
    let created_at = now().minus(Duration::from_hours(24));
    let random = next().to_le_bytes();
    let user = UserId::new(format!("gg3-{}", next()))?;
    let mut delivery = Delivery::new(user, owed, created_at, ChainTicket::from_random(random));
    let ticket = ChainTicket::from_random(random);
    let mut message = Message {
        delivery_id: delivery.id().clone(),
        provider: delivery.provider().clone(),
        campaign: delivery.campaign().clone(),
        round: delivery.round(),
        n: 1,
        ticket: ticket.clone(),
        due_at: created_at,
        revision: delivery.revision(),
        place: None,
    };
    let pace = DeliveryPace::default();
    let mark = ClaimMark::from_random([7; 8]);
    while message.n < attempt {
        let at = message.due_at;
        let claim = message.claim(at, CampaignState::Open, &pace, &mark).context("the attempt must be due")?;
        let answered = FinishedAttempt {
            sent_at: at,
            ended_at: at,
            outcome: AttemptOutcome::Status(500),
            answer: AnswerExcerpt::of(&[b'n'; 256]),
            retry_after: None,
        };
        let recorded =
            delivery.with_claim(claim.clone()).record(&claim, &answered, RetryPolicy::default(), ticket.clone());
        let AttemptDecision::Stored { delivery: recorded, next: Some(next) } = recorded else {
            anyhow::bail!("a failed attempt must lead to another");
        };
        (delivery, message) = (recorded, next);
    }
    Ok((delivery, message))
}
