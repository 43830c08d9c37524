//! Finds everything that is stored about a person, so that an operator can show it to the person or erase it.
//!
//! A person is a GG3 user. Everything is found by the lookups, by the participant, and by a search through all refusals
//! and conflicts, because these may name the person or a transaction of the person without an entry.

pub mod erase;
mod letters;
mod names;
pub mod replay;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    archive::ArchiveKey,
    inbound::{
        click::{Click, ClickOrigin},
        transaction::History,
    },
    jiff::Timestamp,
    lookup::{Kind, Origin, Place, Subject},
    outbound::participant::Participant,
    partner::Partner,
    values::ids::{ClickId, DeliveryId, PartnerUserId, Provider, TransactionKey, UserId},
};
use futures_util::TryStreamExt;

use self::names::Names;
use super::lookup_coverage::{Gap, LookupFault, check};
use crate::ports::{
    DeadLetter, DeadLetterQueue, DeadLetterQueues, DeliveryRecords, InboundRecords, KeptAttempt, Listings,
    Participants, Range, Source, StoredDelivery, StoredRefusal, Unavailable,
};

/// Limits how many items one request reads.
const AT_ONCE: usize = 100;

/// Selects a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// A GG3 user.
    User(UserId),
    /// The GG3 users who opened links of this partner under this id.
    PartnerUser(Provider, PartnerUserId),
}

/// Finds persons, over its ports.
pub struct FindPerson<L, I, D, P, Q, N> {
    /// The lookups.
    pub listings: L,
    /// Recorded postbacks, refusals, conflicts and clicks.
    pub inbound: I,
    /// The deliveries.
    pub deliveries: D,
    /// The participants.
    pub participants: P,
    /// The dead-letter queues.
    pub queues: Q,
    /// The partners, with the rules for their postbacks.
    pub partners: N,
    /// The partners whose refusals and conflicts are searched, which should be all.
    pub providers: Vec<Provider>,
    /// The key of erased ids.
    pub key: ArchiveKey,
}

/// Everything that is stored about a person.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The person's ids at GG3, usually one.
    pub users: BTreeSet<UserId>,
    /// The partners' ids of the person.
    pub partner_users: BTreeSet<(Provider, PartnerUserId)>,
    /// The click ids that we made for the person, and those with which the person came from partners.
    pub click_ids: BTreeSet<ClickId>,
    /// The click ids that we made, which are among `click_ids` too.
    pub made_clicks: BTreeSet<ClickId>,
    /// The transactions.
    pub transactions: BTreeMap<TransactionKey, History>,
    /// The notes of these transactions beside transactions of others, each with the other transaction first.
    pub notes: BTreeSet<(TransactionKey, TransactionKey)>,
    /// The refusals and conflicts.
    pub refusals: Vec<StoredRefusal>,
    /// The clicks that are recorded.
    pub clicks: Vec<Click>,
    /// The participants that exist.
    pub participants: BTreeMap<UserId, Participant>,
    /// The deliveries, each with the attempts that are kept beside it.
    pub deliveries: Vec<(StoredDelivery, Vec<KeptAttempt>)>,
    /// The dead letters that name the person.
    pub letters: Vec<(DeadLetterQueue, DeadLetter)>,
    /// The entries of the lookups under click ids and under partners' ids of the person.
    pub entries: BTreeSet<(Subject, Place)>,
    /// The entries of the refusals and conflicts under their partners. By these entries a search finds the refusals, so
    /// they are deleted after the refusals. An interrupted erasure may have left entries of deleted refusals.
    pub listed_refusals: BTreeSet<(Subject, Place)>,
    /// The entries of the GG3 user.
    pub own_entries: BTreeSet<(Subject, Place)>,
    /// The keys of postbacks that cannot be read.
    pub unreadable: Vec<String>,
    /// The gaps in the lookups, because of which records may be missing.
    pub gaps: Vec<Gap>,
}

impl Person {
    /// Returns true if nothing is stored about the person.
    pub fn is_empty(&self) -> bool {
        let Self { transactions, refusals, clicks, participants, deliveries, letters, own_entries, .. } = self;
        let live = transactions.values().any(|history| !history.is_erased())
            || deliveries.iter().any(|(stored, _)| !stored.delivery.is_erased());
        !live
            && refusals.is_empty()
            && clicks.is_empty()
            && participants.is_empty()
            && letters.is_empty()
            && own_entries.is_empty()
    }

    /// Returns the conflicts that nobody has resolved. Erasing the person deletes them.
    pub fn open_conflicts(&self) -> impl Iterator<Item = &StoredRefusal> {
        self.refusals.iter().filter(|stored| stored.is_open())
    }

    fn names(&self) -> Names<'_> {
        let originals = self.transactions.values().map(|history| &history.original().postback);
        Names {
            users: self.users.iter().map(UserId::as_str).collect(),
            partner_users: self.partner_users.iter().map(|(provider, id)| (provider.as_str(), id.as_str())).collect(),
            clicks: self.click_ids.iter().map(ClickId::as_str).collect(),
            made_clicks: self.made_clicks.iter().map(ClickId::as_str).collect(),
            transactions: originals.map(|it| (it.provider.as_str(), it.transaction_id.as_str())).collect(),
        }
    }
}

impl<L, I, D, P, Q, N> FindPerson<L, I, D, P, Q, N>
where
    L: Listings,
    I: InboundRecords,
    D: DeliveryRecords,
    P: Participants,
    Q: DeadLetterQueues,
    N: Source<Key = Provider, Value = Partner>,
{
    /// Finds everything about a person. Records of the last few seconds may be missing.
    pub async fn find(&self, selector: &Selector, now: Timestamp) -> Result<Person, LookupFault> {
        let mut person = Person { gaps: check(&self.listings, &Origin::ALL, None).await?, ..Person::default() };
        self.select(&mut person, selector, now).await?;
        let places = self.own_places(&mut person, now).await?;
        let of = |kind: Kind| places.iter().filter(move |place| place.kind() == kind).map(Place::key);
        self.transactions(&mut person, of(Kind::Postback).collect()).await?;
        self.outbound(&mut person, of(Kind::Delivery).filter_map(|key| DeliveryId::new(key).ok()).collect()).await?;
        person.made_clicks.extend(of(Kind::Click).filter_map(|key| ClickId::try_from(key.to_owned()).ok()));
        person.click_ids.extend(person.made_clicks.iter().cloned());
        let clicks = self.inbound.clicks(&person.click_ids).await?;
        person.clicks = clicks.into_iter().filter(|click| person.users.contains(&click.user_id)).collect();
        self.refusals(&mut person, of(Kind::Refusal).map(str::to_owned).collect(), now).await?;
        self.entries(&mut person, &places, now).await?;
        person.letters = letters::find(&self.queues, &person.names()).await?;
        Ok(person)
    }

    async fn listed(&self, subject: Subject, now: Timestamp) -> Result<Vec<Place>, Unavailable> {
        let range = Range { wanted: AT_ONCE, ..Range::default() };
        self.listings.list(subject, range, now).try_collect().await
    }

    /// Finds the GG3 users.
    async fn select(&self, person: &mut Person, selector: &Selector, now: Timestamp) -> Result<(), Unavailable> {
        let (provider, id) = match selector {
            Selector::User(user) => {
                person.users.insert(user.clone());
                return Ok(());
            }
            Selector::PartnerUser(provider, id) => (provider, id),
        };
        person.partner_users.insert((provider.clone(), id.clone()));
        let places = self.listed(Subject::PartnerUser(provider.clone(), id.clone()), now).await?;
        let of = |kind: Kind| places.iter().filter(move |place| place.kind() == kind).map(Place::key);
        person.users.extend(of(Kind::Opening).filter_map(|key| UserId::try_from(key.to_owned()).ok()));
        let ids: BTreeSet<DeliveryId> = of(Kind::Delivery).filter_map(|key| DeliveryId::new(key).ok()).collect();
        let owed = self.deliveries.find(&ids).await?.into_iter().map(|stored| stored.delivery);
        person.users.extend(owed.filter(|owed| !owed.is_erased()).map(|owed| owed.participant().clone()));
        Ok(())
    }

    /// Lists the places of the person's items. The entries of erased items are under the id that took the place of the
    /// user's, so that a person who was erased in part is found again.
    async fn own_places(&self, person: &mut Person, now: Timestamp) -> Result<BTreeSet<Place>, Unavailable> {
        let mut places = BTreeSet::new();
        for user in person.users.clone() {
            places.extend(self.listed(Subject::User(self.key.erased_user(&user)), now).await?);
            let subject = Subject::User(user);
            let own = self.listed(subject.clone(), now).await?;
            for place in &own {
                person.own_entries.insert((subject.clone(), place.clone()));
                match (place.kind(), Subject::parse_opened(place.key())) {
                    (Kind::Opened, Some(Subject::Click(id))) => _ = person.click_ids.insert(id),
                    (Kind::Opened, Some(Subject::PartnerUser(provider, id))) => {
                        person.partner_users.insert((provider, id));
                    }
                    _ => {}
                }
            }
            places.extend(own);
        }
        Ok(places)
    }

    /// Reads the transactions, the transactions that take an amount from them, and their notes beside other ones.
    async fn transactions(&self, person: &mut Person, keys: BTreeSet<&str>) -> Result<(), Unavailable> {
        let mut wanted = BTreeSet::new();
        for keys in keys.into_iter().collect::<Vec<_>>().chunks(AT_ONCE) {
            let found = self.inbound.revisions(&keys.iter().copied().collect()).await?;
            wanted.extend(found.revisions.iter().map(|revision| revision.postback().key()));
            person.unreadable.extend(found.unreadable);
        }
        while let Some(key) = wanted.pop_first() {
            if person.transactions.contains_key(&key) {
                continue;
            }
            let Some(history) = self.inbound.transaction(&key).await? else { continue };
            wanted.extend(history.adjustments().map(|note| note.by.postback.key()));
            for revision in history.revisions() {
                let postback = revision.postback();
                let reversed = revision.reversed().and_then(|reversed| reversed.key(postback));
                person.notes.extend(reversed.map(|of| (of, key.clone())));
                // A partner may give one click id to many users, so that only our own leads to this person.
                let is_own =
                    postback.click == ClickOrigin::Verified && person.users.contains(&postback.content.user_id);
                if is_own && !postback.is_erased() {
                    person.made_clicks.insert(postback.content.click_id.clone());
                }
            }
            person.transactions.insert(key, history);
        }
        Ok(())
    }

    /// Reads the participants and the deliveries.
    async fn outbound(&self, person: &mut Person, ids: BTreeSet<DeliveryId>) -> Result<(), Unavailable> {
        let users: Vec<&UserId> = person.users.iter().collect();
        for (user, stored) in users.iter().zip(self.participants.read(&users).await) {
            let stored = stored?;
            for (provider, attribution) in stored.participant.attributions() {
                let ids = attribution.latest.ids.clone();
                person.click_ids.extend(ids.click_id);
                person.partner_users.extend(ids.user_id.map(|id| (provider.clone(), id)));
            }
            if stored.version.is_some() {
                person.participants.insert((*user).clone(), stored.participant);
            }
        }
        for stored in self.deliveries.find(&ids).await? {
            let delivery = &stored.delivery;
            if !delivery.is_erased() {
                let ids = delivery.ids().clone();
                person.click_ids.extend(ids.click_id);
                person.partner_users.extend(ids.user_id.map(|id| (delivery.provider().clone(), id)));
            }
            let attempts = self.deliveries.older_attempts(delivery.id()).await?;
            person.deliveries.push((stored, attempts));
        }
        Ok(())
    }

    /// Reads the refusals and conflicts that lookups name, and searches those of all partners.
    async fn refusals(&self, person: &mut Person, listed: BTreeSet<String>, now: Timestamp) -> Result<(), Unavailable> {
        let stored = self.read_refusals(listed.iter().map(String::as_str).collect()).await?;
        let mut found: BTreeMap<String, StoredRefusal> =
            stored.into_iter().map(|item| (item.provider_content.clone(), item)).collect();
        let mut listed = Vec::new();
        for provider in &self.providers {
            let partner = self.partners.load(provider).await?;
            let parameters = partner.map(|partner| partner.rules().names.clone()).unwrap_or_default();
            let mut places = Vec::new();
            for subject in [Subject::Conflicts(provider.clone()), Subject::Refusals(provider.clone())] {
                let of_subject = self.listed(subject.clone(), now).await?;
                places.extend(of_subject.into_iter().map(|place| (subject.clone(), place)));
            }
            let kept = self.read_refusals(places.iter().map(|(_, place)| place.key()).collect()).await?;
            let exist: BTreeSet<String> = kept.iter().map(|item| item.provider_content.clone()).collect();
            let names = person.names();
            let theirs = kept.into_iter().filter(|item| names.are_in_refusal(item, &parameters));
            found.extend(theirs.map(|item| (item.provider_content.clone(), item)));
            listed.extend(places.into_iter().map(|entry| (exist.contains(entry.1.key()), entry)));
        }
        let is_theirs = |exists: bool, place: &Place| !exists || found.contains_key(place.key());
        let theirs = listed.into_iter().filter(|(exists, (_, place))| is_theirs(*exists, place));
        person.listed_refusals = theirs.map(|(_, entry)| entry).collect();
        person.refusals = found.into_values().collect();
        Ok(())
    }

    async fn read_refusals(&self, keys: BTreeSet<&str>) -> Result<Vec<StoredRefusal>, Unavailable> {
        let (keys, mut read): (Vec<&str>, Vec<StoredRefusal>) = (keys.into_iter().collect(), Vec::new());
        for some in keys.chunks(AT_ONCE) {
            read.extend(self.inbound.refusals(&some.iter().copied().collect()).await?);
        }
        Ok(read)
    }

    /// Finds the entries that lead to the person's items under subjects that may belong to others too.
    async fn entries(&self, person: &mut Person, places: &BTreeSet<Place>, now: Timestamp) -> Result<(), Unavailable> {
        let refused: BTreeSet<&str> = person.refusals.iter().map(|item| item.provider_content.as_str()).collect();
        let is_own = |place: &Place| match place.kind() {
            Kind::Opening => person.users.iter().any(|user| user.as_str() == place.key()),
            Kind::Refusal => refused.contains(place.key()),
            _ => places.contains(place),
        };
        let of_refusals = person.refusals.iter().flat_map(|item| {
            let (user, click) = item.ids();
            user.map(Subject::User).into_iter().chain(click.map(Subject::Click))
        });
        let mut subjects: BTreeSet<Subject> = of_refusals.collect();
        subjects.extend(person.click_ids.iter().cloned().map(Subject::Click));
        let all = person.transactions.values().flat_map(History::revisions);
        let all = all.filter(|revision| !revision.postback().is_erased());
        subjects.extend(all.map(|revision| Subject::Click(revision.postback().content.click_id.clone())));
        subjects.extend(person.partner_users.iter().cloned().map(|(provider, id)| Subject::PartnerUser(provider, id)));
        let mut entries = BTreeSet::new();
        for subject in subjects {
            let listed = self.listed(subject.clone(), now).await?.into_iter().filter(is_own);
            entries.extend(listed.map(|place| (subject.clone(), place)));
        }
        entries.retain(|entry| !person.own_entries.contains(entry));
        person.entries = entries;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
