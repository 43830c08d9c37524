use super::*;
use crate::{
    memory::World,
    operators::{
        replay_conversions::tests::{acme, at, record},
        tests::{call, played},
    },
};

/// Lists the transactions with their states, page after page.
async fn pages(world: &World, mut wanted: Wanted) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let listed = list((world, world), &[acme()], &wanted, at(100)).await.unwrap();
        assert_eq!((listed.unread, listed.gaps), (Vec::new(), Vec::new()));
        let said = |it: &Transaction| format!("{} {}", it.current.postback().transaction_id, it.counted.state);
        pages.push(listed.transactions.iter().map(said).collect());
        wanted.page.after = listed.more.into_iter().map(|(_, place)| place).next();
        if wanted.page.after.is_none() {
            return pages;
        }
    }
}

fn page(most: usize) -> Wanted {
    Wanted { page: Page { most, ..Page::default() }, ..Wanted::default() }
}

#[tokio::test]
async fn transactions_are_listed_newest_first_a_page_at_a_time() {
    let world = World::default();
    for (transaction, second) in [("a", 1), ("b", 2), ("c", 3)] {
        record(&world, transaction, second).await;
    }
    assert_eq!(pages(&world, page(2)).await, [vec!["c approved", "b approved"], vec!["a approved"]]);
    let middle = Page { since: Some(at(2)), most: 9, ..Page::default() };
    let middle = Wanted { page: middle, before: Some(at(3)), ..Wanted::default() };
    assert_eq!(pages(&world, middle).await, [["b approved"]]);
}

#[tokio::test]
async fn a_transaction_is_listed_once_in_its_current_state() {
    let calls = [call("a", "1", "state=wait"), call("a", "1", "state=ok"), call("b", "2", "state=wait")];
    let world = played(&calls).await.world;
    let mut all = pages(&world, page(9)).await.concat();
    all.sort();
    assert_eq!(all, ["a approved", "b pending"]);
    for (state, found) in
        [(State::Pending, &["b pending"][..]), (State::Approved, &["a approved"]), (State::Rejected, &[])]
    {
        assert_eq!(pages(&world, Wanted { state: Some(state), ..page(1) }).await.concat(), found);
    }
}
