//! Stores postbacks, one item for each transaction.

use std::collections::{BTreeSet, HashMap};

use app::ports::{Postbacks, Recorded, RecordedRevisions, Unavailable};
use aws_sdk_dynamodb::Client;
use domain::{
    inbound::{conversion::RecordedPostback, correction::Revision},
    values::ids::{Provider, TransactionId},
};

use super::{
    from_item,
    item::{ORIGINAL, PROVIDER_TRANSACTION, PostbackItem, REVISION},
    read, text,
    write::{Requires, put, send_put},
};

const PUT: &str = "DynamoDB PutItem postbacks";
const GET: &str = "DynamoDB GetItem postbacks";
const GET_ALL: &str = "DynamoDB BatchGetItem postbacks";

/// Implements [`Postbacks`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoPostbacks {
    client: Client,
    pub(super) table: String,
}

impl DynamoPostbacks {
    /// Uses this table of postbacks.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl Postbacks for DynamoPostbacks {
    /// Makes one conditional write and no read. If the condition fails, DynamoDB returns the stored item.
    async fn record(&self, postback: &RecordedPostback) -> Result<Recorded, Unavailable> {
        let put = put(PUT, &self.table, &PostbackItem::from(postback), Requires::Absence(PROVIDER_TRANSACTION))?;
        let Some(standing) = send_put(&self.client, PUT, put).await? else { return Ok(Recorded::Fresh) };
        recorded(PUT, from_item(PUT, standing)?).map(|original| Recorded::Existing(Box::new(original)))
    }

    async fn find(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<RecordedPostback>, Unavailable> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PROVIDER_TRANSACTION, text(PostbackItem::key(provider, transaction_id)))
            .key(REVISION, text(ORIGINAL))
            .consistent_read(true);
        read::get(GET, get).await?.map(|item| recorded(GET, item)).transpose()
    }
}

impl RecordedRevisions for DynamoPostbacks {
    async fn recorded(
        &self,
        keys: &BTreeSet<String>,
    ) -> Result<HashMap<String, Result<Revision, String>>, Unavailable> {
        let asked = keys.iter().filter_map(|key| PostbackItem::key_of_lookup_key(key)).collect();
        let items = read::get_items(&self.client, GET_ALL, &self.table, asked).await?;
        let read = |item: super::Item| {
            let key = PostbackItem::lookup_key_of(&item)?;
            let item = from_item::<PostbackItem>(GET_ALL, item).map_err(|fault| fault.reason);
            Some((key, item.and_then(Revision::try_from)))
        };
        Ok(items.into_iter().filter_map(read).collect())
    }
}

fn recorded(service: &'static str, item: PostbackItem) -> Result<RecordedPostback, Unavailable> {
    item.try_into().map_err(|reason| Unavailable { service, reason })
}
