//! Erases persons again after a table was restored to a state from before their erasure.
//!
//! The audit records of the erasures have the keyed hash of each user. All tables that name users are read, and each user
//! id is hashed with the same key. A person is found again by an item from before the latest erasure of that person, so
//! that records of a person who came back after the erasure are left alone. The erasure finds everything by lookups, so
//! `lookup-writer` must have written the lookups of the restored items. The lookups are read too, because an interrupted
//! erasure leaves the user's entries until the end.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    audit::{Action, Operation},
    jiff::Timestamp,
    lookup::{Kind, LookupEntry, Origin, Subject},
    partner::Partner,
    values::ids::{DeliveryId, Provider, UserId},
};

use super::{FindPerson, Selector, erase::ErasePerson};
use crate::{
    operators::{
        Pace, audit,
        lookup_coverage::{Gap, LookupFault, check},
        rebuild_lookups::{Stopped, turn},
        segments,
    },
    ports::{
        AuditTrail, Clock, DeadLetterQueues, Deliveries, DeliveryRecords, Erasures, InboundRecords, Listings,
        OriginItem, Participants, Rebuilds, Source, Unavailable,
    },
};

/// The use case, over the use cases that find and erase a person.
pub struct ReplayErasures<F, E> {
    /// Finds persons.
    pub find: F,
    /// Erases persons.
    pub erase: E,
}

/// The result of a replay.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many persons were erased in the period.
    pub persons: usize,
    /// How many items were read.
    pub items: usize,
    /// How many of the persons were found again.
    pub found: usize,
    /// How many of those were erased again. The others have unreadable items, or items without lookups.
    pub erased: usize,
    /// The items that cannot be read, each with its table. A person to whom such an item belongs is not erased.
    pub unreadable: Vec<(&'static str, String)>,
    /// The gaps in the lookups, because of which some records may not be erased.
    pub gaps: Vec<Gap>,
    /// The reason why the replay ended early, if it did. The next run begins from the start.
    pub stopped: Option<Stopped>,
}

/// The users who were found again, and the erased deliveries.
#[derive(Default)]
struct Found {
    users: BTreeSet<UserId>,
    /// The deliveries whose attempts may have been restored with the partner's answers.
    deliveries: BTreeSet<DeliveryId>,
}

/// Maps the hash of each erased user to the instant of the latest erasure.
type Erased = BTreeMap<String, Timestamp>;

impl<L, I, D, P, Q, N, E, V, K, A> ReplayErasures<FindPerson<L, I, D, P, Q, N>, ErasePerson<E, V, K, A>>
where
    L: Listings + Rebuilds,
    I: InboundRecords,
    D: DeliveryRecords,
    P: Participants,
    Q: DeadLetterQueues,
    N: Source<Key = Provider, Value = Partner>,
    E: Erasures,
    V: Deliveries,
    K: DeadLetterQueues,
    A: AuditTrail,
{
    /// Erases again the persons who were erased from `since` to `until`. Each erasure has its own audit record. Fails
    /// only if nothing was changed.
    pub async fn run(
        &self,
        (since, until): (Timestamp, Timestamp),
        operation: &Operation,
        clock: &impl Clock,
        pace: &mut impl Pace,
    ) -> Result<Replayed, LookupFault> {
        let gaps = check(&self.find.listings, &Origin::ALL, None).await?;
        let mut replayed = Replayed { gaps, ..Replayed::default() };
        let erased = self.erased((since, until), clock, &mut replayed).await?;
        replayed.persons = erased.len();
        if !erased.is_empty() {
            replayed.stopped = self.replay(&erased, operation, clock, pace, &mut replayed).await.err();
        }
        Ok(replayed)
    }

    async fn erased(
        &self,
        (since, until): (Timestamp, Timestamp),
        clock: &impl Clock,
        replayed: &mut Replayed,
    ) -> Result<Erased, Unavailable> {
        let records = audit::list(&self.erase.trail, (since, clock.now().timestamp()), None).await?;
        let mut erased = Erased::new();
        // The newest record comes first.
        for record in records.iter().filter(|record| record.action == Action::ErasePerson && record.at <= until) {
            let users = record.details.get("users").map_or("", String::as_str);
            if users.ends_with('…') {
                replayed.unreadable.push(("audit", record.id.to_string()));
            }
            for hash in users.split(", ").filter(|hash| !hash.is_empty()) {
                erased.entry(hash.to_owned()).or_insert(record.at);
            }
        }
        Ok(erased)
    }

    async fn replay(
        &self,
        erased: &Erased,
        operation: &Operation,
        clock: &impl Clock,
        pace: &mut impl Pace,
        replayed: &mut Replayed,
    ) -> Result<(), Stopped> {
        let mut found = Found::default();
        for origin in Origin::ALL.map(Some).into_iter().chain([None]) {
            let mut places = segments::begin();
            while !segments::is_done(&places) {
                turn(pace).await?;
                let reader = async |segment, from, most| match origin {
                    Some(origin) => self.find.listings.page(origin, segment, from, most).await,
                    None => self.find.listings.written(segment, from, most).await,
                };
                let (items, next) = segments::read(reader, &places, pace.most_at_once()).await?;
                places = next;
                pace.taken(items.len());
                replayed.items += items.len();
                let table = origin.map_or("lookups", Origin::as_str);
                self.sort(table, items, erased, clock.now().timestamp(), (&mut found, replayed));
            }
        }
        replayed.found = found.users.len();
        for user in found.users {
            turn(pace).await?;
            self.again(user, operation, clock, replayed).await?;
        }
        for delivery in found.deliveries {
            turn(pace).await?;
            let attempts = self.find.deliveries.older_attempts(&delivery).await?;
            self.erase.delivery(&delivery, &attempts, clock.now()).await?;
        }
        Ok(())
    }

    /// Looks in these items for the users who were erased after the time of the item. Expired items are left out,
    /// because DynamoDB deletes them.
    fn sort(
        &self,
        table: &'static str,
        items: Vec<OriginItem>,
        erased: &Erased,
        now: Timestamp,
        (found, replayed): (&mut Found, &mut Replayed),
    ) {
        let key = &self.erase.key;
        for item in items {
            let Ok(entries) = item.entries else {
                replayed.unreadable.push((table, item.key));
                continue;
            };
            for LookupEntry { subject, place, expires_at } in entries {
                let Subject::User(user) = subject else { continue };
                let Some(at) = erased.get(key.user(&user).as_str()) else { continue };
                if key.erased_user(&user) == user {
                    let delivery = DeliveryId::new(place.key()).ok().filter(|_| place.kind() == Kind::Delivery);
                    found.deliveries.extend(delivery);
                } else if place.at() <= *at && expires_at.is_none_or(|at| at > now.as_second()) {
                    found.users.insert(user);
                }
            }
        }
    }

    async fn again(
        &self,
        user: UserId,
        operation: &Operation,
        clock: &impl Clock,
        replayed: &mut Replayed,
    ) -> Result<(), Unavailable> {
        let person =
            self.find.find(&Selector::User(user), clock.now().timestamp()).await.map_err(|fault| match fault {
                LookupFault::Unavailable(unavailable) => unavailable,
                lost @ LookupFault::Lost(_) => Unavailable { service: "lookups", reason: lost.to_string() },
            })?;
        if !person.unreadable.is_empty() {
            replayed.unreadable.extend(person.unreadable.into_iter().map(|key| (Origin::Postbacks.as_str(), key)));
            return Ok(());
        }
        if person.is_empty() {
            return Ok(());
        }
        self.erase.run(&person, operation, clock.now()).await?;
        replayed.erased += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
