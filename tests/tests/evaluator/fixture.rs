//! Gives the tests a stack with a published catalogue, evaluators, and all messages that arrive on `webhooks`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use adapters::dynamodb::{
    audit::DynamoAudit, catalogue::DynamoCatalogues, item::media_buying::DeliveryItem, participants::DynamoParticipants,
};
use app::ports::{Catalogues as _, Published, Replaced, StoredParticipant};
use domain::{
    outbound::{
        catalogue::{Catalogue, PartnerGoals, Snapshot},
        delivery,
    },
    values::ids::{CampaignName, DeliveryId, Provider, UserId},
};
use serde_json::{Value, json};
use tests::{
    operator::audit_record,
    payload::{Message, queue_event},
    proxy::Proxy,
    queue::{Arrivals, dead_letter},
    runtime_api::{Function, Settings},
    stack::Stack,
};
use tokio::sync::OnceCell;

use crate::events::now;

/// Equals the timeout of `event-evaluator` in template.yaml.
const FUNCTION_TIMEOUT: Duration = Duration::from_mins(1);

/// Returns these tests' partners, with every kind of goal. Two partners want the same quest.
fn goals() -> Value {
    let campaign = |goal: Value| json!({"goal": goal, "active_from": 0});
    json!({
        "evaluator-a": {"ids": ["click_id"], "campaigns": {
            "registration": campaign(json!({"type": "registration"})),
            "strike": campaign(json!({"type": "ggstrike", "clicks": 7})),
            "quest": campaign(json!({"type": "main_quest", "quest": "q1"})),
            "group": campaign(json!({"type": "main_quests", "quests": ["q2", "q3", "q4"]})),
        }},
        "evaluator-b": {"ids": ["click_id", "user_id"], "campaigns": {
            "quest": campaign(json!({"type": "main_quest", "quest": "q1"})),
            "group": campaign(json!({"type": "main_quests", "quests": ["q3", "q5"]})),
        }},
        "evaluator-filler": filler(),
    })
}

/// Returns as many campaigns as a partner may have, so that the catalogue needs more than one item.
fn filler() -> Value {
    let quests = |n: usize| (0..10).map(|at| format!("a-quest-with-a-long-name-{n}-{at}")).collect::<Vec<_>>();
    let goal = |n: usize| json!({"type": "main_quests", "quests": quests(n)});
    let campaign = |n: usize| (format!("campaign-{n}"), json!({"goal": goal(n), "active_from": 0}));
    json!({"campaigns": (0..1000).map(campaign).collect::<serde_json::Map<_, _>>()})
}

pub(crate) struct Fixture {
    pub(crate) stack: Stack,
    pub(crate) catalogue: Catalogue,
    /// Holds the URL of a queue of first attempts that only these tests use. The stack's webhook-sender empties the
    /// stack's queue.
    webhooks: String,
    arrivals: Arrivals<delivery::Message>,
    /// Holds a time after the catalogue was published.
    published: Instant,
}

/// Exceeds by one second the `CatalogueMaxAgeSeconds` of the local stack.
const OLDER_ARE_STALE_AFTER: Duration = Duration::from_secs(4);

impl Fixture {
    /// Returns the stack, whose catalogue is published once.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Fixture> = OnceCell::const_new();
        SHARED.get_or_init(Self::publish).await
    }

    /// Adds these tests' partners to the published catalogue.
    async fn publish() -> Self {
        let stack = Stack::from_env().unwrap_or_else(|fault| panic!("{fault}"));
        let webhooks = stack.create_queue("webhooks").await;
        let catalogues = DynamoCatalogues::new(stack.dynamodb(), stack.table("catalogue").to_owned());
        let audit = DynamoAudit::new(stack.dynamodb(), stack.table("audit").to_owned());
        loop {
            let (mut snapshot, expected) = match catalogues.current(None).await.unwrap() {
                Published::Other(catalogue) => (Snapshot::from(*catalogue.clone()), Some(catalogue.version())),
                _ => (Snapshot { version: 0, published_at: now(), partners: BTreeMap::new() }, None),
            };
            let goals: BTreeMap<Provider, PartnerGoals> = serde_json::from_value(goals()).unwrap();
            snapshot.partners.extend(goals);
            snapshot.version += 1;
            let record = audit_record("evaluator-a");
            if catalogues.publish(&snapshot, expected, (&audit, &record)).await.unwrap() == Replaced::Done {
                let Published::Other(catalogue) = catalogues.current(None).await.unwrap() else {
                    panic!("the catalogue was published")
                };
                assert_eq!(Snapshot::from(*catalogue.clone()), snapshot, "it is read as it was published");
                let again = catalogues.publish(&snapshot, expected, (&audit, &audit_record("evaluator-a"))).await;
                assert_eq!(again.unwrap(), Replaced::Changed);
                let arrivals = Arrivals::of(&stack, &webhooks);
                return Self { stack, catalogue: *catalogue, webhooks, arrivals, published: Instant::now() };
            }
        }
    }

    /// Waits until any older catalogue is too old to discard events against. An operator's campaign does not need this
    /// wait, because it starts some time after it is published. The campaigns of these tests start at once.
    pub(crate) async fn until_older_are_stale(&self) {
        tokio::time::sleep_until((self.published + OLDER_ARE_STALE_AFTER).into()).await;
    }

    /// Returns the settings of an evaluator that runs as a separate process and uses AWS at this endpoint.
    pub(crate) fn settings(&self, endpoint_url: &str) -> Settings {
        let through = |url: &str| url.replace(&self.stack.aws_endpoint_url, endpoint_url);
        Settings::built("event-evaluator")
            .variables(self.stack.aws_environment(endpoint_url))
            .variable("CATALOGUE_TABLE", self.stack.table("catalogue"))
            .variable("PARTICIPANTS_TABLE", self.stack.table("participants"))
            .variable("DELIVERIES_TABLE", self.stack.table("deliveries"))
            .variable("WEBHOOKS_QUEUE_URL", through(&self.webhooks))
            .variable("GG3_EVENTS_DEAD_LETTERS_QUEUE_URL", through(self.stack.queue("gg3-events-dead-letters")))
            .variable("GG3_EVENTS_BROKEN_LINKS_QUEUE_URL", through(self.stack.queue("gg3-events-broken-links")))
            .variable("GG3_EVENTS_UNKNOWN_TYPES_QUEUE_URL", through(self.stack.queue("gg3-events-unknown-types")))
            .variable("FUNCTION_TIMEOUT_SECONDS", FUNCTION_TIMEOUT.as_secs().to_string())
            .variable("QUEUE_VISIBILITY_SECONDS", (6 * FUNCTION_TIMEOUT).as_secs().to_string())
            .timeout(FUNCTION_TIMEOUT)
    }

    /// Starts an evaluator behind a proxy, waits until it is ready, and clears the journal.
    pub(crate) async fn behind_a_proxy(&self) -> (Proxy, Function) {
        let proxy = Proxy::start(&self.stack.aws_endpoint_url).await;
        let function = self.settings(&proxy.endpoint_url()).spawn().await;
        function.wait_until_ready().await.unwrap();
        proxy.take_calls();
        (proxy, function)
    }

    pub(crate) async fn participant(&self, user: &str) -> StoredParticipant {
        let table = self.stack.table("participants").to_owned();
        DynamoParticipants::new(self.stack.dynamodb(), table).read_one(&UserId::new(user).unwrap()).await.unwrap()
    }

    /// Returns the stored delivery of this partner and campaign to this user, if there is one.
    pub(crate) async fn delivery(&self, provider: &str, campaign: &str, user: &str) -> Option<DeliveryItem> {
        let id = delivery_id(provider, campaign, user);
        let key = aws_sdk_dynamodb::types::AttributeValue::S(id.to_string());
        let get = self.stack.dynamodb().get_item().table_name(self.stack.table("deliveries")).key("delivery_id", key);
        let found = get.consistent_read(true).send().await.unwrap().item;
        found.map(|item| serde_dynamo::from_item(item).unwrap())
    }

    /// Returns every delivery of the users with this prefix, as (user, provider, campaign).
    pub(crate) async fn deliveries_of(&self, users: &str) -> BTreeSet<(String, String, String)> {
        let mut found = BTreeSet::new();
        let mut pages = self.stack.dynamodb().scan().table_name(self.stack.table("deliveries")).into_paginator().send();
        while let Some(page) = pages.next().await {
            for item in page.unwrap().items.unwrap_or_default() {
                let item: DeliveryItem = serde_dynamo::from_item(item).unwrap();
                let delivery = &item.delivery;
                if delivery.participant().as_str().starts_with(users) {
                    let names = (delivery.provider().to_string(), delivery.campaign().to_string());
                    found.insert((delivery.participant().to_string(), names.0, names.1));
                }
            }
        }
        found
    }

    /// Waits for the message with this body on a queue of kept messages, removes it, and returns its reason.
    pub(crate) async fn dead_letter(&self, queue: &str, body: &str) -> String {
        dead_letter(&self.stack, self.stack.queue(queue), body).await
    }

    /// Waits for a first-attempt message of this delivery, and returns all of them.
    pub(crate) async fn messages(&self, id: &DeliveryId) -> Vec<delivery::Message> {
        self.arrivals.some(&format!("there is a message of {id}"), |message| message.delivery_id == *id).await
    }
}

pub(crate) fn delivery_id(provider: &str, campaign: &str, user: &str) -> DeliveryId {
    let names = (Provider::new(provider).unwrap(), CampaignName::new(campaign).unwrap());
    DeliveryId::of(&names.0, &names.1, &UserId::new(user).unwrap())
}

/// Gives an evaluator these events as one batch. Returns the places of the events that must be retried.
pub(crate) async fn evaluate(function: &Function, events: &[String]) -> Vec<usize> {
    let answer = function.invoke(&batch(events)).await.response();
    let failures = answer["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().parse().unwrap()).collect()
}

pub(crate) fn batch(events: &[String]) -> Value {
    let message = |(place, body): (usize, &String)| Message::new(body).id(&place.to_string()).sent(now().timestamp());
    queue_event("gg3-events", events.iter().enumerate().map(message))
}
