//! Names an implementation of every port that the functions' use cases need.

use domain::{inbound::click::ClickKeys, partner::Partner, values::ids::Provider};

use super::{
    Catalogues, Clicks, Clock, DeadLetters, Deliveries, Endpoints, KnownPartner, KnownRecipient, NewDeliveries,
    Participants, PartnerServers, Postbacks, Randomness, Refusals, ResendQueue, Source, SystemKeys, UnderWay,
    WebhookQueue,
};

/// Names an implementation of each port, so that a use case has only one type parameter. The fields of a use case show
/// which ports it needs.
#[allow(missing_docs, reason = "each type has the name of its port")]
pub trait Ports {
    type KnownPartners: Source<Key = Provider, Value = KnownPartner>;
    type Partners: Source<Key = Provider, Value = Partner>;
    type Recipients: Source<Key = Provider, Value = KnownRecipient>;
    type ClickKeys: Source<Key = (), Value = ClickKeys>;
    type Keys: Source<Key = (), Value = SystemKeys>;
    type Postbacks: Postbacks;
    type Refusals: Refusals;
    type Clicks: Clicks;
    type Catalogues: Catalogues;
    type Participants: Participants;
    type NewDeliveries: NewDeliveries;
    type Deliveries: Deliveries;
    type Endpoints: Endpoints;
    type UnderWay: UnderWay;
    type Webhooks: WebhookQueue;
    type Resends: ResendQueue;
    type Servers: PartnerServers;
    type DeadLetters: DeadLetters;
    type Clock: Clock;
    type Randomness: Randomness;
}
