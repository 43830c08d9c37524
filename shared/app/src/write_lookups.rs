//! Writes lookups and appends rows to the archive, from the streams of tables.
//!
//! A record that cannot be read is set aside whole, and the other records are handled. Only a failing table or a failing
//! archive holds up a stream. The entries and rows of a record depend on the record alone, so a redelivered record
//! writes the same entries, and appends the same rows again. A heartbeat is stored at most once a minute for each table,
//! and says up to which change the entries are written.

pub mod beats;

use std::collections::BTreeMap;

use domain::{
    archive::{ArchiveRow, ArchiveTable},
    jiff::Timestamp,
    lookup::{LookupEntry, Origin, Place, Subject},
};
use futures_util::future::join_all;

use self::beats::Beats;

use crate::ports::{Archive, DeadLetters, Lookups, Unavailable};

/// A record of a stream, or a record that was set aside and put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingChange {
    /// The sequence number or the message id. It identifies the record if the record must be redelivered.
    pub id: String,
    /// The lookup entries for the record, or the reason why the record cannot be read.
    pub entries: Result<Vec<LookupEntry>, String>,
    /// The rows of the archive for the record, or the fault if the key that they need could not be read.
    pub rows: Result<Vec<ArchiveRow>, Unavailable>,
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
    /// How many rows the archive has taken.
    pub archived: usize,
    /// How many records must be redelivered because the archive has not taken their rows.
    pub unarchived: usize,
    /// The first fault, for the log.
    pub unavailable: Option<Unavailable>,
    /// The fault, if the heartbeat was not stored. The next batch stores it.
    pub no_heartbeat: Option<Unavailable>,
}

/// Writes the entries of a batch, appends its rows, and then stores the heartbeat if nothing failed. If two records have
/// an entry with the same place, the later entry is written. The rows of a table are appended in one call.
pub async fn index(
    (lookups, archive, dead_letters): (&impl Lookups, &impl Archive, &impl DeadLetters),
    (beats, now): (&Beats, Timestamp),
    batch: Vec<IncomingChange>,
) -> Indexed {
    let mut newest: BTreeMap<Origin, Timestamp> = BTreeMap::new();
    for (origin, at) in batch.iter().filter_map(|incoming| incoming.change) {
        newest.entry(origin).and_modify(|newest| *newest = at.max(*newest)).or_insert(at);
    }
    let mut indexed = write((lookups, archive, dead_letters), batch).await;
    if indexed.failed.is_empty() {
        for (origin, up_to) in newest {
            indexed.no_heartbeat = beats.beat(lookups, origin, up_to, now).await.err();
        }
    }
    indexed
}

async fn write(
    (lookups, archive, dead_letters): (&impl Lookups, &impl Archive, &impl DeadLetters),
    batch: Vec<IncomingChange>,
) -> Indexed {
    let mut indexed = Indexed::default();
    let mut failures: Vec<Option<Unavailable>> = vec![None; batch.len()];
    let mut places: BTreeMap<(Subject, Place), (LookupEntry, Vec<usize>)> = BTreeMap::new();
    let mut tables: BTreeMap<ArchiveTable, (Vec<ArchiveRow>, Vec<usize>)> = BTreeMap::new();
    let mut unarchived = BTreeMap::new();
    let mut ids = Vec::with_capacity(batch.len());
    let mut aside_failed = None;
    for (at, IncomingChange { id, entries, rows, whole, .. }) in batch.into_iter().enumerate() {
        ids.push(id);
        let reason = match entries {
            Ok(entries) => {
                for entry in entries {
                    let key = (entry.subject.clone(), entry.place.clone());
                    let (kept, owners) = places.entry(key).or_insert_with(|| (entry.clone(), Vec::new()));
                    *kept = entry;
                    owners.push(at);
                }
                match rows {
                    Ok(rows) => {
                        for row in rows {
                            let (of_table, owners) = tables.entry(row.table()).or_default();
                            of_table.push(row);
                            owners.push(at);
                        }
                    }
                    Err(unavailable) => {
                        unarchived.insert(at, unavailable);
                    }
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
    let (archived, refused) = append(archive, tables).await;
    unarchived.extend(refused);
    (indexed.archived, indexed.unarchived) = (archived, unarchived.len());
    for (at, unavailable) in unarchived {
        fail(&mut failures, at, unavailable);
    }
    for (id, failure) in ids.into_iter().zip(failures) {
        if let Some(unavailable) = failure {
            indexed.failed.push(id);
            indexed.unavailable.get_or_insert(unavailable);
        }
    }
    indexed
}

/// Appends the rows of each table. Returns how many rows the archive has taken, and the records with rows that it has
/// not taken.
async fn append(
    archive: &impl Archive,
    tables: BTreeMap<ArchiveTable, (Vec<ArchiveRow>, Vec<usize>)>,
) -> (usize, BTreeMap<usize, Unavailable>) {
    let append = async |(table, (rows, owners)): (ArchiveTable, (Vec<ArchiveRow>, Vec<usize>))| {
        (archive.append(table, &rows).await.map(|()| rows.len()), owners)
    };
    let (mut archived, mut refused) = (0, BTreeMap::new());
    for (result, owners) in join_all(tables.into_iter().map(append)).await {
        match result {
            Ok(rows) => archived += rows,
            Err(unavailable) => refused.extend(owners.into_iter().map(|at| (at, unavailable.clone()))),
        }
    }
    (archived, refused)
}

fn fail(failures: &mut [Option<Unavailable>], at: usize, unavailable: Unavailable) {
    if let Some(slot) = failures.get_mut(at) {
        slot.get_or_insert(unavailable);
    }
}

#[cfg(test)]
mod tests;
