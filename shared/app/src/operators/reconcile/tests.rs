use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{
    deliver_webhooks::tests::partner,
    memory::{REFUSALS, World},
    operators::{
        replay_conversions::tests::{acme, at, record},
        tests::{call, partner as rising, played},
    },
};

fn id(text: &str) -> TransactionId {
    TransactionId::new(text).unwrap()
}

#[tokio::test]
async fn the_originals_of_a_time_are_compared_with_a_list() {
    let world = World::default();
    for (transaction, second) in [("early", 1), ("ours", 5), ("both", 6)] {
        record(&world, transaction, second).await;
    }
    let now = at(100);
    let (ours, gaps) = recorded((&world, &world), &acme(), (at(5), at(9)), now).await.unwrap();
    let keys = ["both", "ours"].map(|text| TransactionKey::of(&acme(), &id(text)));
    assert_eq!((&ours, gaps), (&keys.into(), Vec::new()));
    let line = |line, amount: &str| Line { line, cells: [(Field::AmountDecimal, amount.to_owned())].into() };
    // A listed transaction that was recorded in another period is found too.
    let list = BTreeMap::from([
        (id("both"), line(2, "1.0000000000")),
        (id("early"), line(3, "2")),
        (id("theirs"), line(4, "1")),
    ]);
    let compared = AtomicUsize::new(0);
    let on_compared = |more| {
        compared.fetch_add(more, Ordering::Relaxed);
    };
    let comparison = compare(&world, &partner(""), &ours, &list, on_compared).await.unwrap();
    assert_eq!((comparison.same, compared.into_inner()), (1, 4));
    assert_eq!(comparison.only_theirs, [OnlyTheirs { transaction_id: id("theirs"), line: 4, missing: None }]);
    assert_eq!(comparison.only_ours[0].transaction_id, id("ours"));
    assert_eq!(comparison.differing[0].transaction_id, id("early"));
}

/// Returns why these transactions are not recorded, as of this second.
async fn reasons(world: &World, ids: &[&str], now: i64) -> BTreeMap<TransactionId, Missing> {
    let (partner, providers) = (rising(), [acme(), Provider::new("globex").unwrap()]);
    let search =
        Search { partner: &partner, providers: &providers, period: (at(0), at(9_000_000_000)), refusals: REFUSALS };
    missing::why((world, world), &search, ids.iter().map(|text| id(text)), at(now)).await.unwrap()
}

#[tokio::test]
async fn a_transaction_that_is_missing_here_has_its_reason() {
    let refused = call("refused", "1", "state=ok").replace("USD", "usd");
    let calls = [
        call("rising", "1", "state=ok"),
        call("back", "-2", "state=ok&ref=rising"),
        call("ignored", "1", "state=test"),
        refused.clone(),
        refused.replace("amount_decimal=1", "amount_decimal=x"),
    ];
    let rig = played(&calls).await;
    let all = ["refused", "ignored", "back", "never"];
    let found = reasons(&rig.world, &all, 1).await;
    let Missing::Refused { codes, .. } = &found[&id("refused")] else { panic!("{found:?}") };
    assert!(codes.contains(&domain::inbound::fault::FaultCode::UnknownCurrency), "{codes:?}");
    assert!(matches!(found[&id("ignored")], Missing::Ignored { .. }), "{found:?}");
    assert!(matches!(found[&id("back")], Missing::Conflict { .. }), "{found:?}");
    assert_eq!(found[&id("never")], Missing::NeverCame);
    // Refusals expire, so that afterwards it is unknown if a call came.
    let later = reasons(&rig.world, &["refused", "never"], 31 * 24 * 60 * 60).await;
    assert!(later.values().all(|missing| matches!(missing, Missing::NotFound { .. })), "{later:?}");
}

#[tokio::test]
async fn a_transaction_of_another_partner_is_named_with_it() {
    let world = World::default();
    record(&world, "theirs", 5).await;
    let globex = domain::partner::Partner::try_from(
        serde_json::from_str::<domain::partner::PartnerFile>(r#"{"provider":"globex"}"#).unwrap(),
    )
    .unwrap();
    let providers = [acme(), globex.provider().clone()];
    let search = Search { partner: &globex, providers: &providers, period: (at(0), at(9)), refusals: REFUSALS };
    let ids = ["theirs", "never"].map(id);
    let found = missing::why((&world, &world), &search, ids, at(10)).await.unwrap();
    assert_eq!(found[&id("theirs")], Missing::OtherPartner { providers: vec![acme()] });
    assert_eq!(found[&id("never")], Missing::NeverCame);
    world.state().heartbeats.clear();
    world.state().refusals = played(&[call("x", "1", "state=x")]).await.world.state().refusals.clone();
    let found = missing::why((&world, &world), &search, [id("never")], at(10)).await.unwrap();
    let Missing::NotFound { because } = &found[&id("never")] else { panic!("{found:?}") };
    assert_eq!(because[..], ["the lookups of refusals are incomplete"]);
}
