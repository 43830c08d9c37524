//! Publishes the goals of all partners as one new version of the catalogue, which evaluators poll.
//!
//! Each time, the catalogue is derived from all stored partners. If it were derived from the preceding version and the
//! files at hand, partners could be lost: if a command died after it stored a partner and before it published, that
//! partner would stay unpublished until its own file is applied again.
//!
//! Two operators cannot lose each other's campaigns. Each operator writes partners, then reads the version, then reads
//! all partners, and publishes only if the version has not changed since. The operator who publishes second has read
//! the version after the first operator published, and therefore also reads the partners that the first operator wrote.
//! An operator who loses the race begins again.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    audit::{Action, Operation, Subject},
    outbound::catalogue::{HeldCampaign, PartnerGoals, Snapshot, next_goals},
    values::ids::Provider,
};
use thiserror::Error;

use crate::ports::{Clock, Partners, PublishedCampaigns, Publishing, Replaced, StoredPartner, Unavailable};

/// Limits how often publishing is tried when others publish first.
const MAX_RACES: u32 = 10;

/// The result of publishing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// The current version, or `None` if the stack has no catalogue.
    pub version: Option<u64>,
    /// Is true if this call published the version.
    pub fresh: bool,
    /// Stored campaigns that came too late to be published as they are stored.
    pub held: Vec<HeldCampaign>,
    /// Partners with a stored configuration that cannot be read, each with the reason. Their last published campaigns
    /// stay published.
    pub unreadable: Vec<(Provider, String)>,
}

/// The reason why the campaigns are not published.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PublishFault {
    /// A service failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// Others published first at every try.
    #[error("others changed the catalogue {MAX_RACES} times in a row; run apply again to publish")]
    Races,
}

/// Publishes the stored campaigns, unless the same campaigns are already published. If an `apply` died before it
/// published, the next `apply` therefore publishes its campaigns too.
///
/// A campaign is in time if it begins at least `lead` after the instant just before the writes. The writes are few and
/// bounded. By default, the lead leaves 30 seconds for them, beyond the time that the catalogue's age and the clocks of
/// events need ([`domain::outbound::timing::Timing`]).
pub async fn publish(
    (partners, catalogue): (&impl Partners, &impl Publishing),
    clock: &impl Clock,
    lead: Duration,
    operation: &Operation,
) -> Result<Publication, PublishFault> {
    let mut tried = 0;
    for race in 0..MAX_RACES {
        clock.pause(Duration::from_millis(50) * race).await;
        let published = catalogue.load().await?;
        if published == PublishedCampaigns::NoTable {
            return Ok(Publication::default());
        }
        let current = published.snapshot();
        // The partners are read after the version. The comment of the module says why.
        let (stored, unreadable) = goals(partners.partners().await?, current);
        let published_at = clock.now();
        let next = next_goals(current, stored, published_at, lead);
        if let Some(same) = current.filter(|snapshot| snapshot.partners == next.partners) {
            return Ok(Publication { version: Some(same.version), fresh: false, held: next.held, unreadable });
        }
        let expected = current.map(|snapshot| snapshot.version);
        // Skips a version that was begun and never finished.
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
