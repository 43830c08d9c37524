//! Ports that wait for their actor's turn, before ports in memory.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use app::{
    memory::{Held, World},
    ports::{
        Catalogues, ConversionQueue, DeadLetters, KnownPartner, NewDeliveries, Participants, Postbacks, Published, Put,
        Recorded, Refusals, Replaced, Source, StoredParticipant, Surroundings, SystemKeys, Unavailable, WebhookQueue,
    },
};
use domain::{
    conversion::{Conversion, Receipt, RecordedPostback},
    delivery::{Delivery, Message},
    ids::{Mark, Provider, Ticket, TransactionId, UserId},
    moment::Moment,
    participant::Participant,
    refusal::{Conflict, KeptConflict, Refusal},
};

/// One actor's way to the ports.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) world: World,
    /// One call may be made.
    turn: Arc<AtomicBool>,
}

impl Stage {
    pub(super) fn new(world: &World) -> Self {
        Self { world: world.clone(), turn: Arc::default() }
    }

    /// Lets the actor make its next call.
    pub(super) fn give_turn(&self) {
        self.turn.store(true, Ordering::Relaxed);
    }

    /// Whether the actor has made a call since.
    pub(super) fn took_turn(&self) -> bool {
        !self.turn.swap(false, Ordering::Relaxed)
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

/// Partners and keys behind a stage.
#[derive(Debug, Clone)]
pub(super) struct Configuration<K, V>(pub(super) Stage, pub(super) Held<K, V>);

impl Source for Configuration<Provider, KnownPartner> {
    type Key = Provider;
    type Value = KnownPartner;

    async fn load(&self, key: &Provider) -> Result<Option<KnownPartner>, Unavailable> {
        self.0.turn().await;
        self.1.load(key).await
    }
}

impl Source for Configuration<(), SystemKeys> {
    type Key = ();
    type Value = SystemKeys;

    async fn load(&self, key: &()) -> Result<Option<SystemKeys>, Unavailable> {
        self.0.turn().await;
        self.1.load(key).await
    }
}

impl Postbacks for Stage {
    async fn record(&self, postback: &RecordedPostback) -> Result<Recorded, Unavailable> {
        self.turn().await;
        Postbacks::record(&self.world, postback).await
    }

    async fn find(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<RecordedPostback>, Unavailable> {
        self.turn().await;
        self.world.find(provider, transaction_id).await
    }
}

impl Refusals for Stage {
    async fn keep_refusal(&self, refusal: &Refusal) -> Result<(), Unavailable> {
        self.turn().await;
        self.world.keep_refusal(refusal).await
    }

    async fn keep_conflict(&self, conflict: &Conflict) -> Result<KeptConflict, Unavailable> {
        self.turn().await;
        self.world.keep_conflict(conflict).await
    }

    async fn find_correction(&self, conflict: &Conflict) -> Result<Option<Receipt>, Unavailable> {
        self.turn().await;
        self.world.find_correction(conflict).await
    }
}

impl ConversionQueue for Stage {
    /// Each entry is a turn of its own, as it is a call of its own in memory.
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

impl Surroundings for Stage {
    fn now(&self) -> Moment {
        self.world.now()
    }

    fn ticket(&self) -> Result<Ticket, Unavailable> {
        self.world.ticket()
    }

    fn mark(&self) -> Result<Mark, Unavailable> {
        self.world.mark()
    }

    async fn pause(&self, duration: Duration) {
        self.world.pause(duration).await;
    }
}

impl Catalogues for Stage {
    async fn current(&self, held: Option<u64>) -> Result<Published, Unavailable> {
        self.turn().await;
        self.world.current(held).await
    }
}

impl Participants for Stage {
    async fn read(&self, user_id: &UserId) -> Result<StoredParticipant, Unavailable> {
        self.turn().await;
        Participants::read(&self.world, user_id).await
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
    /// Each entry is a turn of its own, as it is a call of its own in memory.
    async fn send(&self, messages: &[Message]) -> Vec<Result<(), Unavailable>> {
        let mut results = Vec::with_capacity(messages.len());
        for message in messages {
            self.turn().await;
            results.extend(WebhookQueue::send(&self.world, core::slice::from_ref(message)).await);
        }
        results
    }
}
