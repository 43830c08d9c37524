use std::collections::BTreeMap;

use domain::{
    inbound::{
        click::Click,
        postback::Extra,
        refusal::{Conflict, ContentKey, KeptRequest, Refusal},
    },
    outbound::participant::Participant,
    values::ids::{ClickId, LandingName, TransactionId, UserId},
};

use super::*;
use crate::{
    deliver_webhooks::tests as sender,
    memory::{REFUSALS, Trouble, World},
    operators::replay_conversions::tests::{Turns, acme, at, content, key, operation, put, record},
    ports::{Clicks, Refusals, StoredRefusal},
};

/// Returns a world with items in every table, and with their lookups.
async fn world() -> World {
    let world = World::default();
    for transaction in 0..9 {
        record(&world, &format!("t-{transaction}"), transaction).await;
    }
    let (user_id, click_id, source) = (None, None, [192, 0, 2, 1].into());
    let refusal = Refusal {
        key: ContentKey::of_refusal(&acme(), "r"),
        provider: acme(),
        request: KeptRequest { text: "r".into(), sent_bytes: None },
        source,
        user_id,
        click_id,
        faults: Vec::new(),
        received_at: at(2),
    };
    world.keep_refusal(&refusal, 99).await.unwrap();
    put(&world, &StoredRefusal::of_refusal(&refusal, REFUSALS).lookups(None)).await;
    let transaction_id = TransactionId::new("t-1").unwrap();
    let differences = content("1").differences(&content("2"));
    let conflict = Conflict {
        provider: acme(),
        transaction_id,
        content: content("2"),
        state: None,
        reference: None,
        extra: Extra::default(),
        differences,
        received_at: at(3),
    };
    world.keep_conflict(&conflict, 99).await.unwrap();
    put(&world, &StoredRefusal::from(&conflict).lookups(None)).await;
    let user_id = UserId::new("u").unwrap();
    let click = Click {
        click_id: ClickId::new("c").unwrap(),
        provider: acme(),
        landing: LandingName::new("welcome").unwrap(),
        user_id: user_id.clone(),
        clicked_at: at(4),
    };
    Clicks::record(&world, &click).await.unwrap();
    put(&world, &LookupEntry::of_click(&click, crate::memory::coverage::CLICKS.end(at(4)))).await;
    let delivery = sender::delivery_at("u", "p-9", sender::start());
    put(&world, &LookupEntry::of_delivery(&delivery)).await;
    world.state().deliveries.insert(delivery.id().clone(), delivery);
    // Both partners gave the user the same click id at the same instant, so both openings have the same place.
    let partner = serde_json::json!({
        "since": 1, "counts_from": 1, "baseline": 0, "latest": {"at": 1, "event": "e", "click_id": "c-77"},
    });
    let opened = serde_json::json!({"partners": {"acme": partner, "globex": partner}});
    let opened: Participant = serde_json::from_value(opened).unwrap();
    put(&world, &LookupEntry::of_openings(&user_id, None, &opened)).await;
    world.state().participants.insert(user_id, (opened, 1));
    world
}

/// Returns the same world after the whole table of the lookups was lost.
async fn emptied() -> World {
    let world = world().await;
    let mut state = world.state();
    state.lookups.clear();
    state.heartbeats.clear();
    drop(state);
    world
}

async fn rebuild(world: &World, turns: usize) -> Result<Rebuilt, Unavailable> {
    let (rebuilds, lookups, trail, clock) = (world.clone(), world.clone(), world.clone(), world.clone());
    let rebuild = RebuildLookups { rebuilds, lookups, trail, clock };
    rebuild.run(&Origin::ALL, false, &operation(), &mut Turns::of_three(turns)).await
}

#[tokio::test]
async fn a_rebuild_writes_what_the_writer_had_written() {
    let (whole, world) = (world().await, emptied().await);
    let rebuilt = rebuild(&world, usize::MAX).await.unwrap();
    let state = world.state();
    assert_eq!(state.lookups, whole.state().lookups);
    let items: Vec<usize> = rebuilt.tables.iter().map(|table| table.items).collect();
    assert_eq!((items, rebuilt.stopped), (vec![9, 2, 1, 1, 1], None));
    assert!(state.heartbeats.values().all(|heartbeat| heartbeat.since == Timestamp::UNIX_EPOCH));
    assert_eq!((state.heartbeats.len(), state.rebuild_places.len(), state.audit.len()), (5, 0, 1));
}

#[tokio::test]
async fn a_rebuild_that_failed_anywhere_can_be_continued() {
    let whole = world().await;
    let begun = emptied().await.state().calls.len();
    let unhindered = emptied().await;
    rebuild(&unhindered, usize::MAX).await.unwrap();
    let calls = unhindered.state().calls.len();
    for call in begun..calls {
        for trouble in [Trouble::Before, Trouble::After] {
            let world = emptied().await;
            world.state().trouble = BTreeMap::from([(call, trouble)]);
            let failed = rebuild(&world, usize::MAX).await;
            assert!(!failed.is_ok_and(|failed| failed.stopped.is_none()), "call {call}, {trouble:?}");
            assert_eq!(rebuild(&world, usize::MAX).await.unwrap().stopped, None);
            let state = world.state();
            assert_eq!(state.lookups, whole.state().lookups, "call {call}, {trouble:?}");
            assert_eq!((state.heartbeats.len(), state.rebuild_places.len()), (5, 0));
        }
    }
}

#[tokio::test]
async fn an_interrupted_rebuild_reads_no_finished_segment_again() {
    let (whole, world) = (world().await, emptied().await);
    let first = rebuild(&world, 2).await.unwrap();
    assert_eq!((first.tables.len(), first.stopped), (1, Some(Stopped::Interrupted)));
    assert!(world.state().heartbeats.is_empty(), "an unfinished table is not complete");
    let second = rebuild(&world, usize::MAX).await.unwrap();
    assert!(second.tables[0].resumed && !second.tables[1].resumed);
    assert_eq!(first.tables[0].items + second.tables[0].items, 9);
    assert_eq!(world.state().lookups, whole.state().lookups);
}

#[tokio::test]
async fn an_unreadable_item_is_named_and_holds_up_no_other() {
    let (whole, world) = (world().await, emptied().await);
    let broken = key("t-4");
    world.state().unreadable_items.insert(broken.clone());
    let rebuilt = rebuild(&world, usize::MAX).await.unwrap();
    assert_eq!((&rebuilt.tables[0].unreadable[..], rebuilt.stopped), (&[broken.clone()][..], None));
    let missing: Vec<String> = {
        let (whole, state) = (whole.state(), world.state());
        whole.lookups.keys().filter(|key| !state.lookups.contains_key(key)).map(|key| key.1.key().to_owned()).collect()
    };
    assert_eq!(missing, [broken.as_str(); 3]);
}

#[tokio::test]
async fn no_expired_entry_is_written() {
    let world = emptied().await;
    world.state().millisecond = 4_000_000_000_000;
    let rebuilt = rebuild(&world, usize::MAX).await.unwrap();
    // By this time the click and the refusal have expired. Entries of items that never expire never expire either.
    assert!(world.state().lookups.values().all(Option::is_none));
    for RebuiltTable { origin, items, entries, expired, .. } in rebuilt.tables {
        let expires = matches!(origin, Origin::Clicks | Origin::Refusals);
        assert_eq!(
            (expired, entries > 0, items > 0),
            (usize::from(expires), origin != Origin::Clicks, true),
            "{origin}"
        );
    }
}
