//! Writes lookups from the streams of tables.
//!
//! A record that cannot be read is set aside whole, and the other records are handled. Only a failing table holds up a
//! stream. The entries of a record depend on the record alone, so a redelivered record writes the same entries. A
//! heartbeat is stored at most once a minute for each table, and says up to which change the entries are written.

pub mod beats;

use std::collections::BTreeMap;

use domain::{
    jiff::Timestamp,
    lookup::{LookupEntry, Origin, Place, Subject},
};

use self::beats::Beats;

use crate::ports::{DeadLetters, Lookups, Unavailable};

/// A record of a stream, or a record that was set aside and put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingChange {
    /// The sequence number or the message id. It identifies the record if the record must be redelivered.
    pub id: String,
    /// The lookup entries for the record, or the reason why the record cannot be read.
    pub entries: Result<Vec<LookupEntry>, String>,
    /// The table that changed and the time of the change, if the record comes from a stream.
    pub change: Option<(Origin, Timestamp)>,
    /// The whole record, unchanged.
    pub whole: String,
}

/// The result of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexed {
    /// The ids of the records that must be redelivered, in the order of arrival.
    pub failed: Vec<String>,
    /// How many entries were written.
    pub written: usize,
    /// How many records were set aside.
    pub set_aside: usize,
    /// The first fault, for the log.
    pub unavailable: Option<Unavailable>,
    /// The fault, if the heartbeat was not stored. The next batch stores it.
    pub no_heartbeat: Option<Unavailable>,
}

/// Writes the entries of a batch, and then the heartbeat if nothing failed. If two records have an entry with the same
/// place, the later entry is written.
pub async fn index(
    (lookups, dead_letters): (&impl Lookups, &impl DeadLetters),
    (beats, now): (&Beats, Timestamp),
    batch: Vec<IncomingChange>,
) -> Indexed {
    let mut newest: BTreeMap<Origin, Timestamp> = BTreeMap::new();
    for (origin, at) in batch.iter().filter_map(|incoming| incoming.change) {
        newest.entry(origin).and_modify(|newest| *newest = at.max(*newest)).or_insert(at);
    }
    let mut indexed = write(lookups, dead_letters, batch).await;
    if indexed.failed.is_empty() {
        for (origin, up_to) in newest {
            indexed.no_heartbeat = beats.beat(lookups, origin, up_to, now).await.err();
        }
    }
    indexed
}

async fn write(lookups: &impl Lookups, dead_letters: &impl DeadLetters, batch: Vec<IncomingChange>) -> Indexed {
    let mut indexed = Indexed::default();
    let mut failures: Vec<Option<Unavailable>> = vec![None; batch.len()];
    let mut places: BTreeMap<(Subject, Place), (LookupEntry, Vec<usize>)> = BTreeMap::new();
    let mut ids = Vec::with_capacity(batch.len());
    let mut aside_failed = None;
    for (at, IncomingChange { id, entries, whole, .. }) in batch.into_iter().enumerate() {
        ids.push(id);
        let reason = match entries {
            Ok(entries) => {
                for entry in entries {
                    let key = (entry.subject.clone(), entry.place.clone());
                    let (kept, owners) = places.entry(key).or_insert_with(|| (entry.clone(), Vec::new()));
                    *kept = entry;
                    owners.push(at);
                }
                continue;
            }
            Err(reason) => reason,
        };
        // After the first failure the queue is not tried again. The remaining unreadable records are redelivered.
        let result = match &aside_failed {
            None => dead_letters.set_aside(&whole, &reason).await,
            Some(unavailable) => Err(Unavailable::clone(unavailable)),
        };
        match result {
            Ok(()) => indexed.set_aside += 1,
            Err(unavailable) => {
                aside_failed.get_or_insert(unavailable.clone());
                fail(&mut failures, at, unavailable);
            }
        }
    }
    let (entries, owners): (Vec<LookupEntry>, Vec<Vec<usize>>) = places.into_values().unzip();
    for (result, owners) in lookups.put(&entries).await.into_iter().zip(owners) {
        match result {
            Ok(()) => indexed.written += 1,
            Err(unavailable) => owners.into_iter().for_each(|at| fail(&mut failures, at, unavailable.clone())),
        }
    }
    for (id, failure) in ids.into_iter().zip(failures) {
        if let Some(unavailable) = failure {
            indexed.failed.push(id);
            indexed.unavailable.get_or_insert(unavailable);
        }
    }
    indexed
}

fn fail(failures: &mut [Option<Unavailable>], at: usize, unavailable: Unavailable) {
    if let Some(slot) = failures.get_mut(at) {
        slot.get_or_insert(unavailable);
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        jiff::Timestamp,
        lookup::Kind,
        values::ids::{Provider, UserId},
    };

    use super::*;
    use crate::memory::{Trouble, World};

    fn entries(thing: usize, expires_at: Option<i64>) -> Vec<LookupEntry> {
        let subjects = [Subject::Refusals(Provider::new("acme").unwrap()), Subject::User(UserId::new("u").unwrap())];
        LookupEntry::under(subjects, &Place::new(Timestamp::UNIX_EPOCH, Kind::Refusal, thing.to_string()), expires_at)
    }

    fn record(at: usize, entries: Result<Vec<LookupEntry>, String>) -> IncomingChange {
        IncomingChange { id: at.to_string(), entries, change: None, whole: format!("whole {at}") }
    }

    /// Returns 10 records with two entries each. The 4th and the 8th cannot be read.
    fn batch() -> Vec<IncomingChange> {
        let read = |at: usize| if at == 3 || at == 7 { Err("unreadable".to_owned()) } else { Ok(entries(at, None)) };
        (0..10).map(|at| record(at, read(at))).collect()
    }

    async fn indexed(world: &World, batch: Vec<IncomingChange>) -> Indexed {
        index((world, world), (&Beats::default(), Timestamp::UNIX_EPOCH), batch).await
    }

    #[tokio::test]
    async fn a_heartbeat_names_the_newest_change_of_a_whole_batch() {
        let (world, at) = (World::default(), |second| Timestamp::from_second(second).unwrap());
        let changed = |incoming: IncomingChange, second| IncomingChange {
            change: Some((Origin::Refusals, at(second))),
            ..incoming
        };
        let batch = || vec![changed(record(0, Ok(entries(0, None))), 8), changed(record(1, Ok(entries(1, None))), 7)];
        let (beats, failing) = (Beats::default(), world.state().calls.len() + 3);
        world.state().trouble = BTreeMap::from([(failing, Trouble::Before)]);
        assert_eq!(index((&world, &world), (&beats, at(9)), batch()).await.failed.len(), 1);
        assert_eq!(world.state().heartbeats[&Origin::Refusals].up_to, Timestamp::UNIX_EPOCH);
        assert_eq!(index((&world, &world), (&beats, at(9)), batch()).await.failed.len(), 0);
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
}
