//! The participants, one item each.

use app::ports::{Participants, Replaced, StoredParticipant, Unavailable};
use aws_sdk_dynamodb::{Client, error::SdkError, operation::put_item::PutItemError, types::AttributeValue};
use domain::{ids::UserId, moment::Moment, participant::Participant};

use super::{
    from_item,
    item::{VERSION, media_buying::ParticipantItem, media_buying::USER_ID},
    to_item,
};
use crate::aws::unavailable;

const GET: &str = "DynamoDB GetItem participants";
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
}

impl Participants for DynamoParticipants {
    async fn read(&self, user_id: &UserId) -> Result<StoredParticipant, Unavailable> {
        let key = AttributeValue::S(user_id.as_str().to_owned());
        let get = self.client.get_item().table_name(&self.table).key(USER_ID, key).consistent_read(true);
        let Some(item) = get.send().await.map_err(unavailable(GET))?.item else {
            return Ok(StoredParticipant::default());
        };
        let item: ParticipantItem = from_item(GET, item)?;
        let participant = serde_json::from_str(&item.participant);
        let unreadable = |_| Unavailable { service: GET, reason: "holds a participant that cannot be read".into() };
        Ok(StoredParticipant { participant: participant.map_err(unreadable)?, version: Some(item.version) })
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
        match put.send().await {
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
