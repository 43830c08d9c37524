use std::{collections::BTreeMap, ops::ControlFlow};

use domain::{
    audit::{Author, Channel},
    inbound::{
        conversion::{Receipt, RecordedPostback},
        correction::Revision,
        postback::{Content, Extra, Postback},
    },
    lookup::LookupEntry,
    values::ids::{ReceiptId, TransactionId, TransactionKey},
};

use super::*;
use crate::{
    memory::{Trouble, World, lookup_key},
    ports::{Lookups, Postbacks},
};

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn acme() -> Provider {
    Provider::new("acme").unwrap()
}

pub(crate) fn content(amount: &str) -> Content {
    let json = serde_json::json!({"user_id": "u", "click_id": "c", "currency": "USD", "amount_decimal": amount});
    serde_json::from_value(json).unwrap()
}

pub(crate) fn operation() -> Operation {
    Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [0; 8])
}

pub(crate) async fn put(world: &World, entries: &[LookupEntry]) {
    assert!(Lookups::put(world, entries).await.iter().all(Result::is_ok));
}

/// Records a transaction of acme with the amount 1 at this second, and writes its lookup entries.
pub(crate) async fn record(world: &World, transaction: &str, second: i64) {
    let transaction_id = TransactionId::new(transaction).unwrap();
    let click = serde_json::from_value("foreign".into()).unwrap();
    let postback = Postback {
        provider: acme(),
        transaction_id: transaction_id.clone(),
        content: content("1"),
        click,
        state: None,
        reference: None,
        extra: Extra::new(),
        erased: None,
    };
    let receipt_id = ReceiptId::from_random([0; 16]);
    let receipt = Receipt {
        transaction_id,
        receipt_id,
        received_at: at(second),
        ignored: Vec::new(),
        state: None,
        original_receipt_id: None,
    };
    let recorded = RecordedPostback { postback, receipt, reversed: None };
    Postbacks::record(world, &recorded).await.unwrap();
    let key = key(transaction);
    put(world, &LookupEntry::of_revision(&Revision::Original(recorded), key)).await;
}

/// Returns the key that lookups have for an original of acme.
pub(crate) fn key(transaction: &str) -> String {
    lookup_key(&TransactionKey::of(&acme(), &TransactionId::new(transaction).unwrap()), 0)
}

/// A pace with this many steps a turn, which interrupts after this many turns.
pub(crate) struct Turns {
    pub(crate) left: usize,
    pub(crate) steps: usize,
}

impl Turns {
    /// Returns a pace with three steps a turn.
    pub(crate) fn of_three(left: usize) -> Self {
        Self { left, steps: 3 }
    }
}

impl Pace for Turns {
    fn most_at_once(&self) -> usize {
        self.steps
    }

    async fn turn(&mut self) -> ControlFlow<()> {
        let Some(left) = self.left.checked_sub(1) else { return ControlFlow::Break(()) };
        self.left = left;
        ControlFlow::Continue(())
    }

    fn taken(&mut self, steps: usize) {
        assert!(steps <= self.steps, "the pace allows {} steps a turn", self.steps);
    }
}

type UseCase = ReplayConversions<World, World, World, World>;

fn use_case(world: &World) -> UseCase {
    let world = world.clone();
    ReplayConversions { listings: world.clone(), inbound: world.clone(), queue: world.clone(), trail: world }
}

/// Returns a world in which acme's transactions `t-1` to `t-5` were recorded in the first five seconds.
async fn world() -> World {
    let world = World::default();
    for second in 1..=5 {
        record(&world, &format!("t-{second}"), second).await;
    }
    world
}

/// Replays the conversions that were recorded from this second on, in turns of two.
async fn replay(world: &World, from: i64, turns: usize) -> Result<Replayed, LookupFault> {
    let replay = use_case(world);
    let providers = vec![acme(), Provider::new("globex").unwrap()];
    let plan = replay.plan(providers, (at(from), at(100))).await?;
    Ok(replay.run(&plan, (&operation(), at(100)), &mut Turns { left: turns, steps: 2 }).await?)
}

fn sent(world: &World) -> Vec<String> {
    world.state().conversions.iter().map(|conversion| conversion.transaction_id.to_string()).collect()
}

#[tokio::test]
async fn a_replay_sends_the_conversions_of_its_time_and_no_others() {
    let world = world().await;
    let plan = use_case(&world).plan(vec![acme(), Provider::new("globex").unwrap()], (at(2), at(5))).await.unwrap();
    assert_eq!((plan.total, &plan.partners[..]), (3, &[acme()][..]));
    let pace = &mut Turns { left: 9, steps: 2 };
    let replayed = use_case(&world).run(&plan, (&operation(), at(100)), pace).await.unwrap();
    assert_eq!(replayed, Replayed { sent: 3, ..Replayed::default() });
    assert_eq!(sent(&world), ["t-2", "t-3", "t-4"]);
    let audit = world.state().audit.clone();
    assert_eq!((audit.len(), audit[0].details["conversions"].as_str()), (1, "3"));
}

#[tokio::test]
async fn an_interrupted_replay_says_from_when_another_goes_on() {
    let world = world().await;
    let stopped = replay(&world, 0, 1).await.unwrap();
    assert_eq!((stopped.sent, stopped.stopped), (2, Some(Stopped { provider: acme(), at: at(3), fault: None })));
    assert_eq!(replay(&world, 3, 9).await.unwrap().sent, 3);
    let mut sent = sent(&world);
    sent.sort();
    assert_eq!(sent, ["t-1", "t-2", "t-3", "t-4", "t-5"]);
}

#[tokio::test]
async fn a_replay_that_failed_anywhere_can_be_continued() {
    let calls = world().await.state().calls.len();
    for call in calls..calls + 10 {
        for trouble in [Trouble::Before, Trouble::After] {
            let world = world().await;
            world.state().trouble = BTreeMap::from([(call, trouble)]);
            let first = replay(&world, 0, 9).await;
            assert!(world.state().audit.len() == 1 || sent(&world).is_empty(), "call {call}, {trouble:?}");
            let from = match &first {
                Ok(Replayed { stopped: None, .. }) => 99,
                Ok(Replayed { stopped: Some(stopped), .. }) => {
                    assert!(stopped.fault.is_some());
                    stopped.at.as_second()
                }
                Err(_) => 0,
            };
            replay(&world, from, 9).await.unwrap();
            for transaction in ["t-1", "t-2", "t-3", "t-4", "t-5"] {
                assert!(sent(&world).iter().any(|it| it == transaction), "call {call}, {trouble:?}: {transaction}");
            }
        }
    }
}

#[tokio::test]
async fn an_unreadable_postback_is_named_and_holds_up_no_other() {
    let world = world().await;
    world.state().postbacks.remove(&TransactionKey::of(&acme(), &TransactionId::new("t-2").unwrap()));
    let replayed = replay(&world, 0, 9).await.unwrap();
    assert_eq!((replayed.sent, replayed.unreadable), (4, vec![key("t-2")]));
}

#[tokio::test]
async fn partners_that_a_replay_did_not_reach_are_named() {
    let world = world().await;
    let plan = Plan {
        partners: vec![acme(), Provider::new("globex").unwrap()],
        ..use_case(&world).plan(vec![acme()], (at(0), at(9))).await.unwrap()
    };
    let pace = &mut Turns { left: 0, steps: 2 };
    let replayed = use_case(&world).run(&plan, (&operation(), at(100)), pace).await.unwrap();
    assert_eq!((replayed.sent, &replayed.left[..]), (0, &plan.partners[1..]));
}
