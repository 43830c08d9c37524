//! The participants, one item each.

use std::collections::{BTreeSet, HashMap};

use app::ports::{Participants, Replaced, StoredParticipant, Unavailable};
use aws_sdk_dynamodb::{Client, error::SdkError, operation::put_item::PutItemError, types::AttributeValue};
use domain::{ids::UserId, moment::Moment, participant::Participant};
use futures_util::future::join_all;

use super::{
    Item, from_item,
    get_all::{GET_AT_ONCE, Got, get_once},
    item::{VERSION, media_buying::ParticipantItem, media_buying::USER_ID},
    to_item,
};
use crate::aws::unavailable;

const GET: &str = "DynamoDB GetItem participants";
const BATCH: &str = "DynamoDB BatchGetItem participants";
const PUT: &str = "DynamoDB PutItem participants";

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

    async fn read_batch(&self, users: &[&UserId]) -> Vec<Result<StoredParticipant, Unavailable>> {
        let keys = users.iter().map(|user_id| key_of(user_id)).collect();
        let Got { found, left } = match get_once(&self.client, BATCH, &self.table, keys).await {
            Ok(got) => got,
            Err(unavailable) => return users.iter().map(|_| Err(unavailable.clone())).collect(),
        };
        let found = found.into_iter().filter_map(|item| Some((user_of(&item)?.to_owned(), stored(BATCH, item))));
        let mut found: HashMap<String, Result<StoredParticipant, Unavailable>> = found.collect();
        let left: BTreeSet<&str> = left.iter().filter_map(user_of).collect();
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
        for users in users.chunks(GET_AT_ONCE) {
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
