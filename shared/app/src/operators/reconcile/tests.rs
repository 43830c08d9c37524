use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{
    deliver_webhooks::tests::partner,
    memory::World,
    operators::replay_conversions::tests::{acme, at, record},
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
    assert_eq!(comparison.only_theirs, [OnlyTheirs { transaction_id: id("theirs"), line: 4 }]);
    assert_eq!(comparison.only_ours[0].transaction_id, id("ours"));
    assert_eq!(comparison.differing[0].transaction_id, id("early"));
}
