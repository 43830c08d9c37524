//! Tests the operators' use cases on transactions that rise through states and are reversed.

use std::collections::BTreeMap;

use domain::{
    inbound::{conversion::ConversionType, correction::RevisionKind, status::State},
    lookup::LookupEntry,
    partner::{Partner, PartnerFile},
    values::{
        ids::{ReceiptId, TransactionId, TransactionKey},
        parameter_names::Field,
    },
};

use super::{
    reconcile::{self, Line},
    refusals::{self, ToAgree},
    replay_conversions::{
        ReplayConversions,
        tests::{Turns, acme, at, operation, put},
    },
    trace::{EventKind, Query, Trace},
};
use crate::{
    accept_postback::tests::Rig,
    memory::{Held, REFUSALS, World, lookup_key},
    ports::{InboundRecords, KnownRecipient, RefusalKind, StoredRefusal},
    resolve_conflict::{Resolution, accept},
};

const ACME: &str = r#"{"provider":"acme","postback":{"status":{"parameter":"state","pending":["wait"],
    "approved":["ok"],"rejected":["no"],"ignored":["test"]},"amount_may_change":["approved"],
    "negative_amounts":"reverse","reference":"ref"}}"#;

fn id(text: &str) -> TransactionId {
    TransactionId::new(text).unwrap()
}

fn key(id: &TransactionId) -> TransactionKey {
    TransactionKey::of(&acme(), id)
}

pub(super) fn partner() -> Partner {
    let file: PartnerFile = serde_json::from_str(ACME).unwrap();
    Partner::try_from(file).unwrap()
}

pub(super) fn call(transaction: &str, amount: &str, more: &str) -> String {
    format!("user_id=u&click_id=c&transaction_id={transaction}&currency=USD&amount_decimal={amount}&{more}")
}

/// Returns a world in which acme made these calls, with the lookup entries of all records, refusals and conflicts.
pub(super) async fn played(calls: &[String]) -> Rig {
    let rig = Rig::with([ACME]);
    for query in calls {
        rig.get(query).await;
    }
    let keys: Vec<_> = rig.world.state().postbacks.keys().cloned().collect();
    for key in keys {
        let history = rig.world.transaction(&key).await.unwrap().unwrap();
        let transaction = &history.original().postback.transaction_id;
        for revision in history.revisions().filter(|it| it.postback().transaction_id == *transaction) {
            put(&rig.world, &LookupEntry::of_revision(&revision, lookup_key(&key, revision.place()))).await;
        }
    }
    let conflicts = rig.world.state().conflicts.clone().into_values().map(|kept| StoredRefusal::from(&kept.0));
    let refusals =
        rig.world.state().refusals.clone().into_values().map(|kept| StoredRefusal::of_refusal(&kept.0, REFUSALS));
    for kept in conflicts.chain(refusals) {
        put(&rig.world, &kept.lookups(None)).await;
    }
    rig
}

/// Returns a world with a transaction that was approved with another amount and was then partly reversed.
async fn reversed() -> Rig {
    let step = call("t", "80", "state=ok");
    played(&[call("t", "100", "state=wait"), step, call("r-t", "-30.5", "ref=t")]).await
}

const LIFE: [(ConversionType, &str); 3] =
    [(ConversionType::Pending, "100"), (ConversionType::Accepted, "80"), (ConversionType::Adjusted, "-30.5")];

#[tokio::test]
async fn a_trace_shows_the_steps_of_a_transaction_and_its_reversal() {
    let rig = reversed().await;
    let world = &rig.world;
    let trace = Trace {
        listings: world.clone(),
        inbound: world.clone(),
        deliveries: world.clone(),
        participants: world.clone(),
        catalogues: world.clone(),
        recipients: Held::new(world, None::<(_, KnownRecipient)>),
        partners: Held::new(world, [(acme(), partner())]),
        endpoints: world.clone(),
    };
    for by_user in [false, true] {
        let transaction = (!by_user).then(|| (acme(), id("t")));
        let user = by_user.then(|| "u".to_owned()).and_then(|user| domain::values::ids::UserId::new(user).ok());
        let timeline = trace.run(Query { transaction, user, most: 9, ..Query::default() }, at(1)).await.unwrap();
        let current = timeline.events.iter().filter_map(|event| match &event.kind {
            EventKind::Recorded(recorded) if recorded.is_current == Some(true) => {
                Some(recorded.revision.content().amount_decimal.to_string())
            }
            _ => None,
        });
        let mut current: Vec<String> = current.collect();
        current.sort();
        assert_eq!(current, ["-30.5", "80"], "by user: {by_user}");
        let conversions = timeline.events.iter().filter_map(|event| match &event.kind {
            EventKind::Conversion(conversion) => Some((conversion.kind, conversion.content.amount_decimal.to_string())),
            _ => None,
        });
        let mut conversions: Vec<_> = conversions.collect();
        conversions.sort_by_key(|(_, amount)| LIFE.iter().position(|(_, told)| told == amount));
        assert_eq!(conversions, LIFE.map(|(kind, amount)| (kind, amount.to_owned())), "by user: {by_user}");
    }
}

#[tokio::test]
async fn a_replay_sends_steps_and_reversals_too() {
    let rig = reversed().await;
    let world = rig.world.clone();
    let replay =
        ReplayConversions { listings: world.clone(), inbound: world.clone(), queue: world.clone(), trail: world };
    let plan = replay.plan(vec![acme()], (at(0), at(9))).await.unwrap();
    let replayed = replay.run(&plan, (&operation(), at(9)), &mut Turns { left: 9, steps: 9 }).await.unwrap();
    assert_eq!((plan.total, replayed.sent), (3, 3));
    let state = rig.world.state();
    let mut sent: Vec<_> =
        state.conversions.iter().map(|it| (it.kind, it.content.amount_decimal.to_string())).collect();
    sent.sort_by_key(|(_, amount)| LIFE.iter().position(|(_, told)| told == amount));
    assert_eq!(sent, LIFE.map(|(kind, amount)| (kind, amount.to_owned())));
}

fn line(line: u64, cells: &[(Field, &str)]) -> Line {
    Line { line, cells: cells.iter().map(|(field, cell)| (*field, (*cell).to_owned())).collect() }
}

#[tokio::test]
async fn a_list_is_compared_with_the_state_that_stands() {
    let calls = ["same", "meant", "foreign", "ignored", "blank"].map(|id| call(id, "1", "state=no"));
    let rig = played(&calls).await;
    let cell = |word| [(Field::Status, word)];
    let list = BTreeMap::from([
        (id("same"), line(2, &cell("NO"))),
        (id("meant"), line(3, &cell("wait"))),
        (id("foreign"), line(4, &cell("scrubbed"))),
        (id("ignored"), line(5, &cell("test"))),
        (id("blank"), line(6, &[])),
    ]);
    let ours = list.keys().map(key).collect();
    let comparison = reconcile::compare(&rig.world, &partner(), &ours, &list, |_| ()).await.unwrap();
    assert_eq!(comparison.same, 2);
    let told = comparison.differing.iter().map(|it| (it.line, it.differences[0].reason.clone().unwrap()));
    let agreed = "it is no agreed status; agreed are: wait (pending), ok (approved), no (rejected), test (ignored)";
    let expected = [(4, agreed), (5, "it is agreed to be ignored"), (3, "it means pending")];
    assert_eq!(told.collect::<Vec<_>>(), expected.map(|(line, reason)| (line, reason.to_owned())));
    assert_eq!(comparison.differing[0].differences[0].ours, "rejected");
}

#[tokio::test]
async fn the_totals_of_a_period_follow_states_and_reversals() {
    let rig = played(&[
        call("p", "0.10", "state=wait"),
        call("a", "100", "state=wait"),
        call("a", "99.90", "state=ok"),
        call("b", "0.2", "state=ok"),
        call("x", "7", "state=ok"),
        call("x", "7", "state=no"),
        call("r-a", "-9.90", "ref=a"),
        // The rejection takes the 6 that the reversal has left.
        call("y", "10", "state=ok"),
        call("r-y", "-4", "ref=y"),
        call("y", "10", "state=no"),
        call("e", "5", "state=ok").replace("USD", "EUR"),
        call("elsewhere", "1000", "state=ok"),
    ])
    .await;
    let mut ours: std::collections::BTreeSet<_> = rig.world.state().postbacks.keys().cloned().collect();
    ours.remove(&key(&id("elsewhere")));
    let list = BTreeMap::from([
        (id("elsewhere"), line(2, &[])),
        (id("r-a"), line(3, &[(Field::AmountDecimal, "-9.9"), (Field::Status, "ok")])),
    ]);
    let comparison = reconcile::compare(&rig.world, &partner(), &ours, &list, |_| ()).await.unwrap();
    assert_eq!((comparison.same, comparison.only_ours.len()), (2, 7), "a negative amount is compared as a number");
    let told = serde_json::to_value(&comparison.totals).unwrap();
    let sum = |transactions: u32, amount: &str| serde_json::json!({"transactions": transactions, "amount": amount});
    let expected = serde_json::json!({
        "EUR": {"pending": sum(0, "0"), "approved": sum(1, "5"), "rejected": sum(0, "0"), "adjusted": sum(0, "0")},
        "USD": {"pending": sum(1, "0.10"), "approved": sum(2, "100.10"), "rejected": sum(3, "17"),
            "adjusted": sum(1, "-9.90")},
    });
    assert_eq!(told, expected);
    let owed: Vec<String> = comparison.totals.values().map(|totals| totals.owed().to_string()).collect();
    assert_eq!(owed, ["5", "90.20"]);
    // In a period with the rejection, or with its reversal, alone, nothing is owed either.
    for alone in ["y", "r-y"] {
        let period = [key(&id(alone))].into();
        let comparison = reconcile::compare(&rig.world, &partner(), &period, &BTreeMap::new(), |_| ()).await.unwrap();
        let owed: Vec<String> = comparison.totals.values().map(|totals| totals.owed().to_string()).collect();
        assert_eq!(owed, ["0"], "{alone}");
    }
}

#[tokio::test]
async fn an_approval_after_a_rejection_is_listed_and_accepted() {
    let rig = played(&[call("t", "1", "state=wait"), call("t", "1", "state=no"), call("t", "1", "state=ok")]).await;
    let world = &rig.world;
    let page = super::Page { most: 9, ..super::Page::default() };
    let listed = refusals::list((world, world), RefusalKind::Conflict, &[acme()], &page, at(1)).await.unwrap();
    let [refused] = &listed.items[..] else { panic!("{listed:?}") };
    assert_eq!(refused.stored.state, Some(State::Approved));
    let current = refused.current.as_ref().unwrap();
    assert_eq!((current.kind, current.state), (RevisionKind::Step, Some(State::Rejected)));
    let differs = current.differences.iter().map(|it| (it.field, it.current.as_str(), it.sent.as_str()));
    assert_eq!(differs.collect::<Vec<_>>(), [(Field::Status, "rejected", "approved")]);

    let conflict: domain::inbound::refusal::Conflict = refused.stored.clone().try_into().unwrap();
    let keys = rig.accept.keys.get(&(), at(1)).await.unwrap().unwrap();
    let receipt_id = ReceiptId::from_random([9; 16]);
    let which = (&id("t"), &conflict.key());
    let accepted = accept(world, &keys, which, (&operation(), at(1)), receipt_id).await.unwrap();
    assert!(matches!(accepted, Resolution::Accepted(_)), "{accepted:?}");
    let found = refusals::find(world, &conflict.key(), at(1)).await.unwrap().unwrap();
    let current = found.current.unwrap();
    assert_eq!((current.kind, current.correction, current.state), (RevisionKind::Correction, 1, Some(State::Approved)));
    assert_eq!(current.differences, []);
}

#[tokio::test]
async fn a_refused_status_says_what_to_agree_on() {
    let rig =
        played(&[call("t", "1", "state=charged%20back"), call("u", "1", "conversion_status=held&state=ok")]).await;
    let world: &World = &rig.world;
    let page = super::Page { most: 9, ..super::Page::default() };
    let listed = refusals::list((world, world), RefusalKind::Refusal, &[acme()], &page, at(1)).await.unwrap();
    let mut told: Vec<&ToAgree> = listed.items.iter().flat_map(|item| &item.to_agree).collect();
    told.sort_by_key(|it| &it.parameter);
    let to_agree = |parameter: &str, word: &str| ToAgree { parameter: parameter.into(), word: word.into() };
    assert_eq!(told, [&to_agree("conversion_status", "held"), &to_agree("state", "charged back")]);
}
