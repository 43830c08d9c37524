//! What the use cases need from the world. Each method says what an implementation MUST do; [`crate::memory`] has one of
//! each for deterministic tests, `adapters` has the real ones.

use std::{hash::Hash, sync::Arc};

use domain::{
    catalogue::Catalogue,
    click::{Click, ClickKeys},
    conversion::{Conversion, Receipt, RecordedPostback},
    correction::{Correction, Revision},
    credential::Credentials,
    ids::{Provider, Ticket, TransactionId, UserId},
    jiff::Timestamp,
    lookup::Entry,
    moment::Moment,
    owed_delivery::{FirstAttempt, NewDelivery},
    participant::Participant,
    partner::Partner,
    refusal::{Conflict, ContentKey, KeptConflict, Refusal},
    signature::Secret,
};
use thiserror::Error;

use crate::resolve_conflict::StoredConflict;

/// A service did not do what it was asked, or did not say so in time. Whether it did is unknown: asking again MUST be
/// safe for every port.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{service} is unavailable: {reason}")]
pub struct Unavailable {
    /// Which service and what was asked of it, as in `DynamoDB PutItem postbacks`.
    pub service: &'static str,
    /// What it said, without any value of ours.
    pub reason: String,
}

/// Something that is read by key and seldom changes: a partner, the system's keys.
pub trait Source: Send + Sync {
    /// What it is read by.
    type Key: Clone + Eq + Hash + Send + Sync;
    /// What is read.
    type Value: Send + Sync;

    /// Reads it. MUST answer `None` only when it is certain that there is none, and MUST end within its own time limit.
    fn load(&self, key: &Self::Key) -> impl Future<Output = Result<Option<Self::Value>, Unavailable>> + Send;
}

/// A partner as `postback` needs it: what was agreed, and what opens its door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPartner {
    /// What was agreed.
    pub partner: Arc<Partner>,
    /// What opens its door.
    pub credentials: Credentials,
}

/// The keys that belong to no partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemKeys {
    /// What click ids are made and verified with.
    pub click: ClickKeys,
    /// What `/click` links are signed with: the newest first.
    pub link: Vec<Secret>,
}

/// What came of recording a postback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It is recorded now, and was not before.
    Fresh,
    /// There is one of this transaction already, and it is untouched.
    Existing(Box<RecordedPostback>),
}

/// The postbacks, for ever.
pub trait Postbacks: Send + Sync {
    /// Records a postback unless its transaction is known. MUST be durable before it answers, MUST decide atomically
    /// among simultaneous calls, and MUST never change one that is there.
    fn record(&self, postback: &RecordedPostback) -> impl Future<Output = Result<Recorded, Unavailable>> + Send;

    /// Reads the original of a transaction, as of now. MUST write nothing.
    fn find(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> impl Future<Output = Result<Option<RecordedPostback>, Unavailable>> + Send;
}

/// What was refused, and what conflicts.
pub trait Refusals: Send + Sync {
    /// Keeps a refusal for 30 days from when it was last seen. The same content again MUST make no new item, and MUST be
    /// counted.
    fn keep_refusal(&self, refusal: &Refusal) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Keeps a conflict until an operator resolves it. The same content again MUST make no new item, and MUST answer
    /// what an operator made of it. One whose original was kept MUST be open again.
    fn keep_conflict(&self, conflict: &Conflict) -> impl Future<Output = Result<KeptConflict, Unavailable>> + Send;

    /// What an operator made of this conflict, if it is kept. MUST write nothing.
    fn find_correction(&self, conflict: &Conflict)
    -> impl Future<Output = Result<Option<Receipt>, Unavailable>> + Send;
}

/// What operators make of conflicts.
pub trait Resolutions: Send + Sync {
    /// Reads a kept conflict, as of now. MUST NOT answer one that has expired.
    fn find_conflict(
        &self,
        key: &ContentKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<StoredConflict>, Unavailable>> + Send;

    /// Reads the original of a transaction and all its corrections, as of now, in the order of their numbers.
    fn revisions(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> impl Future<Output = Result<Vec<Revision>, Unavailable>> + Send;

    /// Records a correction for ever and marks its conflict as accepted with the correction's receipt, for ever: both or
    /// neither, atomically. MUST answer `Changed`, and change nothing, when the number is taken, or the conflict is
    /// accepted already or not there.
    fn accept(
        &self,
        key: &ContentKey,
        correction: &Correction,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;

    /// Marks a conflict as one whose original is kept: it may be deleted 30 days from `now`, and MUST NOT before. MUST
    /// answer `Changed`, and change nothing, when the conflict is accepted or not there.
    fn keep_original(
        &self,
        key: &ContentKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}

/// The clicks that led to partners.
pub trait Clicks: Send + Sync {
    /// Records a click. MUST end within a second or so: a user waits to be sent on.
    fn record(&self, click: &Click) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// The lookups: where things are that happened, by partner, user and click id.
pub trait Lookups: Send + Sync {
    /// Writes entries, no two of them of one subject and place, over those that stand there. MUST answer one result for
    /// each, in order, and `Ok` only for what is durable.
    fn put(&self, entries: &[Entry]) -> impl Future<Output = Vec<Result<(), Unavailable>>> + Send;
}

/// The queue that GG3's quests read, `gg3-conversions`.
pub trait ConversionQueue: Send + Sync {
    /// Sends conversions. MUST answer one result for each, in order, and `Ok` only for what the queue has taken.
    fn send(&self, conversions: &[Conversion]) -> impl Future<Output = Vec<Result<(), Unavailable>>> + Send;
}

/// Where a message goes that cannot be processed.
pub trait DeadLetters: Send + Sync {
    /// Sets a message aside, whole, with the reason. MUST answer `Ok` only when the queue has taken it.
    fn set_aside(&self, whole: &str, reason: &str) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// The clock and the dice, for a use case that needs them in the middle of its work.
pub trait Surroundings: Send + Sync {
    /// What time it is, asked anew each time.
    fn now(&self) -> Moment;

    /// A ticket that nobody has had: random.
    fn ticket(&self) -> Result<Ticket, Unavailable>;
}

/// The catalogue as it is now, seen by somebody who may hold one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The one that is held already.
    Same,
    /// Another one.
    Other(Box<Catalogue>),
    /// None was ever published.
    Nothing,
}

/// The catalogues of campaigns, of which one is current.
pub trait Catalogues: Send + Sync {
    /// Reads the current catalogue, unless it is of the version that is held. MUST answer what is current at some instant
    /// during the call, and MUST answer a catalogue whole, as it was published, or not at all.
    fn current(&self, held: Option<u64>) -> impl Future<Output = Result<Published, Unavailable>> + Send;
}

/// A participant as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredParticipant {
    /// What is stored, expired or not; an empty one where nothing is.
    pub participant: Participant,
    /// Its version; none where nothing is stored.
    pub version: Option<u64>,
}

/// What came of a write that is conditional on a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// It is stored now.
    Done,
    /// Somebody has written since it was read. Nothing is changed.
    Changed,
}

/// The participants, those attributed for ever.
pub trait Participants: Send + Sync {
    /// Reads a participant. MUST see every write that was answered before.
    fn read(&self, user_id: &UserId) -> impl Future<Output = Result<StoredParticipant, Unavailable>> + Send;

    /// Writes a participant under the version `next` if the stored one still has the version `read`, atomically. MUST be
    /// durable before it answers. May delete it once [`Participant::expires_at`] has passed, and MUST NOT before.
    fn write(
        &self,
        user_id: &UserId,
        participant: &Participant,
        read: Option<u64>,
        next: u64,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}

/// What came of putting a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is put now, and was not there before.
    Fresh,
    /// There is one already, and it is untouched.
    Existing {
        /// Whether its first attempt has been begun, or it has ended: whether a message has certainly arrived.
        begun: bool,
    },
}

/// The deliveries, for ever.
pub trait Deliveries: Send + Sync {
    /// Puts a delivery unless there is one of its id. MUST be durable before it answers, MUST decide atomically among
    /// simultaneous calls, and MUST never change one that is there.
    fn put_if_absent(&self, delivery: &NewDelivery) -> impl Future<Output = Result<Put, Unavailable>> + Send;
}

/// The queue `webhooks`, of first attempts.
pub trait WebhookQueue: Send + Sync {
    /// Sends messages. MUST answer one result for each, in order, and `Ok` only for what the queue has taken.
    fn send(&self, attempts: &[FirstAttempt]) -> impl Future<Output = Vec<Result<(), Unavailable>>> + Send;
}
