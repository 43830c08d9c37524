//! Counts what waits for an operator: open conflicts, new refusals and failed deliveries, by partner.

use domain::{
    jiff::{SignedDuration, Timestamp},
    lookup::{Origin, Subject},
    values::ids::Provider,
};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    Page,
    deliveries::ended,
    lookup_coverage::{Gap, LookupFault, check},
    refusals,
};
use crate::ports::{DeliveryRecords, InboundRecords, Listings, Range, RefusalKind, Unavailable};

/// Sets for how long refusals are counted.
pub const REFUSALS_OF: SignedDuration = SignedDuration::from_hours(24);
/// Sets for how long failed deliveries are counted.
pub const FAILURES_OF: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Limits how many conflicts and failed deliveries of a partner are counted. A count of this number means that there may
/// be more.
pub const MOST: usize = 25;
/// Limits the partners that are counted at the same time.
const AT_ONCE: usize = 8;

/// The counts of one partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The partner.
    pub provider: Provider,
    /// The number of open conflicts, at most [`MOST`].
    pub conflicts: usize,
    /// The number of refusals of the last 24 hours. A refusal that was repeated counts once an hour.
    pub refusals: usize,
    /// The number of deliveries that failed in the last seven days, at most [`MOST`].
    pub failures: usize,
}

impl Standing {
    /// Returns true if nothing of this partner waits.
    pub fn is_calm(&self) -> bool {
        self.conflicts + self.refusals + self.failures == 0
    }
}

/// The counts of several partners.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    /// The counts, in the order in which the partners were given.
    pub standings: Vec<Standing>,
    /// The gaps in the lookups, because of which counts may be too low.
    pub gaps: Vec<Gap>,
}

/// Counts for these partners. Calls of the last few seconds may be missing.
pub async fn count<L: Listings, I: InboundRecords, D: DeliveryRecords>(
    (listings, inbound, deliveries): (&L, &I, &D),
    providers: &[Provider],
    now: Timestamp,
) -> Result<Overview, LookupFault> {
    let gaps = check(listings, &[Origin::Refusals], Some(now - REFUSALS_OF)).await?;
    let counts = providers.iter().map(|provider| of_partner((listings, inbound, deliveries), provider, now));
    let standings = stream::iter(counts.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await?;
    Ok(Overview { standings, gaps })
}

async fn of_partner<L: Listings, I: InboundRecords, D: DeliveryRecords>(
    (listings, inbound, deliveries): (&L, &I, &D),
    provider: &Provider,
    now: Timestamp,
) -> Result<Standing, Unavailable> {
    let page = Page { most: MOST, ..Page::default() };
    let conflicts = refusals::count((listings, inbound), RefusalKind::Conflict, provider, &page, now).await?;
    let range = Range { from: Some(now - REFUSALS_OF), ..Range::default() };
    let refusals = listings.count(Subject::Refusals(provider.clone()), range).await?;
    let failed = ended(Some(now - FAILURES_OF), None);
    let failures = deliveries.newest_failures(provider, failed, None, MOST).await?.len();
    Ok(Standing { provider: provider.clone(), conflicts, refusals, failures })
}

#[cfg(test)]
mod tests {
    use domain::{
        inbound::{
            postback::Extra,
            refusal::{Conflict, ContentKey, KeptRequest, Refusal},
        },
        values::ids::TransactionId,
    };

    use super::*;
    use crate::{
        memory::{REFUSALS, World},
        ports::{Lookups as _, Refusals as _, StoredRefusal},
    };

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn provider(name: &str) -> Provider {
        Provider::new(name).unwrap()
    }

    async fn refusal(world: &World, name: &str, request: &str, hour: i64) {
        let refusal = Refusal {
            key: ContentKey::of_refusal(&provider(name), request),
            provider: provider(name),
            request: KeptRequest { text: request.into(), sent_bytes: None },
            source: [192, 0, 2, 1].into(),
            user_id: None,
            click_id: None,
            faults: Vec::new(),
            received_at: at(hour),
        };
        world.keep_refusal(&refusal, 99).await.unwrap();
        world.put(&StoredRefusal::of_refusal(&refusal, REFUSALS).lookups(None)).await;
    }

    async fn conflict(world: &World, name: &str, transaction: &str) {
        let content = serde_json::json!({"user_id": "u", "click_id": "c", "currency": "USD", "amount_decimal": "1"});
        let conflict = Conflict {
            provider: provider(name),
            transaction_id: TransactionId::new(transaction).unwrap(),
            content: serde_json::from_value(content).unwrap(),
            state: None,
            reference: None,
            extra: Extra::new(),
            differences: Vec::new(),
            received_at: at(1),
        };
        world.keep_conflict(&conflict, 99).await.unwrap();
        world.put(&StoredRefusal::from(&conflict).lookups(None)).await;
    }

    #[tokio::test]
    async fn each_partner_is_counted_by_itself() {
        let world = World::default();
        conflict(&world, "acme", "t").await;
        refusal(&world, "acme", "old", 1).await;
        refusal(&world, "acme", "new", 30).await;
        refusal(&world, "globex", "new", 30).await;
        let providers = [provider("acme"), provider("globex"), provider("hooli")];
        let overview = count((&world, &world, &world), &providers, at(40)).await.unwrap();
        let counts = overview.standings.iter().map(|one| (one.provider.as_str(), one.conflicts, one.refusals));
        assert_eq!(counts.collect::<Vec<_>>(), [("acme", 1, 1), ("globex", 0, 1), ("hooli", 0, 0)]);
        assert!(overview.standings[2].is_calm() && !overview.standings[1].is_calm());
    }
}
