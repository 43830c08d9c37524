//! Partners and secrets as the operator's command changes them.

use app::ports::Unavailable;
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::put_item::{PutItemError, builders::PutItemFluentBuilder},
    types::AttributeValue,
};
use domain::ids::Provider;

use super::{
    from_item,
    item::{OWNER, PROVIDER, PartnerItem, SecretsItem, VERSION},
    to_item,
};
use crate::aws::unavailable;

const GET_PARTNER: &str = "DynamoDB GetItem partners";
const SCAN_PARTNERS: &str = "DynamoDB Scan partners";
const PUT_PARTNER: &str = "DynamoDB PutItem partners";
const GET_SECRETS: &str = "DynamoDB GetItem secrets";
const PUT_SECRETS: &str = "DynamoDB PutItem secrets";

/// What came of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is written.
    Done,
    /// Somebody else was there first; nothing is changed.
    Lost,
}

/// The tables of configuration, to read and to change.
#[derive(Debug, Clone)]
pub struct Configuration {
    client: Client,
    partners: String,
    secrets: String,
}

impl Configuration {
    /// The configuration in these two tables.
    pub fn new(client: Client, partners: String, secrets: String) -> Self {
        Self { client, partners, secrets }
    }

    /// A partner as it stands now.
    pub async fn partner(&self, provider: &Provider) -> Result<Option<PartnerItem>, Unavailable> {
        let key = AttributeValue::S(provider.to_string());
        let get = self.client.get_item().table_name(&self.partners).key(PROVIDER, key).consistent_read(true);
        let found = get.send().await.map_err(unavailable(GET_PARTNER))?;
        found.item.map(|item| from_item(GET_PARTNER, item)).transpose()
    }

    /// All partners as they stand now: whatever was written before this is called is among them.
    ///
    /// A scan, and the only one: for an operator's command that publishes, never for a function. Partners are hundreds of
    /// small items, and an index of them would be one more thing that could disagree with the table.
    pub async fn partners(&self) -> Result<Vec<PartnerItem>, Unavailable> {
        let (mut partners, mut from) = (Vec::new(), None);
        loop {
            let scan = self.client.scan().table_name(&self.partners).consistent_read(true);
            let page = scan.set_exclusive_start_key(from).send().await.map_err(unavailable(SCAN_PARTNERS))?;
            for item in page.items.unwrap_or_default() {
                partners.push(from_item(SCAN_PARTNERS, item)?);
            }
            from = page.last_evaluated_key.filter(|key| !key.is_empty());
            if from.is_none() {
                return Ok(partners);
            }
        }
    }

    /// Writes a partner if it still has the version before this one's, or is still absent for version 1.
    pub async fn put_partner(&self, item: &PartnerItem) -> Result<Written, Unavailable> {
        let put = self.client.put_item().table_name(&self.partners).set_item(Some(to_item(PUT_PARTNER, item)?));
        let put = match item.version.checked_sub(1) {
            None | Some(0) => {
                put.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", PROVIDER)
            }
            Some(before) => put
                .condition_expression("#version = :before")
                .expression_attribute_names("#version", VERSION)
                .expression_attribute_values(":before", AttributeValue::N(before.to_string())),
        };
        send(put, PUT_PARTNER).await
    }

    /// An owner's secrets as they stand now.
    pub async fn secrets(&self, owner: &str) -> Result<Option<SecretsItem>, Unavailable> {
        let key = AttributeValue::S(owner.to_owned());
        let get = self.client.get_item().table_name(&self.secrets).key(OWNER, key).consistent_read(true);
        let found = get.send().await.map_err(unavailable(GET_SECRETS))?;
        found.item.map(|item| from_item(GET_SECRETS, item)).transpose()
    }

    /// Writes an owner's secrets; `replace` says whether there may be any.
    pub async fn put_secrets(&self, item: &SecretsItem, replace: bool) -> Result<Written, Unavailable> {
        let put = self.client.put_item().table_name(&self.secrets).set_item(Some(to_item(PUT_SECRETS, item)?));
        let put = if replace {
            put
        } else {
            put.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", OWNER)
        };
        send(put, PUT_SECRETS).await
    }
}

async fn send(put: PutItemFluentBuilder, service: &'static str) -> Result<Written, Unavailable> {
    match put.send().await {
        Ok(_) => Ok(Written::Done),
        Err(SdkError::ServiceError(answer))
            if matches!(answer.err(), PutItemError::ConditionalCheckFailedException(_)) =>
        {
            Ok(Written::Lost)
        }
        Err(error) => Err(unavailable(service)(error)),
    }
}
