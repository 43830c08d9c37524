use domain::{
    archive::{ArchiveKey, ClickRow, OpeningRow},
    inbound::click::Click,
    jiff::Timestamp,
    lookup::Kind,
    values::{
        ids::{ClickId, LandingName, Provider, ReportId, UserId},
        signature::Secret,
    },
};

use super::*;
use crate::memory::{Trouble, World};

fn entries(thing: usize, expires_at: Option<i64>) -> Vec<LookupEntry> {
    let subjects = [Subject::Refusals(Provider::new("acme").unwrap()), Subject::User(UserId::new("u").unwrap())];
    LookupEntry::under(subjects, &Place::new(Timestamp::UNIX_EPOCH, Kind::Refusal, thing.to_string()), expires_at)
}

fn record(at: usize, entries: Result<Vec<LookupEntry>, String>) -> IncomingChange {
    IncomingChange { id: at.to_string(), entries, rows: Ok(Vec::new()), change: None, whole: format!("whole {at}") }
}

/// Returns 10 records with two entries each. The 4th and the 8th cannot be read.
fn batch() -> Vec<IncomingChange> {
    let read = |at: usize| if at == 3 || at == 7 { Err("unreadable".to_owned()) } else { Ok(entries(at, None)) };
    (0..10).map(|at| record(at, read(at))).collect()
}

/// Returns 3 records, of which the first two have a row each of clicks, and the last has one of openings.
fn batch_with_rows() -> Vec<IncomingChange> {
    let key = ArchiveKey::new(Secret::new("k"));
    let user = UserId::new("u").unwrap();
    let click = |id: &str| {
        let (click_id, provider) = (ClickId::new(id).unwrap(), Provider::new("acme").unwrap());
        let landing = LandingName::new("main").unwrap();
        let clicked_at = Timestamp::UNIX_EPOCH;
        let click = Click { click_id, provider, landing, user_id: user.clone(), clicked_at };
        ArchiveRow::Click(ClickRow::of(&key, &click))
    };
    let opening = ArchiveRow::Opening(OpeningRow {
        provider: Provider::new("acme").unwrap(),
        opening_hash: key.opening(&ReportId::new("evt-1").unwrap()),
        user_hash: key.user(&user),
        opened_at: Timestamp::UNIX_EPOCH.into(),
        click_hash: None,
        partner_user_hash: None,
    });
    let rows = [click("c-1"), click("c-2"), opening];
    let record = |(at, row)| IncomingChange { rows: Ok(vec![row]), ..record(at, Ok(entries(at, None))) };
    rows.into_iter().enumerate().map(record).collect()
}

fn archived(world: &World) -> Vec<String> {
    let mut rows: Vec<String> = world.state().archive.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn no_single_fault_of_any_port_loses_a_row() {
    let whole = World::default();
    let all = indexed(&whole, batch_with_rows()).await;
    assert_eq!((all.archived, all.unarchived, all.failed), (3, 0, Vec::new()));
    let calls = whole.state().calls.len();
    assert_eq!(whole.state().calls.iter().filter(|call| **call == "append rows").count(), 2, "one call for each table");
    for failing in 0..calls {
        for trouble in [Trouble::Before, Trouble::After] {
            let world = World::default();
            world.state().trouble = BTreeMap::from([(failing, trouble)]);
            let first = indexed(&world, batch_with_rows()).await;
            assert!(!first.failed.is_empty() && first.unavailable.is_some(), "call {failing}");
            // The stream delivers all records from the first failed record on again.
            let again = batch_with_rows().into_iter().skip_while(|record| record.id != first.failed[0]).collect();
            assert_eq!(indexed(&world, again).await.failed, [""; 0]);
            assert_eq!(world.state().lookups, whole.state().lookups);
            let mut rows = archived(&world);
            rows.dedup();
            assert_eq!(rows, archived(&whole), "call {failing}, {trouble:?}");
        }
    }
}

#[tokio::test]
async fn only_records_with_rows_of_the_failed_table_fail() {
    let world = World::default();
    // The six entries come first, then the rows of the clicks.
    world.state().trouble = BTreeMap::from([(6, Trouble::Before)]);
    let indexed = indexed(&world, batch_with_rows()).await;
    assert_eq!((indexed.failed, indexed.written), (vec!["0".to_owned(), "1".to_owned()], 6));
    assert_eq!((indexed.archived, indexed.unarchived), (1, 2));
}

#[tokio::test]
async fn a_record_without_the_key_is_redelivered_but_found() {
    let world = World::default();
    let unavailable = Unavailable { service: "secrets", reason: "no key".into() };
    let keyless = IncomingChange { rows: Err(unavailable.clone()), ..record(0, Ok(entries(0, None))) };
    let indexed = indexed(&world, vec![keyless, record(1, Ok(entries(1, None)))]).await;
    assert_eq!((indexed.failed, indexed.written, indexed.unarchived), (vec!["0".to_owned()], 4, 1));
    assert_eq!(indexed.unavailable, Some(unavailable));
}

#[tokio::test]
async fn an_unreadable_record_leaves_no_rows() {
    let world = World::default();
    let mut batch = batch_with_rows();
    batch[0].entries = Err("unreadable".to_owned());
    let indexed = indexed(&world, batch).await;
    assert_eq!((indexed.archived, indexed.set_aside, indexed.failed), (2, 1, Vec::new()));
}

async fn indexed(world: &World, batch: Vec<IncomingChange>) -> Indexed {
    index((world, world, world), (&Beats::default(), Timestamp::UNIX_EPOCH), batch).await
}

#[tokio::test]
async fn a_heartbeat_names_the_newest_change_of_a_whole_batch() {
    let (world, at) = (World::default(), |second| Timestamp::from_second(second).unwrap());
    let changed =
        |incoming: IncomingChange, second| IncomingChange { change: Some((Origin::Refusals, at(second))), ..incoming };
    let batch = || vec![changed(record(0, Ok(entries(0, None))), 8), changed(record(1, Ok(entries(1, None))), 7)];
    let (beats, failing) = (Beats::default(), world.state().calls.len() + 3);
    world.state().trouble = BTreeMap::from([(failing, Trouble::Before)]);
    assert_eq!(index((&world, &world, &world), (&beats, at(9)), batch()).await.failed.len(), 1);
    assert_eq!(world.state().heartbeats[&Origin::Refusals].up_to, Timestamp::UNIX_EPOCH);
    assert_eq!(index((&world, &world, &world), (&beats, at(9)), batch()).await.failed.len(), 0);
    assert_eq!(world.state().heartbeats[&Origin::Refusals].up_to, at(8));
    assert_eq!(world.state().heartbeats[&Origin::Clicks].up_to, Timestamp::UNIX_EPOCH);
}

#[tokio::test]
async fn unreadable_records_are_set_aside_and_the_rest_moves_on() {
    let world = World::default();
    let indexed = indexed(&world, batch()).await;
    assert_eq!(indexed, Indexed { written: 16, set_aside: 2, ..Indexed::default() });
    let state = world.state();
    assert_eq!(state.lookups.len(), 16);
    assert_eq!(state.dead_letters[0], ("whole 3".to_owned(), "unreadable".to_owned()));
}

#[tokio::test]
async fn a_repeated_batch_writes_the_same_lookups_after_any_fault() {
    let whole = World::default();
    indexed(&whole, batch()).await;
    for failing in 0..18 {
        for trouble in [Trouble::Before, Trouble::After] {
            let world = World::default();
            world.state().trouble = BTreeMap::from([(failing, trouble)]);
            let first = indexed(&world, batch()).await;
            assert!(first.unavailable.is_some() && !first.failed.is_empty(), "call {failing}");
            let again = indexed(&world, batch()).await;
            assert_eq!(again.failed, [""; 0]);
            assert_eq!(world.state().lookups, whole.state().lookups);
        }
    }
}

#[tokio::test]
async fn exactly_the_failed_records_are_reported_in_their_order() {
    let world = World::default();
    // The two unreadable records are set aside first. The entries follow, in the order of subjects and places.
    world.state().trouble = [4, 6].map(|call| (call, Trouble::Before)).into();
    let indexed = indexed(&world, batch()).await;
    assert_eq!((indexed.failed, indexed.written), (vec!["2".to_owned(), "5".to_owned()], 14));
}

#[tokio::test]
async fn the_later_of_two_records_of_a_place_is_written() {
    let twice = || vec![record(0, Ok(entries(1, None))), record(1, Ok(entries(1, Some(7))))];
    let world = World::default();
    assert_eq!(indexed(&world, twice()).await.written, 2);
    assert!(world.state().lookups.values().all(|expires_at| *expires_at == Some(7)));
    let world = World::default();
    world.state().trouble = BTreeMap::from([(0, Trouble::Before)]);
    assert_eq!(indexed(&world, twice()).await.failed, ["0", "1"]);
}
