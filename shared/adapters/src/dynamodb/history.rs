//! Reads back the stored history of a click, a postback or a content.

use std::collections::{BTreeSet, HashMap};

use app::ports::{FoundRevisions, InboundRecords, Unavailable};
use aws_sdk_dynamodb::Client;
use domain::{
    inbound::{click::Click, correction::Revision, refusal::ContentKey},
    values::ids::{ClickId, Provider, TransactionId},
};
use serde::de::DeserializeOwned;

use super::{
    item::{CLICK_ID, ClickItem, PROVIDER_CONTENT, PROVIDER_TRANSACTION, PostbackItem, REVISION, RefusalItem},
    key_of,
    read::{self, get_all, get_readable},
    text,
};

const GET: &str = "DynamoDB GetItem history";
const GET_ALL: &str = "DynamoDB BatchGetItem history";
const QUERY: &str = "DynamoDB Query postbacks";

/// Reads the tables that keep history.
#[derive(Debug, Clone)]
pub struct History {
    client: Client,
    postbacks: String,
    refusals: String,
    clicks: String,
}

impl History {
    /// Uses these three tables.
    pub fn new(client: Client, postbacks: String, refusals: String, clicks: String) -> Self {
        Self { client, postbacks, refusals, clicks }
    }

    /// Returns everything recorded under one transaction.
    pub async fn transaction(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Vec<PostbackItem>, Unavailable> {
        let query = self
            .client
            .query()
            .table_name(&self.postbacks)
            .key_condition_expression("#key = :key")
            .expression_attribute_names("#key", PROVIDER_TRANSACTION)
            .expression_attribute_values(":key", text(PostbackItem::key(provider, transaction_id)))
            .consistent_read(true);
        read::query(QUERY, query).await
    }

    /// Returns the stored refusal or conflict of a content.
    pub async fn refusal(&self, key: &ContentKey) -> Result<Option<RefusalItem>, Unavailable> {
        self.get(&self.refusals, PROVIDER_CONTENT, key.as_str()).await
    }

    /// Returns the stored refusals and conflicts with these keys, by key.
    pub async fn refusals<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<String, RefusalItem>, Unavailable> {
        let found: Vec<RefusalItem> = self.get_all(&self.refusals, PROVIDER_CONTENT, keys).await?;
        Ok(found.into_iter().map(|item| (item.provider_content.clone(), item)).collect())
    }

    /// Returns the postbacks and corrections that entries of the lookups name by these keys, by key. Postbacks are
    /// never deleted, so one that is missing from the answer cannot be read. It does not affect the others.
    pub async fn postbacks<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<String, PostbackItem>, Unavailable> {
        let key = |key: &str| {
            let (revision, transaction) = PostbackItem::of_lookup_key(key)?;
            let names = [(REVISION, revision), (PROVIDER_TRANSACTION, transaction)];
            Some(names.map(|(name, value)| (name.to_owned(), text(value))).into())
        };
        let keys = each_once(keys).filter_map(key).collect();
        let found: Vec<PostbackItem> = get_readable(&self.client, GET_ALL, &self.postbacks, keys).await?;
        Ok(found.into_iter().map(|item| (item.lookup_key(), item)).collect())
    }

    async fn get_all<'a, T: DeserializeOwned>(
        &self,
        table: &str,
        name: &str,
        keys: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<T>, Unavailable> {
        get_all(&self.client, GET_ALL, table, each_once(keys).map(|value| key_of(name, value)).collect()).await
    }

    async fn get<T: DeserializeOwned>(&self, table: &str, name: &str, value: &str) -> Result<Option<T>, Unavailable> {
        let get = self.client.get_item().table_name(table).set_key(Some(key_of(name, value)));
        read::get(GET, get.consistent_read(true)).await
    }
}

impl InboundRecords for History {
    async fn transaction(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Vec<Revision>, Unavailable> {
        let items = History::transaction(self, provider, transaction_id).await?;
        // The reason may quote values.
        let unreadable = |_| Unavailable { service: QUERY, reason: "holds a postback that cannot be read".into() };
        let chain = items.into_iter().filter(|item| !item.is_adjustment());
        chain.map(|item| Revision::try_from(item).map_err(unreadable)).collect()
    }

    async fn revisions(&self, keys: &BTreeSet<&str>) -> Result<FoundRevisions, Unavailable> {
        let mut items = self.postbacks(keys.iter().copied()).await?;
        let mut found = FoundRevisions::default();
        for key in keys {
            match items.remove(*key).map(Revision::try_from) {
                Some(Ok(revision)) => found.revisions.push(revision),
                Some(Err(_)) | None => found.unreadable.push((*key).to_owned()),
            }
        }
        Ok(found)
    }

    async fn clicks(&self, ids: &BTreeSet<ClickId>) -> Result<Vec<Click>, Unavailable> {
        let items: Vec<ClickItem> = self.get_all(&self.clicks, CLICK_ID, ids.iter().map(ClickId::as_str)).await?;
        Ok(items.into_iter().map(Click::from).collect())
    }
}

/// Returns the distinct keys, because DynamoDB refuses a request that names a key twice.
fn each_once<'a>(keys: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    keys.into_iter().collect::<BTreeSet<_>>().into_iter()
}
