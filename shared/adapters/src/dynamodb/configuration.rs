//! Reads and changes partners and secrets for the operator's command.

use app::ports::Unavailable;
use aws_sdk_dynamodb::{Client, types::TransactWriteItem};
use domain::values::ids::Provider;

use super::{
    from_item,
    item::{OWNER, PROVIDER, PartnerItem, SecretsItem, VERSION},
    key_of, read,
    write::{CONDITION, Requires, put, send_put, transact},
};
use crate::aws::unavailable;

const GET_PARTNER: &str = "DynamoDB GetItem partners";
const SCAN_PARTNERS: &str = "DynamoDB Scan partners";
const PUT_PARTNER: &str = "DynamoDB TransactWriteItems partners, secrets";
const GET_SECRETS: &str = "DynamoDB GetItem secrets";
const PUT_SECRETS: &str = "DynamoDB PutItem secrets";

/// Says how a conditional write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The write took place.
    Done,
    /// Somebody else wrote first, and nothing was changed.
    Lost,
}

/// Reads and changes the tables of configuration.
#[derive(Debug, Clone)]
pub struct Configuration {
    client: Client,
    partners: String,
    secrets: String,
}

impl Configuration {
    /// Uses these two tables.
    pub fn new(client: Client, partners: String, secrets: String) -> Self {
        Self { client, partners, secrets }
    }

    /// Reads a partner with a consistent read.
    pub async fn partner(&self, provider: &Provider) -> Result<Option<PartnerItem>, Unavailable> {
        let get = self.client.get_item().table_name(&self.partners).set_key(Some(key_of(PROVIDER, provider)));
        read::get(GET_PARTNER, get.consistent_read(true)).await
    }

    /// Reads all partners with a consistent read, including everything written before the call.
    ///
    /// This is the only scan. It serves an operator's command that publishes, never a function. Partners are hundreds
    /// of small items, and an index of them could disagree with the table.
    pub async fn partners(&self) -> Result<Vec<PartnerItem>, Unavailable> {
        let scan = self.client.scan().table_name(&self.partners).consistent_read(true);
        let found = scan.into_paginator().items().send().try_collect().await.map_err(unavailable(SCAN_PARTNERS))?;
        found.into_iter().map(|item| from_item(SCAN_PARTNERS, item)).collect()
    }

    /// Writes a partner if its stored version is the one before this version, or if version 1 is still absent. Its
    /// secrets are written in the same transaction, so that a stored secret is always the one that was shown.
    ///
    /// If the answer is lost, or the client's own retry meets the first write, the partner is read again. An identical
    /// stored partner means that our write succeeded.
    pub async fn put_partner(&self, item: &PartnerItem, secrets: Option<&SecretsItem>) -> Result<Written, Unavailable> {
        let outcome = self.try_put_partner(item, secrets).await;
        if outcome == Ok(Written::Done) {
            return outcome;
        }
        match self.partner(&item.provider).await {
            Ok(Some(standing)) if standing == *item => Ok(Written::Done),
            Ok(_) | Err(_) => outcome,
        }
    }

    async fn try_put_partner(&self, item: &PartnerItem, secrets: Option<&SecretsItem>) -> Result<Written, Unavailable> {
        let before = item.version.checked_sub(1).filter(|before| *before > 0);
        let mut puts = vec![put(PUT_PARTNER, &self.partners, item, Requires::still(PROVIDER, VERSION, before))?];
        if let Some(secrets) = secrets {
            puts.push(put(PUT_SECRETS, &self.secrets, secrets, Requires::Nothing)?);
        }
        let writes = puts.into_iter().map(|put| TransactWriteItem::builder().put(put).build()).collect();
        // Only the partner's write has a condition.
        let done = transact(&self.client, PUT_PARTNER, writes, &[CONDITION]).await?;
        Ok(if done { Written::Done } else { Written::Lost })
    }

    /// Reads an owner's secrets with a consistent read.
    pub async fn secrets(&self, owner: &str) -> Result<Option<SecretsItem>, Unavailable> {
        let get = self.client.get_item().table_name(&self.secrets).set_key(Some(key_of(OWNER, owner)));
        read::get(GET_SECRETS, get.consistent_read(true)).await
    }

    /// Writes an owner's secrets unless the owner has some.
    pub async fn put_secrets_if_absent(&self, item: &SecretsItem) -> Result<Written, Unavailable> {
        let put = put(PUT_SECRETS, &self.secrets, item, Requires::Absence(OWNER))?;
        let standing = send_put(&self.client, PUT_SECRETS, put).await?;
        Ok(if standing.is_none() { Written::Done } else { Written::Lost })
    }
}
