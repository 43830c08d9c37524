//! Publishing: all partners' goals as one new version of the catalogue that evaluators poll.
//!
//! The table of partners is the one truth, and the catalogue is derived from all of it, each time: were it made of the
//! version before and the files at hand, a partner that was stored and not published (a command that died in between, a
//! stack that is older than its catalogue) would stay unknown until its own file is applied again.
//!
//! Two operators cannot lose each other's campaigns. Each writes its partners, then reads the version, then all partners,
//! and publishes only over the version that it read. Whoever publishes later has read a version that is not older than the
//! other's writes, so its partners are among those read; whoever loses the race begins again.

mod table;

use std::{collections::BTreeMap, time::Duration};

use adapters::dynamodb::item::PartnerItem;
use anyhow::{Result, bail};
use app::ports::Replaced;
use domain::{
    audit::{Action, AuditRecord, Operation, Subject},
    catalogue::{Held, PartnerGoals, Snapshot, next_goals},
    ids::Provider,
    moment::Moment,
};

pub(crate) use table::CatalogueTable;

/// How often a lost race is run again.
const MAX_RACES: u32 = 10;

/// Where the catalogue is kept.
pub(crate) trait Catalogue {
    /// What is published now, by a consistent read.
    async fn load(&self) -> Result<Standing>;

    /// Publishes, if what is published still has this version; 0 where nothing is. No two snapshots MUST ever mix, whoever
    /// else publishes one of the same version.
    async fn publish(&self, snapshot: &Snapshot, expected_version: u64, audit: &AuditRecord) -> Result<Replaced>;
}

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The stack has no catalogue: its template is older than campaigns are.
    NoTable,
    /// Nothing yet.
    Nothing,
    /// This.
    Published(Snapshot),
}

impl Standing {
    /// What is published of a partner.
    pub(crate) fn partner(&self, provider: &Provider) -> Option<&PartnerGoals> {
        self.snapshot()?.partners.get(provider)
    }

    /// All that is published, if anything is.
    pub(crate) fn snapshot(&self) -> Option<&Snapshot> {
        match self {
            Self::NoTable | Self::Nothing => None,
            Self::Published(snapshot) => Some(snapshot),
        }
    }
}

/// What came of publishing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The version that is published now; none if the stack has no catalogue.
    pub(crate) version: Option<u64>,
    /// Whether that is a new one.
    pub(crate) fresh: bool,
    /// Campaigns that are stored and came too late to be published so.
    pub(crate) held: Vec<Held>,
    /// Partners whose stored configuration cannot be read, of whom what was published before stays; with the reason.
    pub(crate) unreadable: Vec<(Provider, String)>,
}

/// Publishes what is stored, unless exactly that is published already: so an apply that died before it came to this is
/// made good by the next one, whatever that changes.
///
/// What is in time is decided just before the writes. They are few and bounded, and the lead has room for them: 30 seconds
/// more by default than the catalogue's age and the events' clocks need ([`domain::catalogue::Timing`]).
pub(crate) async fn publish(
    catalogue: &impl Catalogue,
    partners: impl AsyncFn() -> Result<Vec<PartnerItem>>,
    lead: Duration,
    clock: impl Fn() -> Moment,
    operation: &Operation,
) -> Result<Outcome> {
    let mut tried = 0;
    for race in 0..MAX_RACES {
        tokio::time::sleep(Duration::from_millis(50) * race).await;
        let standing = catalogue.load().await?;
        if standing == Standing::NoTable {
            return Ok(Outcome::default());
        }
        let current = standing.snapshot();
        // After the version was read: see above.
        let (stored, unreadable) = goals(partners().await?, current);
        let published_at = clock();
        let next = next_goals(current, stored, published_at, lead);
        let expected = current.map_or(0, |snapshot| snapshot.version);
        if let Some(same) = current.filter(|snapshot| snapshot.partners == next.partners) {
            return Ok(Outcome { version: Some(same.version), fresh: false, held: next.held, unreadable });
        }
        // A version that was begun and never finished is passed over.
        let version = expected.max(tried) + 1;
        let snapshot = Snapshot { version, published_at, partners: next.partners };
        let audit = operation.record(published_at.timestamp(), Action::PublishCampaigns, Subject::Catalogue);
        let audit = audit.with("version", version);
        match catalogue.publish(&snapshot, expected, &audit).await? {
            Replaced::Done => return Ok(Outcome { version: Some(version), fresh: true, held: next.held, unreadable }),
            Replaced::Changed => tried = version,
        }
    }
    bail!("the catalogue was changed by others {MAX_RACES} times in a row; what was applied is stored: apply again")
}

type Goals = BTreeMap<Provider, PartnerGoals>;

fn goals(partners: Vec<PartnerItem>, current: Option<&Snapshot>) -> (Goals, Vec<(Provider, String)>) {
    let (mut goals, mut unreadable) = (Goals::new(), Vec::new());
    for item in partners {
        match item.partner() {
            Ok(partner) => {
                goals.insert(item.provider, partner.media_buying().goals());
            }
            Err(reason) => {
                let published = current.and_then(|snapshot| snapshot.partners.get(&item.provider));
                goals.extend(published.map(|published| (item.provider.clone(), published.clone())));
                unreadable.push((item.provider, reason));
            }
        }
    }
    (goals, unreadable)
}

#[cfg(test)]
mod tests;
