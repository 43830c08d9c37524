//! Stores participants, one item each.

use std::collections::{BTreeSet, HashMap};

use app::ports::{Participants, Replaced, StoredParticipant, Unavailable};
use aws_sdk_dynamodb::Client;
use domain::{
    outbound::participant::Participant,
    values::{ids::UserId, time::UnixMillis},
};
use futures_util::future::join_all;

use super::{
    Item, from_item,
    item::{VERSION, media_buying::ParticipantItem, media_buying::USER_ID},
    key_of,
    read::{self, GET_AT_ONCE, Got, get_once},
    write::{Requires, put, replaced, send_put},
};

const GET: &str = "DynamoDB GetItem participants";
const BATCH: &str = "DynamoDB BatchGetItem participants";
const PUT: &str = "DynamoDB PutItem participants";

/// Implements [`Participants`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoParticipants {
    client: Client,
    table: String,
}

impl DynamoParticipants {
    /// Uses this table.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Reads one participant with a consistent read.
    pub async fn read_one(&self, user_id: &UserId) -> Result<StoredParticipant, Unavailable> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key_of(USER_ID, user_id)));
        let found: Option<ParticipantItem> = read::get(GET, get.consistent_read(true)).await?;
        found.map_or_else(|| Ok(StoredParticipant::default()), |item| stored(GET, &item))
    }

    async fn read_batch(&self, users: &[&UserId]) -> Vec<Result<StoredParticipant, Unavailable>> {
        let keys = users.iter().map(|user_id| key_of(USER_ID, user_id)).collect();
        let Got { found, left } = match get_once(&self.client, BATCH, &self.table, keys).await {
            Ok(got) => got,
            Err(unavailable) => return users.iter().map(|_| Err(unavailable.clone())).collect(),
        };
        let found = found.into_iter().filter_map(|item| Some((user_of(&item)?.to_owned(), read_from(item))));
        let mut found: HashMap<String, Result<StoredParticipant, Unavailable>> = found.collect();
        let left: BTreeSet<&str> = left.iter().filter_map(user_of).collect();
        // Unprocessed keys are requested one at a time, with the client's retries, so that one busy user does not delay
        // other users.
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

fn user_of(item: &Item) -> Option<&str> {
    item.get(USER_ID)?.as_s().ok().map(String::as_str)
}

fn read_from(item: Item) -> Result<StoredParticipant, Unavailable> {
    stored(BATCH, &from_item(BATCH, item)?)
}

fn stored(service: &'static str, item: &ParticipantItem) -> Result<StoredParticipant, Unavailable> {
    let participant = serde_json::from_str(&item.participant);
    let unreadable = |_| Unavailable { service, reason: "holds a participant that cannot be read".into() };
    Ok(StoredParticipant { participant: participant.map_err(unreadable)?, version: Some(item.version) })
}

impl Participants for DynamoParticipants {
    /// Makes one request for up to 100 users. If one participant cannot be read, only that participant's result is an
    /// error.
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
        let put = || put(PUT, &self.table, &item, Requires::still(USER_ID, VERSION, read));
        // The answer to our own write may have been lost. The caller then reads again and finds the written version.
        Ok(replaced(send_put(&self.client, PUT, put).await?.is_none()))
    }
}

/// Returns whole Unix seconds, rounded up past the instant.
fn seconds_after(at: UnixMillis) -> i64 {
    at.as_millisecond().div_euclid(1000).saturating_add(1)
}
