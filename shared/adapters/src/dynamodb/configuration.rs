//! Stores partners and secrets for operators.

use app::ports::{Partners, Replaced, SecretPurpose, StoredSecrets, Unavailable};
use aws_sdk_dynamodb::{
    Client,
    types::{Delete, TransactWriteItem},
};
use domain::{audit::AuditRecord, values::ids::Provider};
use serde::de::DeserializeOwned;

use super::{
    audit::DynamoAudit,
    from_item,
    item::{OWNER, PROVIDER, PartnerItem, SecretsItem, VERSION, secrets::OldSecretsItem},
    key_of, read,
    write::{Requires, in_transaction, put, replaced, unmade},
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

    /// Scans the table. Only operators' commands do this, and functions never do. There are some hundred partners,
    /// which are small items, and an index of partners could disagree with the table.
    async fn partners(&self) -> Result<Vec<PartnerItem>, Unavailable> {
        let scan = self.client.scan().table_name(&self.partners).consistent_read(true);
        let found = scan.into_paginator().items().send().try_collect().await.map_err(unavailable(SCAN_PARTNERS))?;
        found.into_iter().map(|item| from_item(SCAN_PARTNERS, item)).collect()
    }

    async fn put_partner(
        &self,
        item: &PartnerItem,
        secrets: &[StoredSecrets],
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        let still = Requires::still(PROVIDER, VERSION, before(item.version));
        let mut puts = vec![put(PUT_PARTNER, &self.partners, item, still)?];
        for secrets in secrets {
            puts.push(put(PUT_PARTNER, &self.secrets, &SecretsItem::from(secrets), Requires::Nothing)?);
        }
        self.audit.transact(PUT_PARTNER, puts.into_iter().map(in_transaction).collect(), audit).await.map(replaced)
    }

    async fn secrets(&self, purpose: &SecretPurpose) -> Result<Option<StoredSecrets>, Unavailable> {
        let item: Option<SecretsItem> = self.get_secrets(SecretsItem::key(purpose)).await?;
        Ok(item.map(|item| item.stored(purpose.clone())))
    }

    async fn has_secrets(&self, purpose: &SecretPurpose) -> Result<bool, Unavailable> {
        let key = Some(key_of(OWNER, SecretsItem::key(purpose)));
        let get = self.client.get_item().table_name(&self.secrets).set_key(key).consistent_read(true);
        // The console may read no other attribute.
        let get = get.projection_expression("#key").expression_attribute_names("#key", OWNER);
        let found = get.send().await.map_err(unavailable(GET_SECRETS))?;
        Ok(found.item.is_some_and(|item| !item.is_empty()))
    }

    async fn put_secrets(&self, secrets: &[StoredSecrets], audit: &AuditRecord) -> Result<Replaced, Unavailable> {
        let put_one = |stored: &StoredSecrets| {
            let still = Requires::still(OWNER, VERSION, before(stored.version));
            put(PUT_SECRETS, &self.secrets, &SecretsItem::from(stored), still).map(in_transaction)
        };
        let writes = secrets.iter().map(put_one).collect::<Result<_, _>>()?;
        self.audit.transact(PUT_SECRETS, writes, audit).await.map(replaced)
    }

    async fn split_secrets(&self, of: Option<&Provider>, audit: &AuditRecord) -> Result<bool, Unavailable> {
        let key = OldSecretsItem::key(of);
        let Some(old) = self.get_secrets::<OldSecretsItem>(key.clone()).await? else { return Ok(false) };
        let put_one = |item| put(PUT_SECRETS, &self.secrets, &item, Requires::Absence(OWNER)).map(in_transaction);
        let mut writes = old.split(of, audit.at).into_iter().map(put_one).collect::<Result<Vec<_>, _>>()?;
        let delete = Delete::builder().table_name(&self.secrets).set_key(Some(key_of(OWNER, key)));
        let delete = delete.condition_expression("attribute_exists(#key)").expression_attribute_names("#key", OWNER);
        writes.push(TransactWriteItem::builder().delete(delete.build().map_err(unmade(PUT_SECRETS))?).build());
        if self.audit.transact(PUT_SECRETS, writes, audit).await? {
            return Ok(true);
        }
        Err(Unavailable { service: PUT_SECRETS, reason: "somebody else changes the same secrets".into() })
    }
}

impl Configuration {
    async fn get_secrets<T: DeserializeOwned>(&self, key: String) -> Result<Option<T>, Unavailable> {
        let get = self.client.get_item().table_name(&self.secrets).set_key(Some(key_of(OWNER, key)));
        read::get(GET_SECRETS, get.consistent_read(true)).await
    }
}

/// Returns the version that must be stored when this version is written, or `None` for the first version.
fn before(version: u64) -> Option<u64> {
    version.checked_sub(1).filter(|before| *before > 0)
}
