//! The participants, one item each.

use std::collections::{BTreeSet, HashMap};

use app::ports::{Participants, Replaced, StoredParticipant, Unavailable};
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::put_item::PutItemError,
    types::{AttributeValue, KeysAndAttributes},
};
use domain::{ids::UserId, moment::Moment, participant::Participant};
use futures_util::future::join_all;

use super::{
    Item, from_item,
    item::{VERSION, media_buying::ParticipantItem, media_buying::USER_ID},
    to_item,
};
use crate::aws::unavailable;

const GET: &str = "DynamoDB GetItem participants";
const BATCH: &str = "DynamoDB BatchGetItem participants";
const PUT: &str = "DynamoDB PutItem participants";

/// How many items one request reads.
const READ_AT_ONCE: usize = 100;

/// [`Participants`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoParticipants {
    client: Client,
    table: String,
}

impl DynamoParticipants {
    /// The participants in this table.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Reads one participant, as it stands now.
    pub async fn read_one(&self, user_id: &UserId) -> Result<StoredParticipant, Unavailable> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key_of(user_id))).consistent_read(true);
        let found = Box::pin(get.send()).await.map_err(unavailable(GET))?.item;
        found.map_or_else(|| Ok(StoredParticipant::default()), |item| stored(GET, item))
    }

    /// What one request gives of as many as it may ask for.
    async fn batch(&self, users: &[&UserId]) -> Result<Batch, Unavailable> {
        let keys = users.iter().map(|user_id| key_of(user_id)).collect();
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let keys = keys.map_err(|fault| Unavailable { service: BATCH, reason: fault.to_string() })?;
        let got = self.client.batch_get_item().request_items(&self.table, keys);
        let got = Box::pin(got.send()).await.map_err(unavailable(BATCH))?;
        let found = got.responses.into_iter().flat_map(HashMap::into_values).flatten();
        let found = found.filter_map(|item| Some((user_of(&item)?.to_owned(), stored(BATCH, item)))).collect();
        let left = got.unprocessed_keys.into_iter().flat_map(HashMap::into_values).flat_map(|left| left.keys);
        Ok(Batch { found, left: left.filter_map(|key| user_of(&key).map(str::to_owned)).collect() })
    }

    async fn read_batch(&self, users: &[&UserId]) -> Vec<Result<StoredParticipant, Unavailable>> {
        let Batch { mut found, left } = match self.batch(users).await {
            Ok(batch) => batch,
            Err(unavailable) => return users.iter().map(|_| Err(unavailable.clone())).collect(),
        };
        // What DynamoDB had no time for is asked for by itself, with the client's own patience: one busy user is no
        // other's.
        let results = users.iter().map(|user_id| {
            let (found, is_left) = (found.remove(user_id.as_str()), left.contains(user_id.as_str()));
            async move {
                match found {
                    Some(stored) => stored,
                    None if is_left => self.read_one(user_id).await,
                    None => Ok(StoredParticipant::default()),
                }
            }
        });
        join_all(results).await
    }
}

/// The answer to a request for several.
struct Batch {
    found: HashMap<String, Result<StoredParticipant, Unavailable>>,
    /// The users that it left out.
    left: BTreeSet<String>,
}

fn key_of(user_id: &UserId) -> Item {
    Item::from([(USER_ID.to_owned(), AttributeValue::S(user_id.as_str().to_owned()))])
}

fn user_of(item: &Item) -> Option<&str> {
    item.get(USER_ID)?.as_s().ok().map(String::as_str)
}

fn stored(service: &'static str, item: Item) -> Result<StoredParticipant, Unavailable> {
    let item: ParticipantItem = from_item(service, item)?;
    let participant = serde_json::from_str(&item.participant);
    let unreadable = |_| Unavailable { service, reason: "holds a participant that cannot be read".into() };
    Ok(StoredParticipant { participant: participant.map_err(unreadable)?, version: Some(item.version) })
}

impl Participants for DynamoParticipants {
    /// One request for all of a batch. One that cannot be read fails alone.
    async fn read(&self, users: &[&UserId]) -> Vec<Result<StoredParticipant, Unavailable>> {
        if let [user_id] = users {
            return vec![self.read_one(user_id).await];
        }
        let mut read = Vec::with_capacity(users.len());
        for users in users.chunks(READ_AT_ONCE) {
            read.extend(self.read_batch(users).await);
        }
        read
    }

    async fn write(
        &self,
        user_id: &UserId,
        participant: &Participant,
        read: Option<u64>,
        next: u64,
    ) -> Result<Replaced, Unavailable> {
        let unwritable = |_| Unavailable { service: PUT, reason: "cannot be written as an item".into() };
        let item = ParticipantItem {
            user_id: user_id.clone(),
            version: next,
            participant: serde_json::to_string(participant).map_err(unwritable)?,
            expires_at: participant.expires_at().map(seconds_after),
        };
        let put = self.client.put_item().table_name(&self.table).set_item(Some(to_item(PUT, &item)?));
        let put = match read {
            None => put.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", USER_ID),
            Some(read) => put
                .condition_expression("#version = :read")
                .expression_attribute_names("#version", VERSION)
                .expression_attribute_values(":read", AttributeValue::N(read.to_string())),
        };
        match Box::pin(put.send()).await {
            Ok(_) => Ok(Replaced::Done),
            // Also when it is our own write whose answer was lost: read again, it shows what was written.
            Err(SdkError::ServiceError(answer))
                if matches!(answer.err(), PutItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(Replaced::Changed)
            }
            Err(error) => Err(unavailable(PUT)(error)),
        }
    }
}

/// Whole seconds, never before the instant.
fn seconds_after(at: Moment) -> i64 {
    at.as_millisecond().div_euclid(1000).saturating_add(1)
}
