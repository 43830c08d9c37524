//! Stores deliveries. One item holds a delivery with its current round. A second table holds the attempts of older
//! rounds.

use app::ports::{Claimed, Deliveries, NewDeliveries, Put, Replaced, Rounds, Unavailable};
use aws_sdk_dynamodb::{
    Client,
    operation::update_item::UpdateItemError,
    types::{Put as PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};
use domain::{
    audit::AuditRecord,
    outbound::delivery::{Claim, Delivery, LateAttempt, Message, OpenedRound},
    retention::Retention,
    values::ids::DeliveryId,
};

use super::{
    audit::DynamoAudit,
    from_item,
    item::media_buying::{AttemptItem, CLAIM_PATH, DELIVERY_ID, DELIVERY_REVISION, DeliveryItem},
    key_of, number, read, value,
    write::{CONDITION, Requires, in_transaction, put, replaced, send_put, transact},
};
use crate::aws::unavailable;

const PUT: &str = "DynamoDB PutItem deliveries";
const CLAIM: &str = "DynamoDB UpdateItem deliveries";
const GET: &str = "DynamoDB GetItem deliveries";
const PUT_ATTEMPT: &str = "DynamoDB PutItem attempts";
const PUT_BOTH: &str = "DynamoDB TransactWriteItems deliveries, attempts";
const OWE_NOTICE: &str = "DynamoDB TransactWriteItems deliveries, audit";
const OPEN_ROUND: &str = "DynamoDB TransactWriteItems deliveries, attempts, audit";

/// Implements [`NewDeliveries`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoNewDeliveries {
    client: Client,
    table: String,
}

impl DynamoNewDeliveries {
    /// Uses this table of deliveries.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl NewDeliveries for DynamoNewDeliveries {
    /// Makes one conditional write and no read. If the delivery exists, DynamoDB returns it with the failed condition.
    async fn put_if_absent(&self, delivery: &Delivery) -> Result<Put, Unavailable> {
        let put = || put(PUT, &self.table, &DeliveryItem::from(delivery), Requires::Absence(DELIVERY_ID));
        let Some(existing) = send_put(&self.client, PUT, put).await? else { return Ok(Put::Fresh) };
        let existing: DeliveryItem = from_item(PUT, existing)?;
        Ok(Put::Existing(Box::new(existing.delivery)))
    }
}

/// Implements [`Deliveries`] in two tables.
#[derive(Debug, Clone)]
pub struct DynamoDeliveries {
    client: Client,
    deliveries: String,
    attempts: String,
    retention: Retention,
}

impl DynamoDeliveries {
    /// Uses two tables: one for deliveries, and one for attempts that are not part of a delivery's item. Such attempts
    /// are kept for the time of `retention`.
    pub fn new(client: Client, deliveries: String, attempts: String, retention: Retention) -> Self {
        Self { client, deliveries, attempts, retention }
    }

    /// Returns the put that replaces the previous revision of this delivery.
    fn put_of(&self, delivery: &Delivery) -> Result<PutRequest, Unavailable> {
        let before = Requires::Number(DELIVERY_REVISION, delivery.revision().saturating_sub(1).into());
        put(PUT, &self.deliveries, &DeliveryItem::from(delivery), before)
    }

    fn put_of_attempt(&self, attempt: &AttemptItem) -> Result<PutRequest, Unavailable> {
        put(PUT_ATTEMPT, &self.attempts, attempt, Requires::Nothing)
    }

    /// Makes the puts of a delivery and of these attempts.
    fn puts(
        &self,
        delivery: &Delivery,
        attempts: impl IntoIterator<Item = AttemptItem>,
    ) -> Result<Vec<TransactWriteItem>, Unavailable> {
        let attempts = attempts.into_iter().map(|attempt| self.put_of_attempt(&attempt));
        let puts = std::iter::once(self.put_of(delivery)).chain(attempts);
        puts.map(|put| put.map(in_transaction)).collect()
    }
}

impl Deliveries for DynamoDeliveries {
    /// Makes one conditional write and no read. DynamoDB returns the delivery after the write, or as it is stored if
    /// the claim fails.
    async fn claim(&self, message: &Message, claim: &Claim) -> Result<Claimed, Unavailable> {
        let [life, under_way, place] = CLAIM_PATH;
        let update = self
            .client
            .update_item()
            .table_name(&self.deliveries)
            .set_key(Some(key_of(DELIVERY_ID, &message.delivery_id)))
            .update_expression("SET #life.#under_way.#claim = :claim, #revision = :next")
            .condition_expression("#revision = :made_for")
            .expression_attribute_names("#life", life)
            .expression_attribute_names("#under_way", under_way)
            .expression_attribute_names("#claim", place)
            .expression_attribute_names("#revision", DELIVERY_REVISION)
            .expression_attribute_values(":claim", value(CLAIM, claim)?)
            .expression_attribute_values(":made_for", number(message.revision))
            .expression_attribute_values(":next", number(message.revision.saturating_add(1)))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match update.send().await {
            Ok(answer) => {
                let item: DeliveryItem = from_item(CLAIM, answer.attributes.unwrap_or_default())?;
                Ok(Claimed::Stored(Box::new(item.delivery)))
            }
            Err(error) => {
                let Some(UpdateItemError::ConditionalCheckFailedException(failure)) = error.as_service_error() else {
                    return Err(unavailable(CLAIM)(error));
                };
                let existing = failure.item().cloned().filter(|item| !item.is_empty());
                let existing: Option<DeliveryItem> = existing.map(|item| from_item(CLAIM, item)).transpose()?;
                Ok(Claimed::Otherwise(existing.map(|item| Box::new(item.delivery))))
            }
        }
    }

    async fn read(&self, id: &DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        let get = self.client.get_item().table_name(&self.deliveries).set_key(Some(key_of(DELIVERY_ID, id)));
        let item: Option<DeliveryItem> = read::get(GET, get.consistent_read(true)).await?;
        Ok(item.map(|item| item.delivery))
    }

    async fn replace(&self, delivery: &Delivery) -> Result<Replaced, Unavailable> {
        let existing = send_put(&self.client, PUT, || self.put_of(delivery)).await?;
        Ok(replaced(existing.is_none()))
    }

    /// Makes one write. If the delivery changes too, makes a transaction of two writes.
    async fn keep_late(&self, late: &LateAttempt, changed: Option<&Delivery>) -> Result<Replaced, Unavailable> {
        let attempt = AttemptItem::of_late(late, self.retention);
        if let Some(delivery) = changed {
            let writes = self.puts(delivery, [attempt])?;
            // Only the delivery's write has a condition.
            return transact(&self.client, PUT_BOTH, writes, &[CONDITION]).await.map(replaced);
        }
        send_put(&self.client, PUT_ATTEMPT, || self.put_of_attempt(&attempt)).await.map(|_| Replaced::Done)
    }
}

/// Implements [`Rounds`] in three tables.
#[derive(Debug, Clone)]
pub struct DynamoRounds {
    deliveries: DynamoDeliveries,
    audit: DynamoAudit,
}

impl DynamoRounds {
    /// Uses these two tables. A new round and its audit record are stored together.
    pub fn new(deliveries: DynamoDeliveries, audit: DynamoAudit) -> Self {
        Self { deliveries, audit }
    }
}

impl Rounds for DynamoRounds {
    async fn read(&self, id: &DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        self.deliveries.read(id).await
    }

    /// Makes one transaction with one write for each attempt of the old round, one for the delivery, and one for the
    /// audit record.
    async fn open_round(&self, opened: &OpenedRound, audit: &AuditRecord) -> Result<Replaced, Unavailable> {
        let (id, round, retention) = (opened.delivery.id(), opened.moved_round, self.deliveries.retention);
        let moved = opened.moved.iter().map(|attempt| AttemptItem::of_round(id, round, attempt, retention));
        let writes = self.deliveries.puts(&opened.delivery, moved)?;
        self.audit.transact(OPEN_ROUND, writes, audit).await.map(replaced)
    }

    /// Makes one transaction of two writes.
    async fn owe_notice(&self, notice: &Delivery, audit: &AuditRecord) -> Result<Replaced, Unavailable> {
        let absent = Requires::Absence(DELIVERY_ID);
        let put = put(OWE_NOTICE, &self.deliveries.deliveries, &DeliveryItem::from(notice), absent)?;
        self.audit.transact(OWE_NOTICE, vec![in_transaction(put)], audit).await.map(replaced)
    }
}
