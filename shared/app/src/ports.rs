//! What the use cases need from the world. Each method says what an implementation MUST do; [`crate::memory`] has one of
//! each for deterministic tests, `adapters` has the real ones.

mod configuration;
mod dead_letters;
mod delivery_records;
mod implementations;
mod inbound_records;
mod listings;

use std::{hash::Hash, sync::Arc, time::Duration};

use domain::{
    audit::AuditRecord,
    inbound::{
        click::{Click, ClickKeys},
        conversion::{Conversion, Receipt, RecordedPostback},
        correction::{Correction, Step},
        credential::Credentials,
        refusal::{Conflict, ContentKey, KeptConflict, Refusal},
        transaction::{Adjustment, History},
    },
    jiff::{Timestamp, civil::Date},
    lookup::LookupEntry,
    outbound::{
        attempt::FinishedAttempt,
        catalogue::Catalogue,
        delivery::{Claim, Delivery, LateAttempt, Message, OpenedRound},
        participant::Participant,
        webhook::WebhookRequest,
    },
    partner::{Partner, recipient::Recipient},
    values::{
        ids::{ChainTicket, ClaimMark, DeliveryId, Provider, ReceiptId, TransactionId, UserId},
        signature::Secret,
        time::UnixMillis,
    },
};
use thiserror::Error;

pub use self::configuration::{Partners, PublishedCampaigns, Publishing, SYSTEM_OWNER, StoredPartner, StoredSecrets};
pub use self::{
    dead_letters::{Attribute, AttributeValue, DeadLetter, DeadLetterQueue, DeadLetterQueues, ReceivedLetter},
    delivery_records::{DeliveryRecords, Ended, FailuresPage, KeptAttempt, StoredDelivery},
    implementations::Ports,
    inbound_records::{FoundRevisions, InboundRecords},
    listings::{Listings, Range},
};

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

/// Tells what came of adding a step to a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// The step is recorded now.
    Done,
    /// Its place is taken by the revision with this receipt. Nothing is changed.
    Taken(ReceiptId),
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

    /// Reads everything that is recorded of a transaction. MUST see every write that was answered before, and MUST write
    /// nothing.
    fn history(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> impl Future<Output = Result<Option<History>, Unavailable>> + Send;

    /// Records a step under its place in the transaction, unless that place is taken. MUST be durable before it answers,
    /// MUST decide atomically among simultaneous calls and operators' corrections, and MUST never change what is there.
    fn add_step(&self, step: &Step) -> impl Future<Output = Result<Added, Unavailable>> + Send;

    /// Records a negative transaction, and notes it under the adjustment's place beside the transaction that it reverses.
    /// MUST do both or neither, and MUST be durable before it answers. MUST answer `Changed`, and change nothing, when the
    /// negative transaction is recorded already or the place is taken.
    fn adjust(
        &self,
        reversed: &TransactionId,
        adjustment: &Adjustment,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}

/// What was refused, and what conflicts.
pub trait Refusals: Send + Sync {
    /// Keeps a refusal for 30 days from when it was last seen. The same content again MUST make no new item, and MUST be
    /// counted.
    fn keep_refusal(&self, refusal: &Refusal) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Keeps a conflict until an operator resolves it. The same content again MUST make no new item, and MUST answer
    /// what an operator made of it. One whose original was kept MUST be open again.
    fn keep_conflict(&self, conflict: &Conflict) -> impl Future<Output = Result<KeptConflict, Unavailable>> + Send;

    /// Marks a refusal as recorded since, with this receipt. MUST keep the first such mark, MUST NOT count it as a sighting,
    /// and MUST make no new item where it is kept no more.
    fn mark_recorded(
        &self,
        key: &ContentKey,
        receipt: &Receipt,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// What an operator made of this conflict, if it is kept. MUST write nothing.
    fn find_correction(&self, conflict: &Conflict)
    -> impl Future<Output = Result<Option<Receipt>, Unavailable>> + Send;
}

/// The records of what operators changed, each written once and never changed.
pub trait AuditTrail: Send + Sync {
    /// Stores a record by itself, before an action that changes no table. MUST be durable before it answers. The same record
    /// again MUST make no second one.
    fn append(&self, record: &AuditRecord) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Reads the records of a UTC day, the oldest first. MUST see every record that was stored before.
    fn of_day(&self, day: Date) -> impl Future<Output = Result<Vec<AuditRecord>, Unavailable>> + Send;
}

/// A conflict as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConflict {
    /// What was sent. It was received when it first was.
    pub conflict: Conflict,
    /// The correction's receipt, if it was accepted as one.
    pub accepted: Option<Receipt>,
}

/// What operators make of conflicts.
pub trait Resolutions: Send + Sync {
    /// Reads a kept conflict, as of now. MUST NOT answer one that has expired.
    fn find_conflict(
        &self,
        key: &ContentKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<StoredConflict>, Unavailable>> + Send;

    /// Reads everything that is recorded of a transaction, as of now.
    fn history(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> impl Future<Output = Result<Option<History>, Unavailable>> + Send;

    /// Records a correction for ever, marks its conflict as accepted with the correction's receipt for ever, and stores the
    /// audit record: MUST do all or none, atomically. MUST answer `Changed`, and change nothing, when its place is taken, or
    /// the conflict is accepted already or not there.
    fn accept(
        &self,
        key: &ContentKey,
        correction: &Correction,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;

    /// Marks a conflict as one whose original is kept, and stores the audit record: MUST do both or neither. The conflict may
    /// be deleted 30 days from `now`, and MUST NOT before. MUST answer `Changed`, and change nothing, when the conflict is
    /// accepted or not there.
    fn keep_original(
        &self,
        key: &ContentKey,
        now: Timestamp,
        audit: &AuditRecord,
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
    fn put(&self, entries: &[LookupEntry]) -> impl Future<Output = Vec<Result<(), Unavailable>>> + Send;
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
    fn now(&self) -> UnixMillis;

    /// A ticket that nobody has had: random.
    fn ticket(&self) -> Result<ChainTicket, Unavailable>;

    /// A mark that no other worker has: random.
    fn mark(&self) -> Result<ClaimMark, Unavailable>;

    /// Lets this much time pass.
    fn pause(&self, duration: Duration) -> impl Future<Output = ()> + Send;
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
    /// Reads participants, no user twice; one result for each, in order. MUST see every write that was answered before.
    fn read(&self, users: &[&UserId]) -> impl Future<Output = Vec<Result<StoredParticipant, Unavailable>>> + Send;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is put now, and was not there before.
    Fresh,
    /// There is one already, and it is untouched: this one.
    Existing(Box<Delivery>),
}

/// What came of storing a claim unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It is stored: this is the delivery with it.
    Stored(Box<Delivery>),
    /// The delivery is not as the message says any more: this is what it is, if there is one. Nothing is changed.
    Otherwise(Option<Box<Delivery>>),
}

/// Where deliveries are first put, for ever.
pub trait NewDeliveries: Send + Sync {
    /// Puts a delivery unless there is one of its id. MUST be durable before it answers, MUST decide atomically among
    /// simultaneous calls, and MUST never change one that is there.
    fn put_if_absent(&self, delivery: &Delivery) -> impl Future<Output = Result<Put, Unavailable>> + Send;
}

/// The deliveries that were put. Every change is of one that was read, and is refused where that has changed.
pub trait Deliveries: Send + Sync {
    /// Stores this claim if the delivery still has the revision that the message was made for, as
    /// [`Delivery::with_claim`] says. MUST be durable before it answers, and atomic.
    fn claim(&self, message: &Message, claim: &Claim) -> impl Future<Output = Result<Claimed, Unavailable>> + Send;

    /// Reads a delivery. MUST see every write that was answered before.
    fn read(&self, id: &DeliveryId) -> impl Future<Output = Result<Option<Delivery>, Unavailable>> + Send;

    /// Stores a delivery if the one stored has the revision before this one's. MUST be durable before it answers, and
    /// atomic.
    fn replace(&self, delivery: &Delivery) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;

    /// Keeps an attempt beside its delivery; and with it stores the delivery that it changed, if it did, like
    /// [`replace`](Self::replace): MUST do both or neither. The same attempt again MUST make no second one.
    fn keep_late(
        &self,
        late: &LateAttempt,
        changed: Option<&Delivery>,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}

/// The rounds that operators open.
pub trait Rounds: Send + Sync {
    /// Reads a delivery. MUST see every write that was answered before.
    fn read(&self, id: &DeliveryId) -> impl Future<Output = Result<Option<Delivery>, Unavailable>> + Send;

    /// Stores a round that was opened if the stored delivery has the revision before this one's, the old round's attempts
    /// beside it, and the audit record: MUST do all or none, and MUST be durable before it answers.
    fn open_round(
        &self,
        opened: &OpenedRound,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}

/// A page of what is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnderWayPage {
    /// The deliveries, each with when the sweep last sent for it, if that was since it last changed.
    pub deliveries: Vec<(Delivery, Option<UnixMillis>)>,
    /// How many are stored in a way that cannot be read: they MUST hold up none of the others.
    pub unreadable: u64,
    /// Where the next page begins; none after the last.
    pub next: Option<PageToken>,
}

/// Where a page begins: only the port that gave it knows what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken(pub String);

/// The deliveries under way, found without looking at those that have ended.
pub trait UnderWay: Send + Sync {
    /// How many parts there are, that can be read independently: numbered from 0.
    fn shards(&self) -> u32;

    /// Those of one part whose round was opened before this instant. May be a moment behind, and MUST then still show
    /// what was under way for longer than that.
    fn page(
        &self,
        shard: u32,
        opened_before: UnixMillis,
        from: Option<PageToken>,
    ) -> impl Future<Output = Result<UnderWayPage, Unavailable>> + Send;

    /// Remembers that the sweep sent for this delivery at this instant, unless it has changed since it was read: then
    /// there is nothing to remember.
    fn mark_swept(&self, delivery: &Delivery, at: UnixMillis) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// The queue `webhooks`, of first attempts.
pub trait WebhookQueue: Send + Sync {
    /// Sends messages. MUST answer one result for each, in order, and `Ok` only for what the queue has taken.
    fn send(&self, messages: &[Message]) -> impl Future<Output = Vec<Result<(), Unavailable>>> + Send;
}

/// The queue `webhook-retries`: resends, and everything that waits.
pub trait ResendQueue: Send + Sync {
    /// Sends a message that arrives after this many seconds, at most 900. MUST answer `Ok` only when the queue has taken
    /// it.
    fn send(&self, message: &Message, delay_seconds: u16) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// A partner as its webhooks need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRecipient {
    /// Its campaigns.
    pub recipient: Recipient,
    /// What its webhooks are signed with: one secret, or two while they are rotated, each in Standard Webhooks' form.
    pub secrets: Vec<Secret>,
}

/// The way to partners' servers.
pub trait PartnerServers: Send + Sync {
    /// Makes one request, or none where the outcome is that it could not be begun; MUST NOT make a second one, and MUST
    /// end within its limit, whatever is at the other end. `now` is when it is made.
    fn call(
        &self,
        request: &WebhookRequest,
        id: &DeliveryId,
        secrets: &[Secret],
        now: UnixMillis,
    ) -> impl Future<Output = FinishedAttempt> + Send;
}
