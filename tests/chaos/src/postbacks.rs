//! Plays the partners' side of conversions: sends postbacks, resends and contradictions until each answer is final.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::inbound::status::State;
use serde_json::Value;
use tests::payload::HttpRequest;

use crate::{
    worker::{Came, Worker},
    world::World,
};
use fastrand::Rng;

/// Limits how many answers in a row may not be final. More of them are a fault.
const PATIENCE: u32 = 60;

/// Holds the content of a postback without its transaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Content {
    pub(crate) user_id: String,
    pub(crate) click_id: String,
    pub(crate) amount: String,
}

/// Holds one call of a partner.
#[derive(Debug, Clone)]
pub(crate) struct Postback {
    pub(crate) provider: String,
    pub(crate) transaction_id: String,
    pub(crate) content: Content,
    /// Names the state, if the partner agreed on statuses.
    pub(crate) state: Option<State>,
    /// Identifies the transaction from which a negative amount is taken.
    pub(crate) reverses: Option<String>,
    pub(crate) by_post: bool,
}

/// Holds a call with its final answer.
#[derive(Debug, Clone)]
pub(crate) struct AnsweredCall {
    pub(crate) postback: Postback,
    pub(crate) status: u64,
    pub(crate) body: Value,
}

/// Draws the calls of these transactions and shuffles them. Each transaction has one to three calls, and every fifth
/// has a contradiction.
pub(crate) fn story(world: &World, dice: &mut Rng, transactions: u64) -> Vec<Postback> {
    let providers = world.plain();
    let mut calls = Vec::new();
    for n in 0..transactions {
        let provider = dice.choice(&providers).unwrap().clone();
        let content = Content {
            user_id: format!("user-{}", dice.u64(..500)),
            click_id: format!("click-{n}"),
            amount: format!("{}.{:02}", dice.u64(..1000), dice.u64(..100)),
        };
        let other = Content { amount: format!("{}.50", 1000 + dice.u64(..1000)), ..content.clone() };
        let call = |content: &Content, dice: &mut Rng| Postback {
            provider: provider.clone(),
            transaction_id: format!("t-{n}"),
            content: content.clone(),
            state: None,
            reverses: None,
            by_post: dice.u64(..100) < 30,
        };
        for _ in 0..=dice.u64(..3) {
            calls.push(call(&content, dice));
        }
        if dice.u64(..100) < 20 {
            calls.push(call(&other, dice));
        }
    }
    dice.shuffle(&mut calls);
    calls
}

/// Holds the results of all calls.
#[derive(Default)]
pub(crate) struct CallResults {
    pub(crate) answered: Mutex<Vec<AnsweredCall>>,
    /// Counts the requests that were sent, repeats included.
    pub(crate) requests: AtomicU64,
    /// Counts the requests that had no final answer.
    pub(crate) without_answer: AtomicU64,
    /// Counts the requests whose process was killed.
    pub(crate) died: AtomicU64,
}

/// Sends calls until none are left. It repeats each call until its answer is final, as partners are told to.
pub(crate) async fn send(
    world: Arc<World>,
    worker: Arc<Worker>,
    waiting: Arc<Mutex<VecDeque<Postback>>>,
    outcome: Arc<CallResults>,
) {
    loop {
        let Some(postback) = waiting.lock().unwrap().pop_front() else { return };
        let event = postback.request(&world).event();
        let mut tries = 0;
        loop {
            outcome.requests.fetch_add(1, Ordering::Relaxed);
            match worker.invoke(&event).await {
                Came::Answer(answer) => match answer["statusCode"].as_u64() {
                    Some(status @ (200 | 409)) => {
                        let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
                        outcome.answered.lock().unwrap().push(AnsweredCall { postback, status, body });
                        break;
                    }
                    Some(429 | 503) => {}
                    _ => panic!("{postback:?} was answered {answer}"),
                },
                Came::Died => {
                    outcome.died.fetch_add(1, Ordering::Relaxed);
                }
                Came::Failed(error) => panic!("postback failed as a whole: {error}"),
            }
            outcome.without_answer.fetch_add(1, Ordering::Relaxed);
            tries += 1;
            assert!(tries < PATIENCE, "{} has no final answer after {tries} tries", postback.transaction_id);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Postback {
    fn request(&self, world: &World) -> HttpRequest {
        let Self { provider, transaction_id, content: Content { user_id, click_id, amount }, by_post, .. } = self;
        let path = format!("/postback/{provider}/{}", world.tokens[provider]);
        let mut query = format!(
            "user_id={user_id}&click_id={click_id}&transaction_id={transaction_id}&currency=USD&amount_decimal={amount}"
        );
        query.extend(self.state.map(|state| format!("&state={state}")));
        query.extend(self.reverses.as_ref().map(|original| format!("&original={original}")));
        if *by_post {
            HttpRequest::post(&path).form(query).route("POST /postback/{provider}/{token}")
        } else {
            HttpRequest::get(&path).query(&query).route("GET /postback/{provider}/{token}")
        }
    }
}
