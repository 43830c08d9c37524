//! Stores partners and secrets for operators.

use app::ports::{Partners, Replaced, Unavailable};
use aws_sdk_dynamodb::{Client, types::TransactWriteItem};
use domain::{audit::AuditRecord, values::ids::Provider};

use super::{
    audit::DynamoAudit,
    from_item,
    item::{OWNER, PROVIDER, PartnerItem, SecretsItem, VERSION},
    key_of, read,
    write::{Requires, put, replaced},
};
use crate::aws::unavailable;

const GET_PARTNER: &str = "DynamoDB GetItem partners";
const SCAN_PARTNERS: &str = "DynamoDB Scan partners";
const PUT_PARTNER: &str = "DynamoDB TransactWriteItems partners, secrets, audit";
const GET_SECRETS: &str = "DynamoDB GetItem secrets";
const PUT_SECRETS: &str = "DynamoDB TransactWriteItems secrets, audit";

/// Implements [`Partners`] in the tables of partners and of secrets.
#[derive(Debug, Clone)]
pub struct Configuration {
    client: Client,
    partners: String,
    secrets: String,
    audit: DynamoAudit,
}

impl Configuration {
    /// Uses the tables of partners, of secrets and of audit records.
    pub fn new(client: Client, partners: String, secrets: String, audit: String) -> Self {
        let audit = DynamoAudit::new(client.clone(), audit);
        Self { client, partners, secrets, audit }
    }
}

impl Partners for Configuration {
    async fn partner(&self, provider: &Provider) -> Result<Option<PartnerItem>, Unavailable> {
        let get = self.client.get_item().table_name(&self.partners).set_key(Some(key_of(PROVIDER, provider)));
        read::get(GET_PARTNER, get.consistent_read(true)).await
    }

    /// Scans the table. Only an operator's command does this, never a function. Partners are some hundred small items, and
    /// an index of them could disagree with the table.
    async fn partners(&self) -> Result<Vec<PartnerItem>, Unavailable> {
        let scan = self.client.scan().table_name(&self.partners).consistent_read(true);
        let found = scan.into_paginator().items().send().try_collect().await.map_err(unavailable(SCAN_PARTNERS))?;
        found.into_iter().map(|item| from_item(SCAN_PARTNERS, item)).collect()
    }

    async fn put_partner(
        &self,
        item: &PartnerItem,
        secrets: Option<&SecretsItem>,
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        let before = item.version.checked_sub(1).filter(|before| *before > 0);
        let mut puts = vec![put(PUT_PARTNER, &self.partners, item, Requires::still(PROVIDER, VERSION, before))?];
        if let Some(secrets) = secrets {
            puts.push(put(PUT_SECRETS, &self.secrets, secrets, Requires::Nothing)?);
        }
        let writes = puts.into_iter().map(|put| TransactWriteItem::builder().put(put).build()).collect();
        self.audit.transact(PUT_PARTNER, writes, audit).await.map(replaced)
    }

    async fn secrets(&self, owner: &str) -> Result<Option<SecretsItem>, Unavailable> {
        let get = self.client.get_item().table_name(&self.secrets).set_key(Some(key_of(OWNER, owner)));
        read::get(GET_SECRETS, get.consistent_read(true)).await
    }

    async fn put_secrets_if_absent(&self, item: &SecretsItem, audit: &AuditRecord) -> Result<Replaced, Unavailable> {
        let put = put(PUT_SECRETS, &self.secrets, item, Requires::Absence(OWNER))?;
        let writes = vec![TransactWriteItem::builder().put(put).build()];
        self.audit.transact(PUT_SECRETS, writes, audit).await.map(replaced)
    }
}
