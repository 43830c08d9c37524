//! Puts ports that wait for their actor's turn in front of the ports in memory.

mod inbound;

use std::{
    future::poll_fn,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use super::Slip;
use app::{
    memory::{Held, World},
    ports::{
        Catalogues, Claimed, ConversionQueue, DeadLetters, Deliveries, EndpointKey, Endpoints, KnownPartner,
        KnownRecipient, NewDeliveries, PageToken, Participants, PartnerServers, Ports, Published, Put, Replaced,
        ResendQueue, Reservation, Reserved, Rounds, Source, StoredEndpoint, StoredParticipant, SystemKeys, Unavailable,
        UnderWay, UnderWayPage, WebhookQueue,
    },
};
use domain::{
    audit::AuditRecord,
    inbound::{click::ClickKeys, conversion::Conversion},
    outbound::{
        attempt::FinishedAttempt,
        delivery::{Claim, Delivery, LateAttempt, Message, OpenedRound},
        endpoint::Endpoint,
        participant::Participant,
        webhook::WebhookRequest,
    },
    partner::Partner,
    values::{
        ids::{DeliveryId, Provider, UserId},
        signature::Secret,
        time::UnixMillis,
    },
};

/// Gives one actor access to the ports.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) world: World,
    /// Allows one call.
    turn: Arc<AtomicBool>,
    /// Makes the ports break a rule, to test that the ledger reports the broken rule.
    slip: Option<Slip>,
}

impl Stage {
    pub(crate) fn new(world: &World, slip: Option<Slip>) -> Self {
        Self { world: world.clone(), turn: Arc::default(), slip }
    }

    /// Lets the actor make its next call.
    pub(crate) fn give_turn(&self) {
        self.turn.store(true, Ordering::Relaxed);
    }

    /// Returns true if the actor has made a call since its last turn.
    pub(super) fn took_turn(&self) -> bool {
        !self.turn.swap(false, Ordering::Relaxed)
    }

    /// Gives the stored delivery the revision that the next write expects, so that the write overlooks a change. Does
    /// this only if the story asks for this slip.
    fn overlook_changes(&self, revision: Option<u32>, id: &DeliveryId) {
        if self.slip == Some(Slip::TheTableStoresWhatever) {
            let mut state = self.world.state();
            if let (Some(revision), Some(stored)) = (revision, state.deliveries.get_mut(id)) {
                *stored = with_revision(stored, revision);
            }
        }
    }

    async fn turn(&self) {
        poll_fn(|context| {
            if self.turn.swap(false, Ordering::Relaxed) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// Serves partners and keys behind a stage.
#[derive(Debug, Clone)]
pub(crate) struct Configuration<K, V>(pub(crate) Stage, pub(crate) Held<K, V>);

impl<K, V> Source for Configuration<K, V>
where
    K: Clone + Eq + Hash + Send + Sync,
    V: Clone + Send + Sync,
{
    type Key = K;
    type Value = V;

    async fn load(&self, key: &K) -> Result<Option<V>, Unavailable> {
        self.0.turn().await;
        self.1.load(key).await
    }
}

impl Ports for Stage {
    type KnownPartners = Configuration<Provider, KnownPartner>;
    type Partners = Configuration<Provider, Partner>;
    type Recipients = Configuration<Provider, KnownRecipient>;
    type ClickKeys = Configuration<(), ClickKeys>;
    type Keys = Configuration<(), SystemKeys>;
    type Postbacks = Self;
    type Refusals = Self;
    type Clicks = World;
    type Catalogues = Self;
    type Participants = Self;
    type NewDeliveries = Self;
    type Deliveries = Self;
    type Endpoints = Self;
    type UnderWay = Self;
    type Webhooks = Self;
    type Resends = Self;
    type Servers = Self;
    type DeadLetters = Self;
    type Clock = World;
    type Randomness = World;
}

impl ConversionQueue for Stage {
    /// Takes a turn for each entry, because each is one call in memory.
    async fn send(&self, conversions: &[Conversion]) -> Vec<Result<(), Unavailable>> {
        let mut results = Vec::with_capacity(conversions.len());
        for conversion in conversions {
            self.turn().await;
            results.extend(ConversionQueue::send(&self.world, core::slice::from_ref(conversion)).await);
        }
        results
    }
}

impl DeadLetters for Stage {
    async fn set_aside(&self, whole: &str, reason: &str) -> Result<(), Unavailable> {
        self.turn().await;
        self.world.set_aside(whole, reason).await
    }
}

impl Catalogues for Stage {
    async fn current(&self, held: Option<u64>) -> Result<Published, Unavailable> {
        self.turn().await;
        self.world.current(held).await
    }
}

impl Participants for Stage {
    /// Takes a turn for each user, because in memory each user is a separate call.
    async fn read(&self, users: &[&UserId]) -> Vec<Result<StoredParticipant, Unavailable>> {
        let mut results = Vec::with_capacity(users.len());
        for user_id in users {
            self.turn().await;
            results.extend(Participants::read(&self.world, &[*user_id]).await);
        }
        results
    }

    async fn write(
        &self,
        user_id: &UserId,
        participant: &Participant,
        read: Option<u64>,
        next: u64,
    ) -> Result<Replaced, Unavailable> {
        self.turn().await;
        self.world.write(user_id, participant, read, next).await
    }
}

impl NewDeliveries for Stage {
    async fn put_if_absent(&self, delivery: &Delivery) -> Result<Put, Unavailable> {
        self.turn().await;
        self.world.put_if_absent(delivery).await
    }
}

impl WebhookQueue for Stage {
    /// Takes a turn for each entry, because each is one call in memory.
    async fn send(&self, messages: &[Message]) -> Vec<Result<(), Unavailable>> {
        let mut results = Vec::with_capacity(messages.len());
        for message in messages {
            self.turn().await;
            results.extend(WebhookQueue::send(&self.world, core::slice::from_ref(message)).await);
        }
        results
    }
}

impl Deliveries for Stage {
    async fn claim(&self, message: &Message, claim: &Claim) -> Result<Claimed, Unavailable> {
        self.turn().await;
        self.overlook_changes(Some(message.revision), &message.delivery_id);
        self.world.claim(message, claim).await
    }

    async fn read(&self, id: &DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        self.turn().await;
        Deliveries::read(&self.world, id).await
    }

    async fn replace(&self, delivery: &Delivery) -> Result<Replaced, Unavailable> {
        self.turn().await;
        self.overlook_changes(delivery.revision().checked_sub(1), delivery.id());
        Deliveries::replace(&self.world, delivery).await
    }

    async fn keep_late(&self, late: &LateAttempt, changed: Option<&Delivery>) -> Result<Replaced, Unavailable> {
        self.turn().await;
        self.world.keep_late(late, changed).await
    }
}

impl Endpoints for Stage {
    async fn find(&self, key: &EndpointKey) -> Result<StoredEndpoint, Unavailable> {
        self.turn().await;
        self.world.find(key).await
    }

    async fn replace(
        &self,
        key: &EndpointKey,
        endpoint: &Endpoint,
        notice: Option<&Delivery>,
    ) -> Result<Replaced, Unavailable> {
        self.turn().await;
        Endpoints::replace(&self.world, key, endpoint, notice).await
    }

    async fn reserve(&self, key: &EndpointKey, wanted: Reservation) -> Result<Reserved, Unavailable> {
        self.turn().await;
        self.world.reserve(key, wanted).await
    }

    async fn of_partner(&self, provider: &Provider) -> Result<Vec<(EndpointKey, StoredEndpoint)>, Unavailable> {
        self.turn().await;
        self.world.of_partner(provider).await
    }
}

impl Rounds for Stage {
    async fn read(&self, id: &DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        Deliveries::read(self, id).await
    }

    async fn open_round(&self, opened: &OpenedRound, audit: &AuditRecord) -> Result<Replaced, Unavailable> {
        self.turn().await;
        self.world.open_round(opened, audit).await
    }

    async fn owe_notice(&self, notice: &Delivery, audit: &AuditRecord) -> Result<Replaced, Unavailable> {
        self.turn().await;
        self.world.owe_notice(notice, audit).await
    }
}

impl ResendQueue for Stage {
    async fn send(&self, message: &Message, delay_seconds: u16) -> Result<(), Unavailable> {
        self.turn().await;
        ResendQueue::send(&self.world, message, delay_seconds).await
    }
}

impl PartnerServers for Stage {
    async fn call(
        &self,
        request: &WebhookRequest,
        id: &DeliveryId,
        secrets: &[Secret],
        now: UnixMillis,
    ) -> FinishedAttempt {
        self.turn().await;
        PartnerServers::call(&self.world, request, id, secrets, now).await
    }
}

impl UnderWay for Stage {
    fn shards(&self) -> u32 {
        self.world.shards()
    }

    async fn page(
        &self,
        shard: u32,
        opened_before: UnixMillis,
        from: Option<PageToken>,
    ) -> Result<UnderWayPage, Unavailable> {
        self.turn().await;
        self.world.page(shard, opened_before, from).await
    }

    async fn mark_swept(&self, delivery: &Delivery, at: UnixMillis) -> Result<(), Unavailable> {
        self.turn().await;
        self.world.mark_swept(delivery, at).await
    }
}

/// Returns the delivery with this revision. No function sets a revision, so the delivery is changed as JSON.
fn with_revision(delivery: &Delivery, revision: u32) -> Delivery {
    let mut stored = serde_json::to_value(delivery).expect("JSON");
    stored["revision"] = revision.into();
    serde_json::from_value(stored).expect("a delivery")
}
