//! An operator lists what partners sent and we refused, and the conflicts that are open, by partner and time.

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
    values::ids::{Provider, TransactionId},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::{
    More, Page,
    lookup_coverage::{Gap, LookupFault, check},
    standing::{self, Standing},
};
use crate::ports::{InboundRecords, Listings, Range, RefusalKind, StoredRefusal, Unavailable};

/// Limits the transactions that are read at the same time.
const AT_ONCE: usize = 10;

/// A refusal or a conflict as it is kept, beside what stands of the transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The refusal or the conflict.
    #[serde(flatten)]
    pub stored: StoredRefusal,
    /// What stands of a conflict's transaction; none where the original of a partner without agreed statuses does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stands: Option<Standing>,
    /// The statuses of a refusal that the partner's file would have to agree on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to_agree: Vec<ToAgree>,
}

/// A status that a partner sent and its file does not agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToAgree {
    /// The parameter, in the partner's words.
    pub parameter: String,
    /// The word that came. Empty if it cannot be read.
    pub word: String,
}

impl Refused {
    /// Puts what is kept beside what stands.
    fn new(stored: StoredRefusal, stands: Option<Standing>) -> Self {
        let request = stored.request.clone().unwrap_or_default();
        let sent = Parameters::split(request.as_bytes(), b"");
        let is_status = |code: FaultCode| matches!(code, FaultCode::StatusNotAgreed | FaultCode::UnknownStatus);
        let faults = stored.faults.iter().filter(|fault| is_status(fault.code));
        let to_agree = faults.filter_map(|fault| fault.parameter.clone()).map(|parameter| {
            let word = sent.raw(&parameter).and_then(|raw| parameters::decode(raw).ok()).unwrap_or_default();
            ToAgree { parameter, word }
        });
        let to_agree = to_agree.collect();
        Self { stored, stands, to_agree }
    }
}

/// A transaction of which it is not known what stands, because it could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownStanding {
    /// The partner.
    pub provider: Provider,
    /// The transaction.
    pub transaction_id: TransactionId,
    /// Says why it could not be read.
    pub fault: Unavailable,
}

/// A list of refusals or conflicts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The refusals or conflicts, the newest first.
    pub items: Vec<Refused>,
    /// The partners that may have more.
    pub more: More,
    /// The conflicts' transactions that could not be read. Their conflicts are listed all the same.
    pub unknown: Vec<UnknownStanding>,
    /// What is missing from the lookups, and therefore from the list.
    pub gaps: Vec<Gap>,
}

/// Lists refusals, or open conflicts, of these partners. One of the last seconds may not be found yet.
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
    let (items, unknown) = beside(inbound, stored).await;
    Ok(Listed { items, more, unknown, gaps })
}

/// Lists one partner's, and the place of the last of them if there may be more.
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
    // An entry stands up to an hour before what it leads to was last seen.
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
            // A content that was seen in several hours has an entry in each: the newest one lists it.
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
    let stands = match stored.contradicts() {
        Some(((provider, transaction), sent)) => {
            standing::beside(inbound, (&provider, &transaction), (sent, stored.state)).await?
        }
        None => None,
    };
    Ok(Some(Refused::new(stored, stands)))
}

/// Reads what stands beside these. A transaction that cannot be read holds up none of the others.
pub(super) async fn beside(
    inbound: &impl InboundRecords,
    stored: Vec<StoredRefusal>,
) -> (Vec<Refused>, Vec<UnknownStanding>) {
    let contradicted = |item: &StoredRefusal| item.contradicts().map(|(transaction, _)| transaction);
    let transactions: BTreeSet<(Provider, TransactionId)> = stored.iter().filter_map(contradicted).collect();
    let read = stream::iter(transactions).map(async |(provider, transaction_id)| {
        let history = inbound.transaction(&provider, &transaction_id).await;
        ((provider, transaction_id), history.map(|history| history.map(|history| history.latest())))
    });
    let mut read = pin!(read.buffer_unordered(AT_ONCE));
    let (mut standing, mut unknown) = (BTreeMap::new(), Vec::new());
    while let Some((transaction, stands)) = read.next().await {
        match stands {
            Ok(stands) => drop(stands.map(|stands| standing.insert(transaction, stands))),
            Err(fault) => {
                let (provider, transaction_id) = transaction;
                unknown.push(UnknownStanding { provider, transaction_id, fault });
            }
        }
    }
    let beside = |stored: StoredRefusal| {
        let contradicted = stored.contradicts();
        let stands = contradicted
            .and_then(|(transaction, sent)| Standing::beside((sent, stored.state), standing.get(&transaction)?));
        Refused::new(stored, stands)
    };
    (stored.into_iter().map(beside).collect(), unknown)
}

#[cfg(test)]
mod tests;
