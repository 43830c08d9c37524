//! Lists accepted transactions for an operator, by partner and time, each with its current revision.

use std::{cmp::Reverse, pin::pin};

use domain::{
    inbound::{correction::Revision, status::State, transaction::History},
    jiff::Timestamp,
    lookup::{Origin, Place, Subject},
    values::ids::{Provider, TransactionKey},
};
use futures_util::{StreamExt, TryStreamExt, future, stream};

use super::{
    More, Page,
    counting::{Counted, counted},
    lookup_coverage::{Gap, LookupFault, check},
    refusals::UnreadTransaction,
};
use crate::ports::{InboundRecords, Listings, Range, Unavailable};

/// Limits the transactions that are read at the same time.
const AT_ONCE: usize = 16;

/// Selects the transactions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Selects transactions that count in this state now. Without an agreed status, a transaction is approved.
    pub state: Option<State>,
    /// The first instant after the range.
    pub before: Option<Timestamp>,
    /// The page. Transactions are listed by the instant at which their first postback was recorded.
    pub page: Page,
}

/// A transaction as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The instant at which the first postback was recorded.
    pub recorded_at: Timestamp,
    /// The current revision.
    pub current: Revision,
    /// How the transaction counts.
    pub counted: Counted,
}

impl Transaction {
    async fn of(inbound: &impl InboundRecords, history: &History) -> Result<Self, Unavailable> {
        let current = history.latest();
        let counted = counted(inbound, &current).await?;
        Ok(Self { recorded_at: history.original().receipt.received_at, current, counted })
    }
}

/// A list of transactions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The transactions, the newest first.
    pub transactions: Vec<Transaction>,
    /// The partners that may have more.
    pub more: More,
    /// The transactions that could not be read. The others are still listed.
    pub unread: Vec<UnreadTransaction>,
    /// The gaps in the lookups, because of which transactions may be missing from the list.
    pub gaps: Vec<Gap>,
}

/// Lists transactions of these partners. Transactions of the last few seconds may be missing.
pub async fn list(
    (listings, inbound): (&impl Listings, &impl InboundRecords),
    providers: &[Provider],
    wanted: &Wanted,
    now: Timestamp,
) -> Result<Listed, LookupFault> {
    let gaps = check(listings, &[Origin::Postbacks], wanted.page.since).await?;
    let mut listed = Listed { gaps, ..Listed::default() };
    for provider in providers {
        let last = of_partner((listings, inbound), provider, wanted, now, &mut listed).await?;
        listed.more.extend(last.map(|last| (provider.clone(), last)));
    }
    listed.transactions.sort_by_key(|transaction| Reverse(transaction.recorded_at));
    Ok(listed)
}

/// Adds the transactions of one partner. Returns the place of the last one if there may be more.
async fn of_partner(
    (listings, inbound): (&impl Listings, &impl InboundRecords),
    provider: &Provider,
    Wanted { state, before, page: Page { since, after, most } }: &Wanted,
    now: Timestamp,
    listed: &mut Listed,
) -> Result<Option<Place>, Unavailable> {
    let most = (*most).max(1);
    let range = Range { from: *since, to: *before, newest_first: true, after: after.clone(), wanted: most };
    // Later revisions have entries of their own, but are no transactions of their own.
    let places = listings.list(Subject::Postbacks(provider.clone()), range, now);
    let originals = places.try_filter_map(|place| {
        let key = inbound.original_of(place.key());
        future::ready(Ok(key.map(|key| (place, key))))
    });
    let mut chunks = pin!(originals.try_chunks(AT_ONCE.min(most)).map_err(|broken| broken.1));
    let mut found = 0;
    while let Some(chunk) = chunks.try_next().await? {
        let read = async |key: &TransactionKey| match inbound.transaction(key).await? {
            Some(history) => Transaction::of(inbound, &history).await.map(Some),
            None => Ok(None),
        };
        let reads = chunk.into_iter().map(async |(place, key)| (read(&key).await, place, key));
        let read: Vec<(_, Place, TransactionKey)> = stream::iter(reads).buffered(AT_ONCE).collect().await;
        for (transaction, place, key) in read {
            let transaction = match transaction {
                Ok(transaction) => transaction,
                Err(fault) => {
                    let (provider, transaction_id) = (provider.clone(), key.to_id());
                    listed.unread.push(UnreadTransaction { provider, transaction_id, fault });
                    None
                }
            };
            let is_wanted = |it: &Transaction| state.is_none_or(|state| it.counted.state == state);
            let Some(transaction) = transaction.filter(is_wanted) else { continue };
            listed.transactions.push(transaction);
            found += 1;
            if found == most {
                return Ok(Some(place));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
