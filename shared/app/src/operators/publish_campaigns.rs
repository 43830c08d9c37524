//! Publishes all partners' goals as one new version of the catalogue that evaluators poll.
//!
//! The stored partners are the one truth, and the catalogue is derived from all of them, each time. A catalogue made of the
//! version before and the files at hand would lose partners: one that was stored and not published, by a command that died
//! in between, would stay unknown until its own file is applied again.
//!
//! Two operators cannot lose each other's campaigns. Each writes its partners, then reads the version, then all partners,
//! and publishes only over the version that it read. Whoever publishes later has read a version that is not older than the
//! other's writes, so its partners are among those read. Whoever loses the race begins again.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    audit::{Action, Operation, Subject},
    outbound::catalogue::{HeldCampaign, PartnerGoals, Snapshot, next_goals},
    values::ids::Provider,
};
use thiserror::Error;

use crate::ports::{Partners, PublishedCampaigns, Publishing, Replaced, StoredPartner, Surroundings, Unavailable};

/// How often a lost race is run again.
const MAX_RACES: u32 = 10;

/// The result of publishing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// The version that is published now; none if the stack has no catalogue.
    pub version: Option<u64>,
    /// Tells if that version is new.
    pub fresh: bool,
    /// Campaigns that are stored and came too late to be published so.
    pub held: Vec<HeldCampaign>,
    /// Partners whose stored configuration cannot be read, with the reason. Their last published campaigns stay.
    pub unreadable: Vec<(Provider, String)>,
}

/// Why the campaigns are not published.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PublishFault {
    /// A service failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// Every race was lost.
    #[error("the catalogue was changed by others {MAX_RACES} times in a row; what was applied is stored: apply again")]
    Races,
}

/// Publishes the stored campaigns, unless exactly those are published already: so the next `apply` makes good one that died
/// before it came to this, whatever that next one changes.
///
/// A campaign is in time if it begins at least `lead` after now, just before the writes. They are few and bounded, and the
/// lead has room for them: 30 seconds more by default than the catalogue's age and the events' clocks need
/// ([`domain::outbound::timing::Timing`]).
pub async fn publish(
    (partners, catalogue): (&impl Partners, &impl Publishing),
    surroundings: &impl Surroundings,
    lead: Duration,
    operation: &Operation,
) -> Result<Publication, PublishFault> {
    let mut tried = 0;
    for race in 0..MAX_RACES {
        surroundings.pause(Duration::from_millis(50) * race).await;
        let published = catalogue.load().await?;
        if published == PublishedCampaigns::NoTable {
            return Ok(Publication::default());
        }
        let current = published.snapshot();
        // The partners are read after the version: the module's description says why.
        let (stored, unreadable) = goals(partners.partners().await?, current);
        let published_at = surroundings.now();
        let next = next_goals(current, stored, published_at, lead);
        if let Some(same) = current.filter(|snapshot| snapshot.partners == next.partners) {
            return Ok(Publication { version: Some(same.version), fresh: false, held: next.held, unreadable });
        }
        let expected = current.map(|snapshot| snapshot.version);
        // A version that was begun and never finished is passed over.
        let version = expected.unwrap_or_default().max(tried) + 1;
        let snapshot = Snapshot { version, published_at, partners: next.partners };
        let audit = operation.record(published_at.timestamp(), Action::PublishCampaigns, Subject::Catalogue);
        match catalogue.publish(&snapshot, expected, &audit.with("version", version)).await? {
            Replaced::Done => {
                return Ok(Publication { version: Some(version), fresh: true, held: next.held, unreadable });
            }
            Replaced::Changed => tried = version,
        }
    }
    Err(PublishFault::Races)
}

type Goals = BTreeMap<Provider, PartnerGoals>;

fn goals(partners: Vec<StoredPartner>, current: Option<&Snapshot>) -> (Goals, Vec<(Provider, String)>) {
    let (mut goals, mut unreadable) = (Goals::new(), Vec::new());
    for stored in partners {
        match stored.partner() {
            Ok(partner) => {
                goals.insert(stored.provider, partner.media_buying().goals());
            }
            Err(reason) => {
                let published = current.and_then(|snapshot| snapshot.partners.get(&stored.provider));
                goals.extend(published.map(|published| (stored.provider.clone(), published.clone())));
                unreadable.push((stored.provider, reason));
            }
        }
    }
    (goals, unreadable)
}

#[cfg(test)]
mod tests;
