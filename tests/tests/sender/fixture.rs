//! Gives the tests the stack, senders as separate processes, and all messages that these senders send to the queue of
//! resends.

use std::time::Duration;

use adapters::dynamodb::{
    audit::DynamoAudit,
    deliveries::{DynamoDeliveries, DynamoNewDeliveries, DynamoRounds},
    endpoints::DynamoEndpoints,
    item::media_buying::{AttemptItem, DELIVERY_ID, UNDER_WAY_INDEX, UNDER_WAY_SHARD, UNDER_WAY_SINCE},
};
use app::ports::{Deliveries as _, NewDeliveries as _, Put, Replaced, Rounds as _, Unavailable};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use domain::{
    outbound::delivery::{Delivery, Message, OpenedRound},
    retention::Expiring,
    values::{
        ids::{ChainTicket, DeliveryId},
        time::UnixMillis,
    },
};
use tests::{
    eventually, fresh,
    operator::audit_record,
    payload,
    proxy::Proxy,
    queue::Arrivals,
    runtime_api::{Function, Settings},
    stack::Stack,
};
use tokio::sync::OnceCell;

/// Sets the default time limits in seconds. They are long enough for a busy machine.
const FUNCTION: u64 = 60;
const ATTEMPT: u64 = 10;

pub(crate) struct Fixture {
    pub(crate) stack: Stack,
    /// Holds the URL of a queue of resends that only these tests use. The stack's webhook-sender empties the stack's
    /// queue.
    pub(crate) resends: String,
    /// Holds the messages that the functions under test have sent to the queue.
    pub(crate) arrivals: Arrivals<Message>,
}

/// Holds a sender and the proxy in front of it.
pub(crate) struct Sender {
    pub(crate) proxy: Proxy,
    pub(crate) function: Function,
}

impl Fixture {
    /// Returns the stack, with one queue for all tests of this process.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Fixture> = OnceCell::const_new();
        SHARED.get_or_init(async || Self::of(Stack::from_env().unwrap_or_else(|fault| panic!("{fault}"))).await).await
    }

    /// Returns the stack with a table of deliveries and a queue for one test, because a sweep reads the whole table.
    pub(crate) async fn of_one_test() -> &'static Self {
        let mut stack = Self::shared().await.stack.clone();
        let table = fresh("deliveries");
        create_deliveries(&stack, &table).await;
        stack.tables.insert("deliveries".to_owned(), table);
        // The fixture lives as long as the process, like the shared fixture.
        Box::leak(Box::new(Self::of(stack).await))
    }

    async fn of(stack: Stack) -> Self {
        let resends = stack.create_queue("webhook-retries").await;
        let arrivals = Arrivals::of(&stack, &resends);
        Self { stack, resends, arrivals }
    }

    /// Returns the settings of a sender that runs as a separate process and uses AWS at this endpoint.
    pub(crate) fn settings(&self, endpoint_url: &str) -> Settings {
        let through = |url: &str| url.replace(&self.stack.aws_endpoint_url, endpoint_url);
        let mut settings = Settings::built("webhook-sender")
            .variables(self.stack.aws_environment(endpoint_url))
            .variable("WEBHOOK_RETRIES_QUEUE_URL", through(&self.resends))
            .variable("WEBHOOKS_DEAD_LETTERS_QUEUE_URL", through(self.stack.queue("webhooks-dead-letters")))
            .variable("LOOPBACK_WEBHOOKS", "true");
        for noun in ["partners", "secrets", "deliveries", "attempts", "endpoints"] {
            settings = settings.variable(format!("{}_TABLE", noun.to_uppercase()), self.stack.table(noun));
        }
        within(settings, FUNCTION, ATTEMPT)
    }

    /// Starts a sender behind a proxy, waits until it is ready, and clears the journal.
    pub(crate) async fn sender(&self) -> Sender {
        self.sender_as(|settings| settings).await
    }

    /// Starts a sender as [`sender`](Self::sender) does, with changed settings.
    pub(crate) async fn sender_as(&self, change: impl FnOnce(Settings) -> Settings) -> Sender {
        let proxy = Proxy::start(&self.stack.aws_endpoint_url).await;
        let function = change(self.settings(&proxy.endpoint_url())).spawn().await;
        function.wait_until_ready().await.unwrap();
        proxy.take_calls();
        Sender { proxy, function }
    }

    pub(crate) fn deliveries(&self) -> DynamoDeliveries {
        let [deliveries, attempts] = ["deliveries", "attempts"].map(|noun| self.stack.table(noun).to_owned());
        DynamoDeliveries::new(self.stack.dynamodb(), deliveries, attempts, Expiring::Attempt.default_retention())
    }

    /// Returns the endpoints.
    pub(crate) fn endpoints(&self) -> DynamoEndpoints {
        DynamoEndpoints::new(self.stack.dynamodb(), self.stack.table("endpoints").to_owned())
    }

    /// Opens a round as an operator does.
    pub(crate) async fn open_round(&self, opened: &OpenedRound) -> Result<Replaced, Unavailable> {
        let audit = DynamoAudit::new(self.stack.dynamodb(), self.stack.table("audit").to_owned());
        let record = audit_record(opened.delivery.provider().as_str());
        DynamoRounds::new(self.deliveries(), audit).open_round(opened, &record).await
    }

    /// Stores a delivery as the evaluator does. Returns the delivery's first message.
    pub(crate) async fn put(&self, delivery: &Delivery) -> Message {
        self.store(delivery).await;
        delivery.first_message(ChainTicket::from_random([1; 8])).unwrap()
    }

    /// Stores a new delivery.
    pub(crate) async fn store(&self, delivery: &Delivery) {
        let table = self.stack.table("deliveries").to_owned();
        let put = DynamoNewDeliveries::new(self.stack.dynamodb(), table).put_if_absent(delivery).await;
        assert_eq!(put, Ok(Put::Fresh));
    }

    /// Returns a stored delivery.
    pub(crate) async fn stored(&self, id: &DeliveryId) -> Delivery {
        self.deliveries().read(id).await.unwrap().unwrap()
    }

    /// Waits until a delivery satisfies the condition, and returns it.
    pub(crate) async fn until(&self, id: &DeliveryId, awaited: &str, is: impl Fn(&Delivery) -> bool) -> Delivery {
        eventually(&format!("{id}: {awaited}"), async || Some(self.stored(id).await).filter(|stored| is(stored))).await
    }

    /// Waits until a delivery has ended, and returns it.
    pub(crate) async fn ended(&self, id: &DeliveryId) -> Delivery {
        self.until(id, "the delivery has ended", |stored| stored.ending().is_some()).await
    }

    /// Returns the attempts that are stored beside a delivery.
    pub(crate) async fn kept_beside(&self, id: &DeliveryId) -> Vec<AttemptItem> {
        let query = self.stack.dynamodb().query().table_name(self.stack.table("attempts")).consistent_read(true);
        let query = query.key_condition_expression("#id = :id").expression_attribute_names("#id", DELIVERY_ID);
        let query = query.expression_attribute_values(":id", AttributeValue::S(id.to_string()));
        let found = query.send().await.unwrap().items.unwrap_or_default();
        found.into_iter().map(|item| serde_dynamo::from_item(item).unwrap()).collect()
    }

    /// Returns the messages of this delivery that functions under test have sent and that are due.
    pub(crate) fn resent(&self, id: &DeliveryId) -> Vec<Message> {
        self.arrivals.so_far(|message| message.delivery_id == *id)
    }

    /// Gives a function this message and all later messages of its delivery until the delivery has ended. Failed
    /// messages are given again, as a queue does.
    pub(crate) async fn to_the_end(&self, function: &Function, first: &Message) -> Delivery {
        let id = &first.delivery_id;
        let (mut waiting, mut taken) = (vec![first.clone()], self.resent(id).len());
        eventually(&format!("{id} ends"), async || {
            let failed = give(function, &waiting).await;
            waiting = failed.into_iter().map(|place| waiting[place].clone()).collect();
            let sent = self.resent(id);
            waiting.extend_from_slice(&sent[taken..]);
            taken = sent.len();
            Some(self.stored(id).await).filter(|stored| stored.ending().is_some())
        })
        .await
    }
}

impl Sender {
    /// Gives the function these messages as one batch. Returns the places of the messages that must be retried.
    pub(crate) async fn give(&self, messages: &[Message]) -> Vec<usize> {
        give(&self.function, messages).await
    }

    /// Returns the calls to AWS since this function was last called.
    pub(crate) fn calls(&self, fixture: &Fixture) -> Vec<String> {
        self.proxy.take_calls().iter().map(|call| fixture.stack.words(call)).collect()
    }
}

/// Makes a table like `deliveries` in template.yaml, with the index that a sweep reads.
async fn create_deliveries(stack: &Stack, name: &str) {
    let attribute = |name: &str, kind: ScalarAttributeType| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
    };
    let key =
        |name: &str, kind: KeyType| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
    let index = GlobalSecondaryIndex::builder().index_name(UNDER_WAY_INDEX).projection(keys_only);
    let index = index.key_schema(key(UNDER_WAY_SHARD, KeyType::Hash)).key_schema(key(UNDER_WAY_SINCE, KeyType::Range));
    let create = stack.dynamodb().create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    let create = create.key_schema(key(DELIVERY_ID, KeyType::Hash)).global_secondary_indexes(index.build().unwrap());
    let create = create.set_attribute_definitions(Some(vec![
        attribute(DELIVERY_ID, ScalarAttributeType::S),
        attribute(UNDER_WAY_SHARD, ScalarAttributeType::N),
        attribute(UNDER_WAY_SINCE, ScalarAttributeType::N),
    ]));
    create.send().await.unwrap();
}

/// Sets the time limits of a function and of an attempt within it, in seconds.
pub(crate) fn within(settings: Settings, function: u64, attempt: u64) -> Settings {
    settings
        .variable("FUNCTION_TIMEOUT_SECONDS", function.to_string())
        .variable("QUEUE_VISIBILITY_SECONDS", (6 * function).to_string())
        .variable("WEBHOOK_ATTEMPT_SECONDS", attempt.to_string())
        .timeout(Duration::from_secs(function))
}

/// Gives a function these messages as one batch. Returns the places of the messages that must be retried.
pub(crate) async fn give(function: &Function, messages: &[Message]) -> Vec<usize> {
    if messages.is_empty() {
        return Vec::new();
    }
    let answer = function.invoke(&batch(messages)).await.response();
    let failures = answer["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().parse().unwrap()).collect()
}

pub(crate) fn batch(messages: &[Message]) -> serde_json::Value {
    let bodies = messages.iter().map(|message| serde_json::to_string(message).unwrap());
    batch_of(bodies)
}

/// Returns a batch of messages with these bodies. The place in the batch is the id of a message.
pub(crate) fn batch_of(bodies: impl IntoIterator<Item = String>) -> serde_json::Value {
    let message = |(place, body): (usize, String)| payload::Message::new(body).id(&place.to_string());
    payload::queue_event("webhooks", bodies.into_iter().enumerate().map(message))
}

pub(crate) fn now() -> UnixMillis {
    tests::now().into()
}
