//! Finds out why transactions of a partner's list are not recorded.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    inbound::{
        fault::FaultCode,
        parameters::{self, Parameters},
    },
    jiff::{SignedDuration, Timestamp},
    lookup::{Origin, Place, Subject},
    partner::Partner,
    retention::Retention,
    values::{
        ids::{Provider, TransactionId, TransactionKey},
        parameter_names::Field,
        time::three_decimals,
    },
};
use futures_util::{StreamExt, TryStreamExt, future::try_join_all};
use serde::Serialize;

use super::AT_ONCE;
use crate::{
    operators::lookup_coverage::{LookupFault, check},
    ports::{InboundRecords, Listings, Range, RefusalKind, StoredRefusal, Unavailable},
};

/// Limits the refusals, and the conflicts, that are searched: the oldest of the period.
pub const MOST_REFUSALS: usize = 10_000;
/// Limits how often a transaction is looked for under another partner.
pub const MOST_READS: usize = 5_000;
/// Sets how long after the period a call of it is looked for.
const LATER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Says why a transaction is not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Missing {
    /// The partner's calls for it were refused.
    Refused {
        /// The faults of the latest call.
        codes: Vec<FaultCode>,
        /// The instant of the latest call.
        #[serde(with = "three_decimals")]
        last_at: Timestamp,
        /// The content id of the latest call.
        content_id: String,
    },
    /// The partner sent it with a status that was agreed to be ignored.
    Ignored {
        /// The instant of the latest call.
        #[serde(with = "three_decimals")]
        last_at: Timestamp,
    },
    /// The partner's call for it is a conflict: it takes back too much, or its click was used by another transaction.
    Conflict {
        /// The instant of the latest call.
        #[serde(with = "three_decimals")]
        last_at: Timestamp,
        /// The content id of the conflict.
        content_id: String,
    },
    /// It is recorded under other partners.
    OtherPartner {
        /// The other partners.
        providers: Vec<Provider>,
    },
    /// No call for it was found, and every place was searched.
    NeverCame,
    /// No call for it was found, but not every place could be searched.
    NotFound {
        /// The places that could not be searched, in words.
        because: Vec<String>,
    },
}

/// Describes the transactions whose absence is to be explained.
#[derive(Debug)]
pub struct Search<'a> {
    /// The partner.
    pub partner: &'a Partner,
    /// All partners, among which a transaction may be recorded by mistake.
    pub providers: &'a [Provider],
    /// The period from the first instant to before the second.
    pub period: (Timestamp, Timestamp),
    /// How long refusals are kept.
    pub refusals: Retention,
}

/// Finds for each of these transactions why it is not recorded. Searches the refusals and conflicts of the period and of
/// the week after it, then the other partners.
pub async fn why(
    (listings, inbound): (&impl Listings, &impl InboundRecords),
    search: &Search<'_>,
    missing: impl IntoIterator<Item = TransactionId>,
    now: Timestamp,
) -> Result<BTreeMap<TransactionId, Missing>, Unavailable> {
    let mut left: BTreeSet<TransactionId> = missing.into_iter().collect();
    let mut found = BTreeMap::new();
    if left.is_empty() {
        return Ok(found);
    }
    let (from, to) = search.period;
    let mut unsearched = match check(listings, &[Origin::Refusals], Some(from)).await {
        Ok(gaps) => gaps.iter().map(|gap| lacking(gap.table)).collect(),
        Err(LookupFault::Lost(table)) => vec![lacking(table)],
        Err(LookupFault::Unavailable(unavailable)) => return Err(unavailable),
    };
    if from < search.refusals.oldest(now) {
        let days = search.refusals.days();
        unsearched.push(format!("refusals are kept for {days} days, and the period began earlier"));
    }
    let provider = search.partner.provider();
    for (subject, word) in
        [(Subject::Refusals(provider.clone()), "refusals"), (Subject::Conflicts(provider.clone()), "conflicts")]
    {
        // The time in an entry may be up to an hour earlier than the time at which the refusal was last seen.
        let time = (from - SignedDuration::from_hours(1), to.saturating_add(LATER).unwrap_or(to));
        let (kept, is_cut) = kept((listings, inbound), subject, time, now).await?;
        if is_cut {
            unsearched.push(format!("only the first {MOST_REFUSALS} {word} of the period were searched"));
        }
        explain(kept, search.partner, &left, &mut found);
        left.retain(|id| !found.contains_key(id));
    }
    let is_cut = of_others(inbound, search, &mut left, &mut found).await?;
    if is_cut {
        unsearched.push(format!("only {MOST_READS} transactions were looked for under other partners"));
    }
    let not_found = if unsearched.is_empty() { Missing::NeverCame } else { Missing::NotFound { because: unsearched } };
    found.extend(left.into_iter().map(|id| (id, not_found.clone())));
    Ok(found)
}

fn lacking(table: Origin) -> String {
    format!("the lookups of {table} are incomplete")
}

/// Reads the refusals or conflicts of a time. Also returns true if there are more.
async fn kept(
    (listings, inbound): (&impl Listings, &impl InboundRecords),
    subject: Subject,
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<(Vec<StoredRefusal>, bool), Unavailable> {
    let range = Range { from: Some(from), to: Some(to), wanted: 1_000, ..Range::default() };
    let places: Vec<Place> = listings.list(subject, range, now).take(MOST_REFUSALS + 1).try_collect().await?;
    let mut all = Vec::new();
    for some in places.chunks(1_000) {
        all.extend(inbound.refusals(&some.iter().map(Place::key).collect()).await?);
    }
    all.retain(|item| !item.has_expired(now));
    Ok((all, places.len() > MOST_REFUSALS))
}

/// Explains the transactions by the latest call that names each.
fn explain(
    mut kept: Vec<StoredRefusal>,
    partner: &Partner,
    left: &BTreeSet<TransactionId>,
    found: &mut BTreeMap<TransactionId, Missing>,
) {
    kept.sort_by_key(|item| item.last_received_at);
    let name = partner.rules().names.of(Field::TransactionId);
    for item in kept {
        let Some(id) = item.transaction_id.clone().or_else(|| sent_id(&item, name)) else { continue };
        if !left.contains(&id) {
            continue;
        }
        let (last_at, content_id) = (item.last_received_at, item.provider_content);
        let mut codes: Vec<FaultCode> = item.faults.iter().map(|fault| fault.code).collect();
        codes.dedup();
        found.insert(
            id,
            match item.kind {
                RefusalKind::Conflict => Missing::Conflict { last_at, content_id },
                RefusalKind::Refusal if codes == [FaultCode::StatusIgnored] => Missing::Ignored { last_at },
                RefusalKind::Refusal => Missing::Refused { codes, last_at, content_id },
            },
        );
    }
}

/// Returns the transaction that a refused request named.
fn sent_id(item: &StoredRefusal, name: &str) -> Option<TransactionId> {
    let request = item.request.as_deref()?;
    let decoded = parameters::decode(Parameters::split(request.as_bytes(), b"").raw(name)?).ok()?;
    TransactionId::new(decoded).ok()
}

/// Looks for transactions under the other partners. Returns true if there are too many to look for.
async fn of_others(
    inbound: &impl InboundRecords,
    Search { partner, providers, .. }: &Search<'_>,
    left: &mut BTreeSet<TransactionId>,
    found: &mut BTreeMap<TransactionId, Missing>,
) -> Result<bool, Unavailable> {
    let others: Vec<&Provider> = providers.iter().filter(|it| *it != partner.provider()).collect();
    let pairs = left.iter().flat_map(|id| others.iter().map(move |provider| (id, *provider)));
    let pairs: Vec<(&TransactionId, &Provider)> = pairs.take(MOST_READS).collect();
    let mut elsewhere: BTreeMap<TransactionId, Vec<Provider>> = BTreeMap::new();
    for some in pairs.chunks(AT_ONCE) {
        let keys: Vec<TransactionKey> = some.iter().map(|(id, provider)| TransactionKey::of(provider, id)).collect();
        let read = try_join_all(keys.iter().map(|key| inbound.transaction(key))).await?;
        for ((id, provider), _) in some.iter().zip(read).filter(|(_, history)| history.is_some()) {
            elsewhere.entry((*id).clone()).or_default().push((*provider).clone());
        }
    }
    let is_cut = pairs.len() < left.len().saturating_mul(others.len());
    left.retain(|id| !elsewhere.contains_key(id));
    found.extend(elsewhere.into_iter().map(|(id, providers)| (id, Missing::OtherPartner { providers })));
    Ok(is_cut)
}
