//! Lists refused calls and open conflicts for an operator, by partner and time.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    pin::pin,
};

use domain::{
    inbound::{
        fault::FaultCode,
        parameters::{self, Parameters},
        refusal::ContentKey,
    },
    jiff::{SignedDuration, Timestamp},
    lookup::{Origin, Place, Subject},
    values::ids::{Provider, TransactionId, TransactionKey},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::{
    More, Page,
    current_revision::{self, CurrentRevision},
    lookup_coverage::{Gap, LookupFault, check},
};
use crate::ports::{InboundRecords, Listings, Range, RefusalKind, StoredRefusal, Unavailable};

/// Limits the transactions that are read at the same time.
const AT_ONCE: usize = 10;

/// A kept refusal, or a kept conflict with the current revision of its transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The refusal or the conflict.
    pub stored: StoredRefusal,
    /// The current revision of a conflict's transaction. Absent if it is an original without a state.
    pub current: Option<CurrentRevision>,
    /// The statuses of a refusal that would have to be agreed in the partner's file.
    pub to_agree: Vec<ToAgree>,
}

/// A status that a partner sent and that its file does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToAgree {
    /// The parameter, in the partner's words.
    pub parameter: String,
    /// The word that was sent. It is empty if the word cannot be read.
    pub word: String,
}

impl Refused {
    /// Joins a kept item with the current revision.
    fn new(stored: StoredRefusal, current: Option<CurrentRevision>) -> Self {
        let request = stored.request.clone().unwrap_or_default();
        let sent = Parameters::split(request.as_bytes(), b"");
        let is_status = |code: FaultCode| matches!(code, FaultCode::StatusNotAgreed | FaultCode::UnknownStatus);
        let faults = stored.faults.iter().filter(|fault| is_status(fault.code));
        let to_agree = faults.filter_map(|fault| fault.parameter.clone()).map(|parameter| {
            let word = sent.raw(&parameter).and_then(|raw| parameters::decode(raw).ok()).unwrap_or_default();
            ToAgree { parameter, word }
        });
        let to_agree = to_agree.collect();
        Self { stored, current, to_agree }
    }
}

/// A transaction that could not be read, so that its current revision is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadTransaction {
    /// The partner.
    pub provider: Provider,
    /// The transaction.
    pub transaction_id: TransactionId,
    /// The reason why the transaction could not be read.
    pub fault: Unavailable,
}

/// A list of refusals or conflicts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The refusals or conflicts, the newest first.
    pub items: Vec<Refused>,
    /// The partners that may have more.
    pub more: More,
    /// The transactions of conflicts that could not be read. The conflicts are still listed.
    pub unread: Vec<UnreadTransaction>,
    /// The gaps in the lookups, because of which items may be missing from the list.
    pub gaps: Vec<Gap>,
}

/// Lists refusals, or open conflicts, of these partners. Calls of the last few seconds may be missing.
pub async fn list(
    (listings, inbound): (&impl Listings, &impl InboundRecords),
    kind: RefusalKind,
    providers: &[Provider],
    page: &Page,
    now: Timestamp,
) -> Result<Listed, LookupFault> {
    let gaps = check(listings, &[Origin::Refusals], page.since).await?;
    let (mut stored, mut more) = (Vec::new(), More::new());
    for provider in providers {
        let (items, last) = of_partner((listings, inbound), kind, provider, page, now).await?;
        stored.extend(items);
        more.extend(last.map(|last| (provider.clone(), last)));
    }
    stored.sort_by_key(|item| Reverse(item.listed_at()));
    let (items, unread) = with_current_revisions(inbound, stored).await;
    Ok(Listed { items, more, unread, gaps })
}

/// Counts a partner's refusals or open conflicts on this page.
pub(super) async fn count(
    (listings, inbound): (&impl Listings, &impl InboundRecords),
    kind: RefusalKind,
    provider: &Provider,
    page: &Page,
    now: Timestamp,
) -> Result<usize, Unavailable> {
    of_partner((listings, inbound), kind, provider, page, now).await.map(|(items, _)| items.len())
}

/// Returns the refusals or open conflicts of one partner. Also returns the place of the last one if there may be more.
async fn of_partner(
    (listings, inbound): (&impl Listings, &impl InboundRecords),
    kind: RefusalKind,
    provider: &Provider,
    Page { since, after, most }: &Page,
    now: Timestamp,
) -> Result<(Vec<StoredRefusal>, Option<Place>), Unavailable> {
    let most = (*most).max(1);
    let subject = match kind {
        RefusalKind::Refusal => Subject::Refusals(provider.clone()),
        RefusalKind::Conflict => Subject::Conflicts(provider.clone()),
    };
    // The time in an entry may be up to an hour earlier than the time at which the refusal was last seen.
    let from = since.map(|since| since - SignedDuration::from_hours(1));
    let range = Range { from, newest_first: true, after: after.clone(), wanted: most, ..Range::default() };
    let places = listings.list(subject, range, now);
    let mut chunks = pin!(places.try_chunks(most).map_err(|broken| broken.1));
    let is_wanted = |item: &StoredRefusal| {
        let is_of_kind = kind == RefusalKind::Refusal || item.is_open();
        is_of_kind && !item.has_expired(now) && since.is_none_or(|since| item.listed_at() >= since)
    };
    let (mut items, mut listed) = (Vec::new(), BTreeSet::new());
    while let Some(places) = chunks.try_next().await? {
        let kept = inbound.refusals(&places.iter().map(Place::key).collect()).await?.into_iter();
        let mut kept: HashMap<String, StoredRefusal> =
            kept.filter(is_wanted).map(|item| (item.provider_content.clone(), item)).collect();
        for place in places {
            // A refusal that was seen in several hours has an entry for each hour. It is listed only once, by the
            // newest entry.
            let Some(item) = kept.remove(place.key()).filter(|_| listed.insert(place.key().to_owned())) else {
                continue;
            };
            items.push(item);
            if items.len() == most {
                return Ok((items, Some(place)));
            }
        }
    }
    Ok((items, None))
}

/// Reads a refusal or a conflict that is kept and has not expired.
pub async fn find(
    inbound: &impl InboundRecords,
    key: &ContentKey,
    now: Timestamp,
) -> Result<Option<Refused>, Unavailable> {
    let found = inbound.refusals(&BTreeSet::from([key.as_str()])).await?;
    let Some(stored) = found.into_iter().find(|item| !item.has_expired(now)) else { return Ok(None) };
    let current = match stored.contradicts() {
        Some(((provider, transaction), sent)) => {
            let key = TransactionKey::of(&provider, &transaction);
            current_revision::read(inbound, &key, (sent, stored.state)).await?
        }
        None => None,
    };
    Ok(Some(Refused::new(stored, current)))
}

/// Reads the current revisions of the transactions that these conflicts contradict. If a transaction cannot be read,
/// the others are still read.
pub(super) async fn with_current_revisions(
    inbound: &impl InboundRecords,
    stored: Vec<StoredRefusal>,
) -> (Vec<Refused>, Vec<UnreadTransaction>) {
    let contradicted = |item: &StoredRefusal| item.contradicts().map(|(transaction, _)| transaction);
    let transactions: BTreeSet<(Provider, TransactionId)> = stored.iter().filter_map(contradicted).collect();
    let read = stream::iter(transactions).map(async |(provider, transaction_id)| {
        let history = inbound.transaction(&TransactionKey::of(&provider, &transaction_id)).await;
        ((provider, transaction_id), history.map(|history| history.map(|history| history.latest())))
    });
    let mut read = pin!(read.buffer_unordered(AT_ONCE));
    let (mut revisions, mut unread) = (BTreeMap::new(), Vec::new());
    while let Some((transaction, latest)) = read.next().await {
        match latest {
            Ok(latest) => drop(latest.map(|latest| revisions.insert(transaction, latest))),
            Err(fault) => {
                let (provider, transaction_id) = transaction;
                unread.push(UnreadTransaction { provider, transaction_id, fault });
            }
        }
    }
    let with_current = |stored: StoredRefusal| {
        let current = stored.contradicts().and_then(|(transaction, sent)| {
            CurrentRevision::compare(revisions.get(&transaction)?, (sent, stored.state))
        });
        Refused::new(stored, current)
    };
    (stored.into_iter().map(with_current).collect(), unread)
}

#[cfg(test)]
mod tests;
