//! Reads back the stored history of a click, a postback or a content.

use std::collections::{BTreeSet, HashMap};

use app::ports::{FoundRevisions, InboundRecords, StoredRefusal, Unavailable};
use aws_sdk_dynamodb::Client;
use domain::{
    inbound::{click::Click, correction::Revision, transaction},
    jiff::Timestamp,
    values::ids::{ClickId, TransactionKey},
};
use serde::de::DeserializeOwned;

use super::{
    item::{CLICK_ID, ClickItem, PROVIDER_CONTENT, PostbackItem},
    key_of, postbacks,
    read::{get_all, get_readable},
};

const GET_ALL: &str = "DynamoDB BatchGetItem history";

/// Reads the tables that keep history: [`InboundRecords`].
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

    async fn get_all<'a, T: DeserializeOwned>(
        &self,
        table: &str,
        name: &str,
        keys: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<T>, Unavailable> {
        get_all(&self.client, GET_ALL, table, keys.into_iter().map(|value| key_of(name, value)).collect()).await
    }
}

impl InboundRecords for History {
    async fn transaction(&self, key: &TransactionKey) -> Result<Option<transaction::History>, Unavailable> {
        postbacks::history(&self.client, &self.postbacks, key).await
    }

    /// Postbacks are never deleted. A postback that is missing from the items read therefore counts as unreadable.
    async fn revisions(&self, keys: &BTreeSet<&str>) -> Result<FoundRevisions, Unavailable> {
        let wanted = keys.iter().filter_map(|key| PostbackItem::key_of_lookup_key(key)).collect();
        let items: Vec<PostbackItem> = get_readable(&self.client, GET_ALL, &self.postbacks, wanted).await?;
        let mut items: HashMap<String, PostbackItem> =
            items.into_iter().map(|item| (item.lookup_key(), item)).collect();
        let mut found = FoundRevisions::default();
        for key in keys {
            match items.remove(*key).map(Revision::try_from) {
                Some(Ok(revision)) => found.revisions.push(revision),
                Some(Err(_)) | None => found.unreadable.push((*key).to_owned()),
            }
        }
        Ok(found)
    }

    fn original_of(&self, key: &str) -> Option<TransactionKey> {
        PostbackItem::original_of_lookup_key(key)
    }

    async fn refusals(&self, keys: &BTreeSet<&str>) -> Result<Vec<StoredRefusal>, Unavailable> {
        self.get_all(&self.refusals, PROVIDER_CONTENT, keys.iter().copied()).await
    }

    async fn clicks(&self, ids: &BTreeSet<ClickId>) -> Result<Vec<Click>, Unavailable> {
        let items: Vec<ClickItem> = self.get_all(&self.clicks, CLICK_ID, ids.iter().map(ClickId::as_str)).await?;
        let now = Timestamp::now().as_second();
        Ok(items.into_iter().filter(|item| item.expires_at > now).map(Click::from).collect())
    }
}
