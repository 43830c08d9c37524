//! The catalogue in its table, where evaluators read it.

use adapters::dynamodb::{audit::DynamoAudit, catalogue::DynamoCatalogues};
use anyhow::{Result, bail};
use app::ports::{Catalogues, Published, Replaced};
use aws_sdk_dynamodb::Client;
use domain::{audit::AuditRecord, catalogue::Snapshot};

use super::{Catalogue, Standing};

/// [`Catalogue`] in a table.
#[derive(Debug, Clone)]
pub(crate) struct CatalogueTable(DynamoCatalogues, DynamoAudit);

impl CatalogueTable {
    /// The catalogue in this table.
    pub(crate) fn new(client: Client, table: String, audit: DynamoAudit) -> Self {
        Self(DynamoCatalogues::new(client, table), audit)
    }
}

impl Catalogue for CatalogueTable {
    async fn load(&self) -> Result<Standing> {
        match self.0.current(None).await {
            Ok(Published::Other(catalogue)) => Ok(Standing::Published(Snapshot::from(*catalogue))),
            Ok(Published::Nothing | Published::Same) => Ok(Standing::Nothing),
            Err(unavailable) if unavailable.reason == "ResourceNotFoundException" => Ok(Standing::NoTable),
            Err(unavailable) => Err(unavailable.into()),
        }
    }

    async fn publish(&self, snapshot: &Snapshot, expected_version: u64, audit: &AuditRecord) -> Result<Replaced> {
        if snapshot.version <= expected_version {
            bail!("a catalogue's version only counts up");
        }
        let expected = (expected_version > 0).then_some(expected_version);
        Ok(self.0.publish(snapshot, expected, (&self.1, audit)).await?)
    }
}
