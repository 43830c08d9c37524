//! Partners and secrets as the operator's command changes them.

use app::ports::Unavailable;
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{AttributeValue, Put, TransactWriteItem},
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
const PUT_PARTNER: &str = "DynamoDB TransactWriteItems partners, secrets";
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

    /// Writes a partner if it still has the version before this one's, or is still absent for version 1; and its secrets
    /// with it, both or neither: a secret that is stored is the one that was told.
    ///
    /// When the answer is lost, or the client's own repeat finds the first write in its way, the partner is read again: what
    /// stands there to the letter is ours.
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
        let put = Put::builder().table_name(&self.partners).set_item(Some(to_item(PUT_PARTNER, item)?));
        let put = match item.version.checked_sub(1) {
            None | Some(0) => {
                put.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", PROVIDER)
            }
            Some(before) => put
                .condition_expression("#version = :before")
                .expression_attribute_names("#version", VERSION)
                .expression_attribute_values(":before", AttributeValue::N(before.to_string())),
        };
        let mut writes = vec![put];
        if let Some(secrets) = secrets {
            writes.push(Put::builder().table_name(&self.secrets).set_item(Some(to_item(PUT_SECRETS, secrets)?)));
        }
        let mut transaction = self.client.transact_write_items();
        for write in writes {
            let put = write.build().map_err(|fault| Unavailable { service: PUT_PARTNER, reason: fault.to_string() })?;
            transaction = transaction.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match transaction.send().await {
            Ok(_) => Ok(Written::Done),
            Err(error) if is_condition_of_the_first(&error) => Ok(Written::Lost),
            Err(error) => Err(unavailable(PUT_PARTNER)(error)),
        }
    }

    /// An owner's secrets as they stand now.
    pub async fn secrets(&self, owner: &str) -> Result<Option<SecretsItem>, Unavailable> {
        let key = AttributeValue::S(owner.to_owned());
        let get = self.client.get_item().table_name(&self.secrets).key(OWNER, key).consistent_read(true);
        let found = get.send().await.map_err(unavailable(GET_SECRETS))?;
        found.item.map(|item| from_item(GET_SECRETS, item)).transpose()
    }

    /// Writes an owner's secrets unless there are any.
    pub async fn put_secrets_if_absent(&self, item: &SecretsItem) -> Result<Written, Unavailable> {
        let put = self.client.put_item().table_name(&self.secrets).set_item(Some(to_item(PUT_SECRETS, item)?));
        let put = put.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", OWNER);
        match put.send().await {
            Ok(_) => Ok(Written::Done),
            Err(SdkError::ServiceError(answer))
                if matches!(answer.err(), PutItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(Written::Lost)
            }
            Err(error) => Err(unavailable(PUT_SECRETS)(error)),
        }
    }
}

/// Whether a transaction was called off because its first write's condition does not hold.
fn is_condition_of_the_first(error: &SdkError<TransactWriteItemsError>) -> bool {
    let SdkError::ServiceError(answer) = error else { return false };
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = answer.err() else { return false };
    let first = cancelled.cancellation_reasons().first();
    first.and_then(|reason| reason.code()) == Some("ConditionalCheckFailed")
}
