use domain::{
    audit::{Action, Subject as Audited},
    inbound::{
        click::ClickKeys,
        postback::Extra,
        refusal::{Conflict, KeptRequest, Refusal},
    },
    values::{ids::ReceiptId, signature::Secret},
};

use super::*;
use crate::{
    memory::{REFUSALS, Trouble, World},
    operators::replay_conversions::tests::{acme, at, content, operation, put, record},
    ports::{Refusals, Resolutions},
    resolve_conflict::accept,
};

fn transaction() -> TransactionId {
    TransactionId::new("t").unwrap()
}

fn conflict(amount: &str, second: i64) -> Conflict {
    let (content, differences) = (content(amount), content("1").differences(&content(amount)));
    let (provider, transaction_id, received_at) = (acme(), transaction(), at(second));
    Conflict {
        provider,
        transaction_id,
        content,
        state: None,
        reference: None,
        extra: Extra::new(),
        differences,
        received_at,
    }
}

/// Keeps a refusal of this request that came at this second.
async fn refuse(world: &World, request: &str, second: i64) {
    let (user_id, click_id, source) = (None, None, [192, 0, 2, 1].into());
    let (faults, received_at) = (Vec::new(), at(second));
    let key = ContentKey::of_refusal(&acme(), request);
    let request = KeptRequest { text: request.to_owned(), sent_bytes: None };
    let refusal = Refusal { key, provider: acme(), request, source, user_id, click_id, faults, received_at };
    world.keep_refusal(&refusal, 99).await.unwrap();
    put(world, &StoredRefusal::of_refusal(&refusal, REFUSALS).lookups(None)).await;
}

async fn keep(world: &World, conflict: &Conflict) {
    world.keep_conflict(conflict, 99).await.unwrap();
    put(world, &StoredRefusal::from(conflict).lookups(None)).await;
}

async fn listed(world: &World, kind: RefusalKind, page: &Page) -> Listed {
    list((world, world), kind, &[acme()], page, at(100)).await.unwrap()
}

fn requests(listed: &Listed) -> Vec<&str> {
    listed.items.iter().map(|item| item.stored.request.as_deref().unwrap()).collect()
}

#[tokio::test]
async fn refusals_are_listed_newest_first_a_page_at_a_time() {
    let world = World::default();
    for (request, second) in [("a", 1), ("b", 2), ("c", 2), ("d", 3)] {
        refuse(&world, request, second).await;
    }
    let (mut page, mut all) = (Page { most: 3, ..Page::default() }, Vec::new());
    loop {
        let listed = listed(&world, RefusalKind::Refusal, &page).await;
        all.extend(requests(&listed).into_iter().map(str::to_owned));
        page.after = listed.more.into_iter().map(|(_, place)| place).next();
        if page.after.is_none() {
            break;
        }
    }
    assert_eq!((all[0].as_str(), all[3].as_str(), all.len()), ("d", "a", 4));
    let since = Page { since: Some(at(2)), most: 9, ..Page::default() };
    assert_eq!(listed(&world, RefusalKind::Refusal, &since).await.items.len(), 3);
}

#[tokio::test]
async fn a_refusal_that_came_in_several_hours_is_listed_once() {
    let world = World::default();
    refuse(&world, "a", 1).await;
    let again = StoredRefusal { last_received_at: at(7_300), ..stored(&world, "a").await };
    put(&world, &again.lookups(None)).await;
    let page = Page { most: 9, ..Page::default() };
    assert_eq!(requests(&listed(&world, RefusalKind::Refusal, &page).await), ["a"]);
}

async fn stored(world: &World, request: &str) -> StoredRefusal {
    find(world, &ContentKey::of_refusal(&acme(), request), at(1)).await.unwrap().unwrap().stored
}

#[tokio::test]
async fn an_expired_refusal_is_neither_listed_nor_found() {
    let world = World::default();
    refuse(&world, "a", 1).await;
    let expired = at(REFUSALS.end(at(1)));
    let page = Page { most: 9, ..Page::default() };
    let listed = list((&world, &world), RefusalKind::Refusal, &[acme()], &page, expired).await.unwrap();
    assert_eq!(listed, Listed::default());
    let key = ContentKey::of_refusal(&acme(), "a");
    assert_eq!(find(&world, &key, expired).await, Ok(None));
}

#[tokio::test]
async fn only_open_conflicts_are_listed() {
    let world = World::default();
    record(&world, "t", 1).await;
    for (amount, second) in [("2", 2), ("3", 3)] {
        keep(&world, &conflict(amount, second)).await;
    }
    let audit = operation().record(at(4), Action::KeepOriginal, Audited::Catalogue);
    world.keep_original(&conflict("3", 3).key(), at(4), &audit).await.unwrap();
    let page = Page { most: 9, ..Page::default() };
    let open = listed(&world, RefusalKind::Conflict, &page).await.items;
    assert_eq!(open.iter().map(|item| &item.stored).collect::<Vec<_>>(), [&StoredRefusal::from(&conflict("2", 2))]);
    assert_eq!(open[0].current, None);
}

#[tokio::test]
async fn a_conflict_stands_beside_the_correction_that_stands() {
    let world = World::default();
    record(&world, "t", 1).await;
    keep(&world, &conflict("2", 2)).await;
    keep(&world, &conflict("3", 3)).await;
    let keys = ClickKeys::new(vec![Secret::new("k")]).unwrap();
    let (key, receipt_id) = (conflict("2", 2).key(), ReceiptId::from_random([2; 16]));
    let (which, by) = ((&transaction(), &key), (&operation(), at(9)));
    accept(&world, &keys, which, by, receipt_id.clone()).await.unwrap();
    let page = Page { most: 9, ..Page::default() };
    let open = listed(&world, RefusalKind::Conflict, &page).await.items;
    let current = open[0].current.as_ref().unwrap();
    assert_eq!((open.len(), current.correction, &current.receipt_id), (1, 1, &receipt_id));
    assert_eq!(find(&world, &conflict("3", 3).key(), at(9)).await, Ok(Some(open[0].clone())));
    assert_eq!((current.differences[0].current.as_str(), current.differences[0].sent.as_str()), ("2", "3"));
}

#[tokio::test]
async fn a_transaction_that_cannot_be_read_holds_up_no_conflict() {
    let world = World::default();
    record(&world, "t", 1).await;
    keep(&world, &conflict("2", 2)).await;
    // The list makes three calls: it reads the lookups, the conflicts and the transaction.
    let transaction_call = world.state().calls.len() + 3;
    world.state().trouble = [(transaction_call, Trouble::Before)].into();
    let listed = listed(&world, RefusalKind::Conflict, &Page { most: 9, ..Page::default() }).await;
    assert_eq!((listed.items.len(), &listed.unread[0].transaction_id), (1, &transaction()));
}
