//! Names the implementations of the ports in a deployment.

use app::ports::Ports;

use crate::{
    dynamodb::{
        catalogue::DynamoCatalogues,
        clicks::DynamoClicks,
        deliveries::{DynamoDeliveries, DynamoNewDeliveries},
        endpoints::DynamoEndpoints,
        participants::DynamoParticipants,
        partners::{DynamoClickKeys, DynamoKnownPartners, DynamoPartners, DynamoRecipients, DynamoSystemKeys},
        postbacks::DynamoPostbacks,
        refusals::DynamoRefusals,
        under_way::DynamoUnderWay,
    },
    sqs::{SqsDeadLetters, SqsResends, SqsWebhooks},
    system::System,
    webhook::WebhookClient,
};

/// The ports on DynamoDB, SQS and HTTP.
#[derive(Debug)]
pub enum Deployed {}

impl Ports for Deployed {
    type KnownPartners = DynamoKnownPartners;
    type Partners = DynamoPartners;
    type Recipients = DynamoRecipients;
    type ClickKeys = DynamoClickKeys;
    type Keys = DynamoSystemKeys;
    type Postbacks = DynamoPostbacks;
    type Refusals = DynamoRefusals;
    type Clicks = DynamoClicks;
    type Catalogues = DynamoCatalogues;
    type Participants = DynamoParticipants;
    type NewDeliveries = DynamoNewDeliveries;
    type Deliveries = DynamoDeliveries;
    type Endpoints = DynamoEndpoints;
    type UnderWay = DynamoUnderWay;
    type Webhooks = SqsWebhooks;
    type Resends = SqsResends;
    type Servers = WebhookClient;
    type DeadLetters = SqsDeadLetters;
    type Clock = System;
    type Randomness = System;
}
